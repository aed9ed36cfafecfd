//! Settings of where and how the gateway is reached.

use super::tests::Place;
use super::*;
use crate::edge::binding::Binding::{Grpc, Http, JsonRpc};
use crate::edge::binding::{Binding, Bindings};
use crate::egress::cidr::Cidr;

fn server(name: &str, value: &str) -> Server {
    Place::with_key().env(name, value).settings().server
}

fn problem(name: &str, value: &str) -> String {
    Place::with_key().env(name, value).problem()
}

#[test]
fn by_default_every_binding_is_on_and_no_proxy_trusted() {
    let server = Place::with_key().settings().server;
    assert_eq!(server.bindings.iter().collect::<Vec<_>>(), [JsonRpc, Http, Grpc]);
    assert!(server.trusted_proxies.is_empty());
    assert_eq!((server.grpc_port, server.grpc_url), (None, None));
}

#[test]
fn bindings_come_in_the_order_of_preference() {
    let bindings = |listed: &[Binding]| Bindings::new(listed.to_vec()).unwrap();
    for (text, listed) in [
        ("grpc", &[Grpc][..]),
        ("http, jsonrpc", &[Http, JsonRpc]),
        (r#"["grpc","http","jsonrpc"]"#, &[Grpc, Http, JsonRpc]),
        ("JSONRPC", &[JsonRpc]),
    ] {
        assert_eq!(server("BINDINGS", text).bindings, bindings(listed), "{text}");
    }
    let toml = Place::with_key().file("gateway.toml", "[server]\nbindings = ['grpc', 'http']");
    assert_eq!(toml.settings().server.bindings, bindings(&[Grpc, Http]));
    for (text, fault) in [
        ("soap", "\"soap\" is not a binding"),
        ("jsonrpc,http+json", "\"http+json\" is not a binding"),
        ("http,grpc,http", "http is named twice"),
        ("[]", "names no binding"),
        ("jsonrpc,,http", "has an empty entry"),
        ("[1]", "is not a JSON list of strings"),
    ] {
        let told = problem("BINDINGS", text);
        assert!(told.starts_with("BINDINGS (server.bindings in TOML)") && told.contains(fault), "{told}");
        assert!(told.contains("allowed: one or more of jsonrpc, http and grpc"), "{told}");
    }
}

#[test]
fn trusted_proxies_are_addresses_and_blocks() {
    let blocks = |texts: &[&str]| texts.iter().map(|text| Cidr::parse(text).unwrap()).collect::<Vec<_>>();
    for (text, listed) in [
        ("10.0.0.0/8, ::1", &["10.0.0.0/8", "::1"][..]),
        (r#"["192.0.2.7"]"#, &["192.0.2.7/32"]),
        ("[]", &[]),
    ] {
        assert_eq!(server("TRUSTED_PROXIES", text).trusted_proxies, blocks(listed), "{text}");
    }
    for (text, fault) in [
        ("10.0.0.1/8", "\"10.0.0.1/8\" has an address with bits beyond its prefix"),
        ("proxy.example", "\"proxy.example\" has no IP address"),
        ("*", "\"*\" has no IP address"),
    ] {
        let told = problem("TRUSTED_PROXIES", text);
        assert!(told.contains(fault) && told.contains("allowed: addresses such as 10.1.2.3"), "{told}");
    }
}

#[test]
fn grpc_may_have_a_port_of_its_own_but_not_that_of_all() {
    assert_eq!(server("GRPC_PORT", "9090").grpc_port, Some(9090));
    assert_eq!(Place::with_key().env("PORT", "0").env("GRPC_PORT", "0").settings().server.grpc_port, Some(0));
    assert!(problem("GRPC_PORT", "8080").contains("8080 is the port of PORT"));
    assert!(
        Place::with_key().env("PORT", "7000").env("GRPC_PORT", "7000").problem().contains("leave it out")
    );
    assert!(problem("GRPC_PORT", "70000").contains("out of range"));
    // A wrong PORT is one problem, not two.
    assert!(Place::with_key().env("PORT", "x").env("GRPC_PORT", "7000").problem().starts_with("PORT"));
}

#[test]
fn the_address_of_grpc_is_a_host_and_a_port() {
    for good in ["grpc.example.com:443", "127.0.0.1:1", "[2001:db8::1]:9090", "localhost:65535"] {
        assert_eq!(server("GRPC_URL", good).grpc_url.as_deref(), Some(good));
    }
    for bad in [
        "grpc.example.com",
        "https://grpc.example.com:443",
        "grpc.example.com:443/x",
        "h:0",
        "h:65536",
        "h:+1",
        ":443",
        "2001:db8::1:443",
        "u@h:443",
        "a b:1",
        "h:1:2",
    ] {
        let told = problem("GRPC_URL", bad);
        assert!(told.contains("host:port") && told.contains("without a scheme"), "{bad}: {told}");
    }
}

#[test]
fn settings_of_a_binding_that_is_off_are_pointed_out() {
    let place = |bindings: &str| {
        Place::with_key()
            .env("BINDINGS", bindings)
            .env("GRPC_PORT", "9090")
            .env("GRPC_URL", "h:1")
            .load()
            .unwrap()
    };
    assert!(place("grpc,jsonrpc").warnings.is_empty());
    let warnings: Vec<String> = place("jsonrpc").warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].starts_with("GRPC_PORT") && warnings[0].contains("gRPC is not among BINDINGS"),
        "{warnings:?}"
    );
}
