//! What the operator allows beyond the public internet: a list of blocks, addresses and host names comes in, and
//! what goes out is whether a host or an address is on it.

use std::net::IpAddr;

use url::Host;

use super::cidr::Cidr;

/// An entry of the list that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{entry}` {problem}")]
pub struct BadEntry {
    /// The entry as it was written.
    pub entry: String,
    /// What is wrong with it, as the end of a sentence.
    pub problem: &'static str,
}

/// What may be reached although it is not public, and over plain http. Empty: nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EgressPolicy {
    blocks: Vec<Cidr>,
    hosts: Vec<Pattern>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Pattern {
    /// This host.
    Exact(String),
    /// Every host below this one, and not the one itself. Begins with a dot.
    Below(String),
}

impl EgressPolicy {
    /// Reads entries: blocks (`127.0.0.0/8`, `fd00::/8`), single addresses, names of hosts (`files.example.com`), and
    /// `*.example.com` or `.example.com` for every host below a name.
    ///
    /// # Errors
    /// The first entry that is none of these.
    pub fn parse(entries: &[String]) -> Result<Self, BadEntry> {
        let mut policy = Self::default();
        for entry in entries {
            policy.add(entry.trim()).map_err(|problem| BadEntry { entry: entry.clone(), problem })?;
        }
        Ok(policy)
    }

    fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        if entry.contains('/') {
            let block =
                if entry.contains("://") { Err("is a URL; name its host only") } else { Cidr::parse(entry) };
            self.blocks.push(block?);
            return Ok(());
        }
        let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
        if bare.parse::<IpAddr>().is_ok() {
            self.blocks.push(Cidr::parse(bare)?);
            return Ok(());
        }
        let (name, is_below) = match entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')) {
            Some(name) => (name, true),
            None => (entry, false),
        };
        let name = domain(name)?;
        self.hosts.push(if is_below { Pattern::Below(format!(".{name}")) } else { Pattern::Exact(name) });
        Ok(())
    }

    /// How many entries the list has.
    pub const fn len(&self) -> usize {
        self.blocks.len() + self.hosts.len()
    }

    /// Whether nothing is allowed beyond the public internet.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the list names this host, so that it may be at any address.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.hosts.iter().any(|pattern| match pattern {
            Pattern::Exact(name) => host.eq_ignore_ascii_case(name),
            Pattern::Below(end) => {
                let at = host.len().saturating_sub(end.len());
                at > 0 && host.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }
        })
    }

    /// Whether the list has this address, by itself or in a block.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.contains(address))
    }
}

/// The name as the `url` crate writes hosts: lower case, punycode, no dot at the end.
fn domain(name: &str) -> Result<String, &'static str> {
    const NEITHER: &str = "is neither a host name nor an address";
    match Host::parse(name.strip_suffix('.').unwrap_or(name)) {
        Ok(Host::Domain(name)) if name.split('.').all(|label| !label.is_empty() && !label.contains('*')) => {
            Ok(name)
        }
        Ok(Host::Domain(_)) | Err(_) => Err(NEITHER),
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => Err("is an address that is not written in full"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(entries: &[&str]) -> Result<EgressPolicy, BadEntry> {
        EgressPolicy::parse(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn hosts_are_matched_whole() {
        let policy = policy(&[
            "files.example.com",
            "*.below.example",
            ".dotted.example",
            " Trimmed.Example. ",
            "bücher.example",
        ])
        .unwrap();
        for host in [
            "files.example.com",
            "FILES.example.com",
            "files.example.com.",
            "a.below.example",
            "a.b.below.example",
            "a.dotted.example",
            "trimmed.example",
            "xn--bcher-kva.example",
        ] {
            assert!(policy.allows_host(host), "{host}");
        }
        for host in [
            "",
            ".",
            "example.com",
            "a.files.example.com",
            "xfiles.example.com",
            "files.example.com.evil.example",
            "below.example",
            ".below.example",
            "xbelow.example",
            "dotted.example",
            "a.below.example.evil",
        ] {
            assert!(!policy.allows_host(host), "{host}");
        }
    }

    #[test]
    fn addresses_are_matched_by_value() {
        let policy = policy(&["127.0.0.0/8", "fd00::/8", "10.1.2.3", "[::1]", "minio"]).unwrap();
        assert_eq!((policy.len(), policy.is_empty()), (5, false));
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd12::1", "10.1.2.3", "::1"] {
            assert!(policy.allows_address(address.parse().unwrap()), "{address}");
        }
        for address in ["128.0.0.1", "fc00::1", "10.1.2.4", "::2", "64:ff9b::127.0.0.1"] {
            assert!(!policy.allows_address(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let policy = policy(&[]).unwrap();
        assert!(policy.is_empty());
        assert!(!policy.allows_host("localhost") && !policy.allows_address("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn the_entry_that_is_none_is_named() {
        for bad in [
            "",
            " ",
            "*",
            ".",
            "*.",
            "..example",
            "a..example",
            "a.*.example",
            "http://files.example",
            "files.example:80",
            "files.example/path",
            "user@files.example",
            "two words",
            "10.0.0.1/8",
            "10.0.0.0/40",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "[::1",
        ] {
            let error = policy(&["files.example", bad]).expect_err(bad);
            assert_eq!(error.entry, bad);
            assert!(error.to_string().starts_with(&format!("`{bad}` ")), "{error}");
        }
    }
}
