//! Judges a URL: the URL comes in, the addresses that a connection to it may use go out, or why there is none.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

use super::address::special;
use super::error::Refused;
use super::policy::EgressPolicy;
use super::resolve::Resolve;

/// Longest name of a host (RFC 1035 §2.3.4), a dot at its end included.
const MAX_NAME: usize = 254;

/// Most addresses of a host that are tried; all are judged.
const MAX_ADDRESSES: usize = 8;

/// How a URL was found to be reachable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// Only because the operator allows it: not all of its addresses are public.
    Allowed,
    /// Anybody may: all of its addresses are public.
    Public,
}

/// What was found about a URL.
pub(super) struct Checked {
    pub(super) reach: Reach,
    /// At least one, all judged.
    pub(super) addresses: Vec<IpAddr>,
}

/// Judges URLs by a policy.
pub(super) struct Gate {
    policy: EgressPolicy,
    resolver: Arc<dyn Resolve>,
    /// How long a look-up may take.
    patience: Duration,
}

impl Gate {
    pub(super) fn new(policy: EgressPolicy, resolver: Arc<dyn Resolve>, patience: Duration) -> Self {
        Self { policy, resolver, patience }
    }

    /// Looks the host up, once, and judges all its addresses. A URL of the very origin of `trusted` may be anywhere.
    pub(super) async fn check(&self, url: &Url, trusted: Option<&Url>) -> Result<Checked, Refused> {
        let is_plain = match url.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(Refused::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let (Some(host), Some(text)) = (url.host(), url.host_str()) else { return Err(Refused::NoHost) };
        let is_named = match host {
            Host::Domain(name) => self.policy.allows_host(name),
            Host::Ipv4(_) | Host::Ipv6(_) => false,
        } || trusted.is_some_and(|trusted| url.origin() == trusted.origin());
        let mut addresses = self.addresses(&host).await?;

        let (mut are_all_listed, mut are_all_public) = (true, true);
        for &address in &addresses {
            let is_listed = is_named || self.policy.allows_address(address);
            are_all_listed &= is_listed;
            if let Some(block) = special(address) {
                are_all_public = false;
                if !is_listed {
                    return Err(Refused::Address { host: text.to_owned(), block });
                }
            }
        }
        if is_plain && !are_all_listed {
            return Err(Refused::Plain { host: text.to_owned() });
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(Checked { reach: if are_all_public { Reach::Public } else { Reach::Allowed }, addresses })
    }

    /// All addresses of a host, at least one.
    async fn addresses(&self, host: &Host<&str>) -> Result<Vec<IpAddr>, Refused> {
        let name = match host {
            Host::Ipv4(address) => return Ok(vec![IpAddr::V4(*address)]),
            Host::Ipv6(address) => return Ok(vec![IpAddr::V6(*address)]),
            Host::Domain(name) => *name,
        };
        let not_found = || Refused::NotFound { host: name.chars().take(MAX_NAME).collect() };
        if name.len() > MAX_NAME {
            return Err(not_found());
        }
        match tokio::time::timeout(self.patience, self.resolver.resolve(name)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Ok(Ok(_) | Err(_)) | Err(_) => Err(not_found()),
        }
    }
}
