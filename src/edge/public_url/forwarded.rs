//! What trusted proxies say of the request that reached the first of them: the header `Forwarded` (RFC 7239), or the
//! older `X-Forwarded-*`.
//!
//! Each proxy adds what it saw behind what it was sent, so only the end of such a list is known to be true: the last
//! entry is of the proxy that the connection is from, and it names whom that proxy was called by. If that is a trusted
//! proxy too, the entry before it is of that one, and so on. What stands before that was written by a client.

use std::net::{IpAddr, SocketAddr};

use http::header::AsHeaderName;
use http::{HeaderMap, header};

use super::parts::{Authority, Scheme, path, port};
use crate::egress::cidr::Cidr;

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Cidr>);

/// Where a client came in, as far as trusted proxies say.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    /// How it connected.
    pub(super) scheme: Option<Scheme>,
    /// What it called.
    pub(super) authority: Option<Authority>,
    /// The port that it called, for an authority without one.
    pub(super) port: Option<u16>,
    /// What proxies took off the front of the path.
    pub(super) prefix: Option<String>,
}

impl Proxies {
    /// Those whose addresses are in these blocks.
    pub fn new(blocks: Vec<Cidr>) -> Self {
        Self(blocks)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a connection from there is from one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(address))
    }

    /// What they say, given that the connection is from one of them. Where there is a `Forwarded`, the older headers do
    /// not count: a proxy that writes the one may pass on the others from anybody.
    pub(super) fn told(&self, headers: &HeaderMap) -> Told {
        if headers.contains_key(header::FORWARDED) {
            self.forwarded(headers)
        } else {
            self.x_forwarded(headers)
        }
    }

    /// Of each thing the outermost trusted word. An entry that cannot be read ends the walk.
    fn forwarded(&self, headers: &HeaderMap) -> Told {
        let mut told = Told::default();
        for line in headers.get_all(header::FORWARDED).iter().rev() {
            let Some(elements) = line.to_str().ok().and_then(elements) else { break };
            for element in elements.iter().rev() {
                told.scheme = element.proto.as_deref().and_then(Scheme::read).or(told.scheme);
                told.authority = element.host.as_deref().and_then(Authority::read).or(told.authority);
                let caller = element.caller.as_deref().and_then(node);
                if !caller.is_some_and(|caller| self.trust(caller)) {
                    return told;
                }
            }
        }
        told
    }

    /// The entries of each list that belong to trusted proxies, of which `X-Forwarded-For` tells how many there are. A
    /// list may be shorter than that: not every proxy adds to each.
    fn x_forwarded(&self, headers: &HeaderMap) -> Told {
        let callers = list(headers, "x-forwarded-for");
        let trusted = |caller: &&&str| node(caller).is_some_and(|caller| self.trust(caller));
        let hops = 1 + callers.iter().rev().take_while(trusted).count();
        let of_proxies = |name| {
            let mut list = list(headers, name);
            list.split_off(list.len().saturating_sub(hops))
        };
        let first = |name| of_proxies(name).first().copied();
        // 80 and 443 need no saying where they are right, and are often the port of a proxy further in where not.
        let port = first("x-forwarded-port").and_then(port).filter(|port| !matches!(port, 80 | 443));
        let prefix: Option<Vec<&str>> = of_proxies("x-forwarded-prefix").into_iter().map(path).collect();
        Told {
            scheme: first("x-forwarded-proto").and_then(Scheme::read),
            authority: first("x-forwarded-host").and_then(Authority::read),
            port,
            prefix: prefix.map(|paths| paths.concat()),
        }
    }
}

