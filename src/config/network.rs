//! The settings of where and how the gateway is reached: one configured value in, a type that cannot be wrong out.

use figment::value::Value;
use http::HeaderValue;
use url::{Host, Url};

use super::parse::{self, Wrong, shown};
use super::settings::Cors;
use super::table;
use crate::edge::binding::{Binding, Bindings};
use crate::egress::cidr::Cidr;

/// The bindings by the names that settings have for them.
const BINDINGS: [(&str, Binding); 3] =
    [("jsonrpc", Binding::JsonRpc), ("http", Binding::Http), ("grpc", Binding::Grpc)];

/// Bindings, the preferred one first.
pub(super) fn bindings(value: &Value) -> Result<Bindings, Wrong> {
    const ALLOWED: &str = "allowed: one or more of jsonrpc, http and grpc, the preferred one first, as a JSON list or with \
                           commas between them";
    let names = parse::list(value, ALLOWED)?;
    let mut listed = Vec::with_capacity(names.len());
    for name in &names {
        let named = BINDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        let Some((known, binding)) = named else {
            return Err(Wrong::new(format!("{} is not a binding", shown(name)), ALLOWED));
        };
        if listed.contains(binding) {
            return Err(Wrong::new(format!("{known} is named twice"), ALLOWED));
        }
        listed.push(*binding);
    }
    Bindings::new(listed).ok_or_else(|| Wrong::new("names no binding", ALLOWED))
}

/// Blocks of addresses.
pub(super) fn proxies(value: &Value) -> Result<Vec<Cidr>, Wrong> {
    const ALLOWED: &str = "allowed: addresses such as 10.1.2.3 and blocks such as 10.0.0.0/8, by their first address, as a \
                           JSON list or with commas between them";
    let block = |text: &String| {
        Cidr::parse(text.trim()).map_err(|problem| Wrong::new(format!("{} {problem}", shown(text)), ALLOWED))
    };
    parse::list(value, ALLOWED)?.iter().map(block).collect()
}

/// A port beside the main one, if that is known.
pub(super) fn grpc_port(value: &Value, main: Option<u16>) -> Result<u16, Wrong> {
    let port = parse::count(value, 0..=u16::MAX)?;
    if port != 0 && Some(port) == main {
        let mend = format!("leave it out to have gRPC on {} as well, or give another port", table::PORT.env);
        return Err(Wrong::new(format!("{port} is the port of {}", table::PORT.env), mend));
    }
    Ok(port)
}

/// `host:port`, without a scheme or a path.
pub(super) fn host_and_port(value: &Value) -> Result<String, Wrong> {
    const ALLOWED: &str =
        "allowed: host:port such as grpc.example.com:443 or [2001:db8::1]:443, without a scheme or a path";
    let text = parse::text(value)?;
    let wrong = || Wrong::new(format!("{} is not host:port", shown(&text)), ALLOWED);
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_port =
        port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0);
    let is_plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | ':' | '[' | ']');
    if !is_port || host.is_empty() || !host.chars().all(is_plain) || Host::parse(host).is_err() {
        return Err(wrong());
    }
    Ok(text)
}

/// Origins of web pages: all, none, or these.
pub(super) fn cors(value: &Value) -> Result<Cors, Wrong> {
    const ALLOWED: &str = "allowed: [\"*\"] (every origin), [] (CORS off), or origins such as \
                           [\"https://app.example.com\"], as a JSON list or with commas between them";
    let origins = parse::list(value, ALLOWED)?;
    if origins.iter().any(|origin| origin == "*") {
        return match origins.len() {
            1 => Ok(Cors::Any),
            _ => Err(Wrong::new("has \"*\" beside other origins", ALLOWED)),
        };
    }
    let only: Vec<HeaderValue> =
        origins.iter().map(|text| origin(text, ALLOWED)).collect::<Result<_, _>>()?;
    if only.is_empty() { Ok(Cors::Off) } else { Ok(Cors::Only(only)) }
}

fn origin(text: &str, allowed: &str) -> Result<HeaderValue, Wrong> {
    let wrong = || Wrong::new(format!("{} is not an origin (scheme://host[:port])", shown(text)), allowed);
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare = url.origin();
    let is_bare = bare.is_tuple() && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong());
    }
    HeaderValue::from_str(&bare.ascii_serialization()).map_err(|_| wrong())
}
