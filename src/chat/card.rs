//! Whom the chat talks to: takes an Agent Card of A2A 1.0, 0.3 or both, gives the interface to use.

use serde_json::{Value, json};
use url::Url;

use super::wire::{Dialect, Outgoing, str_of};

/// An agent, as its card describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Agent {
    /// Its name.
    pub(super) name: String,
    /// What it does.
    pub(super) description: String,
    /// Where its JSON-RPC lives.
    pub(super) endpoint: Url,
    /// How it is spoken to.
    pub(super) dialect: Dialect,
    /// The tenant that the interface wants in every request.
    pub(super) tenant: Option<String>,
    /// Whether it can stream.
    pub(super) streaming: bool,
    /// What carries the dialect.
    pub(super) binding: Binding,
}

/// What carries requests to an agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Binding {
    /// HTTP+JSON, below the endpoint.
    Http,
    /// JSON-RPC, at the endpoint.
    Rpc,
}

impl Agent {
    /// Reads a card and picks the interface: JSON-RPC of 1.0, else HTTP+JSON of 1.0, else JSON-RPC of 0.3. `base` is
    /// where the card came from.
    /// Gives what the card offers instead if there is no such interface.
    pub(super) fn from_card(card: &Value, base: &Url) -> Result<Self, String> {
        let offers = offers(card);
        let find = |binding: Binding, dialect: Dialect| {
            let mut fitting = offers.iter().filter(|offer| offer.dialect() == Some(dialect));
            fitting.find(|offer| offer.binding == binding.name()).map(|offer| (binding, offer))
        };
        let listed = || {
            let names = offers.iter().map(|offer| format!("{} {}", offer.binding, offer.version));
            let mut names: Vec<String> = names.collect();
            names.dedup();
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        };
        let found = find(Binding::Rpc, Dialect::V1).or_else(|| find(Binding::Http, Dialect::V1));
        let found = found.or_else(|| find(Binding::Rpc, Dialect::V03));
        let (binding, offer) = found.ok_or_else(listed)?;
        let endpoint = base.join(offer.url).map_err(|_| listed())?;
        let text = |name: &str| card.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            name: text("name"),
            description: text("description"),
            endpoint,
            dialect: offer.dialect().unwrap_or(Dialect::V1),
            tenant: offer.tenant.map(str::to_owned),
            streaming: card.pointer("/capabilities/streaming").and_then(Value::as_bool).unwrap_or(false),
            binding,
        })
    }

    /// Parameters of a send or a stream.
    pub(super) fn send_params(&self, message: &Outgoing) -> Value {
        self.with_tenant(json!({ "message": self.dialect.message(message) }))
    }

    /// Parameters of a cancel or a subscription.
    pub(super) fn task_params(&self, task_id: &str) -> Value {
        self.with_tenant(json!({ "id": task_id }))
    }

    fn with_tenant(&self, mut params: Value) -> Value {
        if let (Some(tenant), Some(params)) = (&self.tenant, params.as_object_mut()) {
            params.insert("tenant".to_owned(), Value::from(tenant.as_str()));
        }
        params
    }
}

impl Binding {
    /// Its name in cards.
    fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP+JSON",
            Self::Rpc => "JSONRPC",
        }
    }
}

/// One interface of a card.
struct Offer<'a> {
    binding: &'a str,
    version: &'a str,
    url: &'a str,
    tenant: Option<&'a str>,
}

impl Offer<'_> {
    fn dialect(&self) -> Option<Dialect> {
        match self.version.split('.').collect::<Vec<_>>().as_slice() {
            ["1", ..] => Some(Dialect::V1),
            ["0", "2" | "3", ..] => Some(Dialect::V03),
            _ => None,
        }
    }
}

/// All interfaces of a card, of either version, in its order.
fn offers(card: &Value) -> Vec<Offer<'_>> {
    let list = |name: &str| card.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut offers: Vec<Offer<'_>> = list("supportedInterfaces")
        .filter_map(|interface| {
            Some(Offer {
                binding: str_of(interface, "protocolBinding")?,
                version: str_of(interface, "protocolVersion").unwrap_or("1.0"),
                url: str_of(interface, "url")?,
                tenant: str_of(interface, "tenant").filter(|tenant| !tenant.is_empty()),
            })
        })
        .collect();
    let version = str_of(card, "protocolVersion").unwrap_or("0.3");
    let main = str_of(card, "url").map(|url| (str_of(card, "preferredTransport").unwrap_or("JSONRPC"), url));
    let more = list("additionalInterfaces")
        .filter_map(|interface| Some((str_of(interface, "transport")?, str_of(interface, "url")?)));
    offers.extend(main.into_iter().chain(more).map(|(binding, url)| Offer {
        binding,
        version,
        url,
        tenant: None,
    }));
    offers
}
