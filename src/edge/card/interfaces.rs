//! Where each binding is: what a gateway offers and its base URL in, the addresses that the card gives out.

use url::{Position, Url};

use crate::edge::binding::{Binding, Bindings};

/// Where the JSON-RPC binding is, below the base URL.
pub const RPC_PATH: &str = "/a2a";

/// What a gateway offers, as far as it decides what the card says of interfaces.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// The bindings that are on.
    pub bindings: Bindings,
    /// The port that gRPC has for itself.
    pub grpc_port: Option<u16>,
    /// Where clients find gRPC, `host:port`, if that does not follow from the base URL.
    pub grpc_url: Option<String>,
}

impl Offer {
    /// The bindings and their addresses, in order of preference. No two have the same one (A2A 0.3 §5.6.4).
    ///
    /// HTTP+JSON is at the base itself: its clients append paths, those of 0.3 with `/v1` at the front. gRPC has no
    /// paths, so its address is a host and a port without a scheme.
    pub(super) fn interfaces(&self, base_url: &str) -> Vec<(Binding, String)> {
        let base = bare(base_url);
        let address = |binding: Binding| match binding {
            Binding::Grpc => self.grpc_target(base),
            Binding::Http => Some(base.to_owned()),
            Binding::JsonRpc => Some(format!("{base}{RPC_PATH}")),
        };
        self.bindings.iter().filter_map(|binding| Some((binding, address(binding)?))).collect()
    }

    /// The host of the base URL, with the port that gRPC has for itself, or that of the URL or its scheme.
    fn grpc_target(&self, base: &str) -> Option<String> {
        if let Some(target) = &self.grpc_url {
            return Some(target.clone());
        }
        let url = Url::parse(base).ok()?;
        let host = &url[Position::BeforeHost..Position::AfterHost];
        let port = self.grpc_port.or_else(|| url.port_or_known_default())?;
        Some(format!("{host}:{port}"))
    }
}

/// The base URL without a slash at its end, and without the path of the JSON-RPC binding: people copy the address out
/// of a card as often as they give the base.
pub fn bare(base_url: &str) -> &str {
    let url = base_url.trim_end_matches('/');
    url.strip_suffix(RPC_PATH).map_or(url, |base| base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offer: &Offer, base: &str) -> Vec<String> {
        offer.interfaces(base).into_iter().map(|(binding, url)| format!("{} {url}", binding.name())).collect()
    }

    fn grpc(offer: &Offer, base: &str) -> String {
        at(&Offer { bindings: Bindings::new(vec![Binding::Grpc]).unwrap(), ..offer.clone() }, base).remove(0)
    }

    #[test]
    fn c03_c05_each_binding_has_an_address_of_its_own_in_the_order_of_preference() {
        assert_eq!(
            at(&Offer::default(), "https://a.example/x"),
            ["JSONRPC https://a.example/x/a2a", "HTTP+JSON https://a.example/x", "GRPC a.example:443"]
        );
        let bindings = Bindings::new(vec![Binding::Grpc, Binding::JsonRpc]).unwrap();
        assert_eq!(
            at(&Offer { bindings, ..Offer::default() }, "http://h:8080"),
            ["GRPC h:8080", "JSONRPC http://h:8080/a2a"]
        );
    }

    #[test]
    fn c03_grpc_is_at_a_host_and_a_port() {
        let same_port = Offer::default();
        let own_port = Offer { grpc_port: Some(9090), ..Offer::default() };
        let elsewhere = Offer { grpc_url: Some("grpc.example:7443".to_owned()), ..own_port.clone() };
        for (base, same, own) in [
            ("https://a.example", "a.example:443", "a.example:9090"),
            ("http://a.example/x/y", "a.example:80", "a.example:9090"),
            ("https://a.example:8443/x", "a.example:8443", "a.example:9090"),
            ("http://[::1]:8080", "[::1]:8080", "[::1]:9090"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:9090"),
        ] {
            assert_eq!(grpc(&same_port, base), format!("GRPC {same}"), "{base}");
            assert_eq!(grpc(&own_port, base), format!("GRPC {own}"), "{base}");
            assert_eq!(grpc(&elsewhere, base), "GRPC grpc.example:7443", "{base}");
        }
    }
}
