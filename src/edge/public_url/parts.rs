//! The parts of an address, read from what strangers wrote: what is not plainly one of them is none.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest name of a host (RFC 1035 §2.3.4).
const LONGEST_HOST: usize = 253;

/// Longest path that a proxy may have taken off, bytes.
const LONGEST_PATH: usize = 256;

/// How clients connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scheme {
    /// In the clear.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// Reads its name, in any case.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("http") => Some(Self::Http),
            _ if text.eq_ignore_ascii_case("https") => Some(Self::Https),
            _ => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// A host and maybe a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Authority {
    /// A name in lower case, an IPv4 address, or an IPv6 address in brackets.
    host: String,
    /// Never 0.
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Reads `host`, `host:port`, or either with an address in the place of a name. A user, a path, an encoded letter or
    /// anything else that some reader might see another host in makes it none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let end =
            if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (host, rest) = text.split_at_checked(end)?;
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(digits) => Some(port(digits)?),
            None => return None,
        };
        is_host(host).then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Reads a port: digits only, and not 0.
pub(super) fn port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let are_labels = labels.all(|label| !label.is_empty() && label.bytes().all(is_plain));
    if !are_labels || text.len() > LONGEST_HOST {
        return false;
    }
    // What ends in a number is an address to browsers, however it is spelled.
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    let is_hex = last.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    !is_hex && (!is_number || text.parse::<Ipv4Addr>().is_ok())
}

/// Reads the path of a base: `/a/b`, with or without a slash at its end, which it loses; `/` is the empty path.
pub(super) fn path(text: &str) -> Option<&str> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain);
    let is_path = match path.strip_prefix('/') {
        Some(segments) => segments.split('/').all(is_segment),
        None => path.is_empty() && !text.is_empty(),
    };
    (is_path && path.len() <= LONGEST_PATH).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_plain_or_none() {
        for (text, read) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com."),
            ("my_host-1:8080", "my_host-1:8080"),
            ("localhost:", "localhost"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("[::1]:443", "[::1]:443"),
            ("[::1]:", "[::1]"),
            ("1.example", "1.example"),
        ] {
            assert_eq!(Authority::read(text).map(|it| it.to_string()).as_deref(), Some(read), "{text}");
        }
        for hostile in [
            "",
            ":80",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a\"b",
            "a<b",
            "a,b",
            "a;b",
            "a%2eb",
            "user@a",
            "user:pass@a",
            "a:0",
            "a:65536",
            "a:+1",
            "a:-1",
            "a:x",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "[127.0.0.1]",
            "1.2.3",
            "1.2.3.4.5",
            "0x7f.1",
            "127.0.0.0x1",
            "2130706433",
            "1.2.3.4.",
            "bücher.example",
        ] {
            assert_eq!(Authority::read(hostile), None, "{hostile:?}");
        }
        assert!(Authority::read(&"a".repeat(254)).is_none());
    }

    #[test]
    fn every_host_that_is_read_is_one_to_clients_too() {
        for text in ["example.com.", "my_host", "1.example", "a--b.c", "-a", "192.0.2.7", "[::ffff:1.2.3.4]"]
        {
            let authority = Authority::read(text).expect(text);
            assert!(url::Url::parse(&format!("http://{authority}/")).is_ok(), "{text}");
        }
    }

    #[test]
    fn paths_have_plain_segments_only() {
        for (text, read) in
            [("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/agents/a-1_x.y~z", "/agents/a-1_x.y~z")]
        {
            assert_eq!(path(text), Some(read), "{text}");
        }
        for hostile in [
            "",
            "a",
            "//",
            "//evil.example",
            "/a//b",
            "/a//",
            "/..",
            "/a/../b",
            "/./a",
            "/a?b",
            "/a#b",
            "/%2e%2e",
            "/a b",
            "/a\\b",
            "/ä",
        ] {
            assert_eq!(path(hostile), None, "{hostile}");
        }
        assert_eq!(path(&format!("/{}", "a".repeat(256))), None);
    }

    #[test]
    fn schemes_are_two() {
        assert_eq!(Scheme::read("HTTPS"), Some(Scheme::Https));
        assert_eq!(Scheme::read("http"), Some(Scheme::Http));
        for other in ["", "https:", "javascript", "ws", "https,http"] {
            assert_eq!(Scheme::read(other), None, "{other}");
        }
    }
}
