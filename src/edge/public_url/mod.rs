//! The address that clients reach the gateway at: headers, URI and peer of a request in, the base of every address that
//! its answer gives out.
//!
//! The operator's `PUBLIC_URL` is the address, whatever a request says. Without one it is found out for each request:
//! proxies that the operator trusts say where their client came in (`forwarded`); everybody else only says which host
//! it called. All of that is text of strangers until `parts` has read it: nothing that is no plain host, scheme, port
//! or path gets into an address.

mod forwarded;
mod parts;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, HeaderValue, Uri, header};
use url::Url;

use crate::edge::card::bare;

use forwarded::Told;
use parts::{Authority, Scheme};

pub use forwarded::Proxies;

/// The headers that decide when the operator does not, as caches want to know them.
const VARY_BY_PROXIES: HeaderValue = HeaderValue::from_static(
    "forwarded, host, x-forwarded-for, x-forwarded-host, x-forwarded-port, x-forwarded-prefix, x-forwarded-proto",
);
/// The same where no proxy is believed.
const VARY_BY_HOST: HeaderValue = HeaderValue::from_static("host");

/// How the gateway's public address is found.
#[derive(Clone, Debug)]
pub struct PublicUrl {
    /// What the operator says: without a slash at its end, and its path.
    fixed: Option<(String, String)>,
    proxies: Proxies,
    /// The address for requests that name none.
    fallback: String,
}

impl PublicUrl {
    /// An address that is `public_url` where the operator gives one, and else what `proxies` and clients say.
    /// `fallback` is the address listened on.
    pub fn new(public_url: Option<&Url>, proxies: Proxies, fallback: String) -> Self {
        let fixed = public_url.map(|url| {
            let base = bare(url.as_str()).to_owned();
            let path = Url::parse(&base).map(|url| url.path().trim_end_matches('/').to_owned());
            (base, path.unwrap_or_default())
        });
        Self { fixed, proxies, fallback }
    }

    /// The base URL for whoever sent a request with these headers, without a slash at its end. `peer` is who the
    /// connection is from, if that is known.
    pub fn base_url(&self, headers: &HeaderMap, uri: &Uri, peer: Option<IpAddr>) -> String {
        if let Some((base, _)) = &self.fixed {
            return base.clone();
        }
        let Told { scheme, authority, port, prefix } = self.told(headers, peer);
        let prefix = prefix.unwrap_or_default();
        let Some(mut authority) = authority.or_else(|| called(headers, uri)) else {
            return format!("{}{prefix}", self.fallback);
        };
        authority.port = authority.port.or(port);
        // Without TLS of its own the gateway is reached by plain HTTP unless a proxy says otherwise.
        format!("{}://{authority}{prefix}", scheme.unwrap_or(Scheme::Http))
    }

    /// The path of the base URL, empty for none: what a proxy may have left in front of the paths of requests.
    pub fn path(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Cow<'_, str> {
        match &self.fixed {
            Some((_, path)) => Cow::Borrowed(path),
            None => Cow::Owned(self.told(headers, peer).prefix.unwrap_or_default()),
        }
    }

    /// Whether some request's base URL may have a path.
    pub fn may_have_path(&self) -> bool {
        self.fixed.as_ref().map_or(!self.proxies.is_empty(), |(_, path)| !path.is_empty())
    }

    /// Which headers decide about the base URL (RFC 9110 §12.5.5).
    pub fn vary(&self) -> Option<HeaderValue> {
        match (&self.fixed, self.proxies.is_empty()) {
            (Some(_), _) => None,
            (None, true) => Some(VARY_BY_HOST),
            (None, false) => Some(VARY_BY_PROXIES),
        }
    }

    fn told(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Told {
        let is_trusted = peer.is_some_and(|peer| self.proxies.trust(peer));
        if is_trusted { self.proxies.told(headers) } else { Told::default() }
    }
}

/// Who the connection of a request is from.
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

/// The host that a request was sent to: of the URI, if it has one (RFC 9112 §3.2.2, RFC 9113 §8.3.1), else of the one
/// header `Host`.
fn called(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    if let Some(authority) = uri.authority() {
        return Authority::read(authority.as_str());
    }
    let mut named = headers.get_all(header::HOST).iter();
    let host = named.next().filter(|_| named.next().is_none())?;
    Authority::read(host.to_str().ok()?)
}

#[cfg(test)]
mod tests;