/// The entries of a list that may come in several lines. A line that is no text is one entry that fits nothing.
fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<&str> {
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// One proxy's entry in `Forwarded`.
#[derive(Debug, Default, Eq, PartialEq)]
struct Element {
    /// `for`: whom the proxy was called by.
    caller: Option<String>,
    /// `host`: what was called.
    host: Option<String>,
    /// `proto`: how.
    proto: Option<String>,
}

/// Reads a line of `Forwarded`; `None` for what RFC 7239 §4 does not allow.
fn elements(line: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut element = Element::default();
    let mut rest = blank(line);
    loop {
        if rest.is_empty() {
            elements.push(element);
            // Lists may have entries that say nothing (RFC 9110 §5.6.1.2).
            elements.retain(|element| *element != Element::default());
            return Some(elements);
        }
        if let Some(after) = rest.strip_prefix(',') {
            elements.push(std::mem::take(&mut element));
            rest = blank(after);
            continue;
        }
        if let Some(after) = rest.strip_prefix(';') {
            rest = blank(after);
            continue;
        }
        let (name, after) = rest.split_once('=').filter(|(name, _)| is_token(name))?;
        let (value, after) = value(after)?;
        let ignored = &mut None;
        let place = match name.to_ascii_lowercase().as_str() {
            "for" => &mut element.caller,
            "host" => &mut element.host,
            "proto" => &mut element.proto,
            _ => ignored,
        };
        if place.replace(value).is_some() {
            return None;
        }
        rest = blank(after);
        if !rest.is_empty() && !rest.starts_with([',', ';']) {
            return None;
        }
    }
}

/// The text without blanks at its beginning.
fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The value that a text begins with, a token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        return is_token(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => return Some((value, letters.as_str())),
            '\\' => value.push(letters.next()?),
            letter => value.push(letter),
        }
    }
}

/// A token (RFC 9110 §5.6.2), and what careless proxies write without the quotes it needs: hosts with a port, IPv6.
fn is_token(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(is_letter)
}

/// The address of a node (RFC 7239 §6), maybe with a port. Names that are meant to hide one have none.
fn node(text: &str) -> Option<IpAddr> {
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let bracketed = || text.strip_prefix('[')?.split_once(']')?.0.parse().ok().map(IpAddr::V6);
    let hidden_port = || text.split_once(":_")?.0.parse().ok();
    text.parse().ok().or_else(with_port).or_else(bracketed).or_else(hidden_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<Vec<[Option<String>; 3]>> {
        let elements = elements(line)?.into_iter();
        Some(elements.map(|it| [it.caller, it.host, it.proto]).collect())
    }

    fn one(caller: &str, host: &str, proto: &str) -> [Option<String>; 3] {
        [caller, host, proto].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    #[test]
    fn elements_are_read_as_they_are_written() {
        for (line, read) in [
            ("", vec![]),
            (" , ;, ", vec![]),
            ("for=192.0.2.1", vec![one("192.0.2.1", "", "")]),
            (
                "FOR=192.0.2.1;Proto=HTTPS;by=203.0.113.4;Host=a.example",
                vec![one("192.0.2.1", "a.example", "HTTPS")],
            ),
            (
                r#"for="[2001:db8::1]:47" ; host="a.example:1""#,
                vec![one("[2001:db8::1]:47", "a.example:1", "")],
            ),
            (
                r#"for=_a, for="a,b;c=\"d\\",host=x"#,
                vec![one("_a", "", ""), one(r#"a,b;c="d\"#, "", ""), one("", "x", "")],
            ),
            ("host=a.example:8443;secret=;", vec![]),
        ] {
            let expected = if line.contains("secret=;") { None } else { Some(read) };
            assert_eq!(said(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_list_of_elements_is_none() {
        for bad in [
            "for",
            "=x",
            "for=",
            "for=a b",
            "for=a;for=b",
            "host=\"a",
            "host=\"a\\",
            "host=\"a\"b",
            "ho st=a",
            "host=a/b",
            "host=\"a\"host=b",
            "host=ä",
        ] {
            assert_eq!(said(bad), None, "{bad}");
        }
    }

    #[test]
    fn nodes_are_addresses_or_hidden() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("192.0.2.1:_x", "192.0.2.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]:_x", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(node(text), address.parse().ok(), "{text}");
        }
        for hidden in ["unknown", "_hidden", "", "a.example", "[x]", "192.0.2"] {
            assert_eq!(node(hidden), None, "{hidden}");
        }
    }
}
