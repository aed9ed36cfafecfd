use http::HeaderName;
use proptest::prelude::*;

use super::*;
use crate::egress::cidr::Cidr;

const FALLBACK: &str = "http://0.0.0.0:8080";

/// 10.0.0.0/8 and fd00::/8 are trusted.
fn found_out() -> PublicUrl {
    let blocks = ["10.0.0.0/8", "fd00::/8"].map(|block| Cidr::parse(block).unwrap());
    PublicUrl::new(None, Proxies::new(blocks.to_vec()), FALLBACK.to_owned())
}

fn map(headers: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn base_from(peer: &str, headers: &[(&str, &str)]) -> String {
    found_out().base_url(&map(headers), &Uri::from_static("/a2a"), peer.parse().ok())
}

/// As a trusted proxy passes a request on.
fn base(headers: &[(&str, &str)]) -> String {
    base_from("10.0.0.1", headers)
}

#[test]
fn n10_the_address_is_the_public_one_or_the_one_asked_for() {
    for (host, expected) in [
        ("example.com:8080", "http://example.com:8080"),
        ("Example.com", "http://example.com"),
        ("[::1]:80", "http://[::1]:80"),
        ("user:pass@example.com", FALLBACK),
        ("evil\"host", FALLBACK),
        ("a b", FALLBACK),
        ("x/y", FALLBACK),
        ("", FALLBACK),
    ] {
        assert_eq!(base_from("192.0.2.1", &[("host", host)]), expected, "{host}");
    }
    assert_eq!(base_from("192.0.2.1", &[]), FALLBACK);
    assert_eq!(base_from("192.0.2.1", &[("host", "a.example"), ("host", "b.example")]), FALLBACK);
    for (given, expected) in [
        ("https://a.example/x/", "https://a.example/x"),
        ("https://a.example", "https://a.example"),
        ("https://a.example/x/a2a", "https://a.example/x"),
    ] {
        let fixed =
            PublicUrl::new(Some(&Url::parse(given).unwrap()), Proxies::default(), FALLBACK.to_owned());
        let told = map(&[("host", "evil"), ("forwarded", "host=evil"), ("x-forwarded-prefix", "/evil")]);
        assert_eq!(fixed.base_url(&told, &Uri::from_static("/"), "10.0.0.1".parse().ok()), expected);
        assert_eq!(
            fixed.path(&told, "10.0.0.1".parse().ok()),
            expected.strip_prefix("https://a.example").unwrap()
        );
    }
}

#[test]
fn the_authority_of_the_uri_goes_before_the_header() {
    let url = found_out();
    let uri = Uri::from_static("https://real.example:8443/a2a");
    assert_eq!(url.base_url(&map(&[("host", "other.example")]), &uri, None), "http://real.example:8443");
    assert_eq!(url.base_url(&map(&[]), &Uri::from_static("http://u@h/"), None), FALLBACK);
}

#[test]
fn n10_a_proxy_says_where_its_client_came_in() {
    for (forwarded, expected) in [
        ("for=192.0.2.1;proto=https;host=a.example", "https://a.example"),
        ("For=\"[2001:db8::1]:4711\";Proto=HTTPS;Host=\"a.example:8443\"", "https://a.example:8443"),
        ("proto=https", "https://inner:8080"),
        ("host=a.example", "http://a.example"),
        // What it says of a host may be what its client said.
        ("proto=https;host=\"evil/\\\"x\"", "https://inner:8080"),
        ("proto=javascript;host=a.example", "http://a.example"),
        ("host=a.example;host=b.example", "http://inner:8080"),
        ("proto=https;host=\"a.example", "http://inner:8080"),
    ] {
        assert_eq!(base(&[("host", "inner:8080"), ("forwarded", forwarded)]), expected, "{forwarded}");
    }
}

#[test]
fn the_entry_of_the_outermost_trusted_proxy_counts() {
    for (lines, expected) in [
        // One proxy: what stands before its entry was written by the client.
        (vec!["for=10.9.9.9;host=evil;proto=https, for=192.0.2.1;host=a.example"], "http://a.example"),
        // The same in lines of their own.
        (vec!["for=10.9.9.9;host=evil", "for=192.0.2.1;host=a.example;proto=https"], "https://a.example"),
        // Two proxies, the inner one called by the outer one.
        (
            vec!["host=evil, for=192.0.2.1;host=a.example;proto=https, for=10.0.0.2;host=inner"],
            "https://a.example",
        ),
        (
            vec!["for=192.0.2.1;host=a.example", "for=\"[fd00::2]:1\";host=inner;proto=https"],
            "https://a.example",
        ),
        // Who hides their address is not trusted.
        (vec!["host=evil", "for=_proxy;host=a.example"], "http://a.example"),
        (vec!["host=evil, for=unknown;host=a.example, for=10.0.0.2"], "http://a.example"),
        (vec!["host=evil", "host=a.example"], "http://a.example"),
        // Everything within: the outermost is as far as it goes.
        (vec!["for=10.0.0.3;host=a.example, for=10.0.0.2;host=inner"], "http://a.example"),
        // An entry that cannot be read ends the walk.
        (vec!["host=evil", "host=\"", "for=10.0.0.2;host=inner"], "http://inner"),
    ] {
        let mut headers = vec![("host", "gateway:8080")];
        headers.extend(lines.iter().map(|line| ("forwarded", *line)));
        assert_eq!(base(&headers), expected, "{lines:?}");
    }
}

#[test]
fn n10_the_older_headers_say_the_same() {
    let host = ("host", "inner:8080");
    for (headers, expected) in [
        (vec![("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example")], "https://a.example"),
        (vec![("x-forwarded-proto", "https")], "https://inner:8080"),
        (vec![("x-forwarded-host", "a.example"), ("x-forwarded-port", "8443")], "http://a.example:8443"),
        (vec![("x-forwarded-host", "a.example:1"), ("x-forwarded-port", "2")], "http://a.example:1"),
        (
            vec![
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example"),
                ("x-forwarded-port", "443"),
            ],
            "https://a.example",
        ),
        // The port of a proxy further in, behind the one that ends TLS.
        (
            vec![
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example"),
                ("x-forwarded-port", "80"),
            ],
            "https://a.example",
        ),
        (vec![("x-forwarded-prefix", "/agents/a/")], "http://inner:8080/agents/a"),
        (vec![("x-forwarded-prefix", "//evil.example")], "http://inner:8080"),
        (vec![("x-forwarded-prefix", "/a/../..")], "http://inner:8080"),
        (vec![("x-forwarded-host", "evil\"x"), ("x-forwarded-port", "x")], "http://inner:8080"),
        // Two trusted proxies, each of which took a piece off the path; a client wrote the rest.
        (
            vec![
                ("x-forwarded-for", "10.7.7.7, 192.0.2.1, 10.0.0.2"),
                ("x-forwarded-host", "evil, a.example, inner"),
                ("x-forwarded-proto", "ws,https,http"),
                ("x-forwarded-prefix", "/evil"),
                ("x-forwarded-prefix", "/agents"),
                ("x-forwarded-prefix", "/a"),
            ],
            "https://a.example/agents/a",
        ),
        // One that adds to the list of callers only.
        (
            vec![("x-forwarded-for", "192.0.2.1, 10.0.0.2"), ("x-forwarded-host", "a.example")],
            "http://a.example",
        ),
        // A client's list is longer than that of the one trusted proxy.
        (
            vec![("x-forwarded-for", "10.0.0.2, 192.0.2.1"), ("x-forwarded-host", "evil, a.example")],
            "http://a.example",
        ),
        // `Forwarded` is the only one that counts where it is there, even if it says nothing.
        (vec![("forwarded", "for=192.0.2.1"), ("x-forwarded-host", "evil")], "http://inner:8080"),
        (vec![("forwarded", "host=\""), ("x-forwarded-prefix", "/evil")], "http://inner:8080"),
    ] {
        let mut all = vec![host];
        all.extend(&headers);
        assert_eq!(base(&all), expected, "{headers:?}");
    }
}

#[test]
fn a_request_without_a_host_gets_the_address_listened_on() {
    assert_eq!(base(&[("x-forwarded-prefix", "/a")]), format!("{FALLBACK}/a"));
}

#[test]
fn paths_are_looked_for_only_where_there_may_be_one() {
    let fixed =
        |url: &str| PublicUrl::new(Some(&Url::parse(url).unwrap()), Proxies::default(), FALLBACK.to_owned());
    assert!(found_out().may_have_path() && fixed("https://a.example/x").may_have_path());
    assert!(!fixed("https://a.example/").may_have_path() && !fixed("https://a.example/a2a").may_have_path());
    assert!(!PublicUrl::new(None, Proxies::default(), FALLBACK.to_owned()).may_have_path());
    let told = map(&[("x-forwarded-prefix", "/a/b")]);
    assert_eq!(found_out().path(&told, "10.0.0.1".parse().ok()), "/a/b");
    for stranger in ["192.0.2.1".parse().ok(), None] {
        assert_eq!(found_out().path(&told, stranger), "");
    }
}

#[test]
fn caches_are_told_what_decides() {
    let fixed =
        PublicUrl::new(Some(&Url::parse("https://a.example").unwrap()), Proxies::default(), String::new());
    assert_eq!(fixed.vary(), None);
    assert_eq!(PublicUrl::new(None, Proxies::default(), String::new()).vary(), Some(VARY_BY_HOST));
    let told = VARY_BY_PROXIES;
    let decide = told.to_str().unwrap().split(", ").collect::<Vec<_>>();
    assert_eq!(found_out().vary(), Some(VARY_BY_PROXIES));
    for name in FORWARDING.iter().chain(&["host"]) {
        assert!(decide.contains(name), "{name}");
    }
}

/// Every header that a proxy can say something in.
const FORWARDING: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
];

/// Headers of anybody: some garbage, some nearly right.
fn anything() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let value = prop_oneof![
        "[ -~]{0,40}",
        r#"(for|host|proto|by)=("?[a-z0-9.:\[\]/@\\]{0,12}"?)([;,] ?(for|host|proto)="?[a-z0-9.:/]{0,12}"?){0,3}"#,
        r"[a-z0-9.:/@%-]{0,20}(, ?[a-z0-9.:/@%-]{0,20}){0,2}",
    ];
    let name = prop::sample::select(FORWARDING.iter().copied().chain(["host"]).collect::<Vec<_>>());
    prop::collection::vec((name, value), 0..8)
}

fn of(headers: &[(&'static str, String)]) -> HeaderMap {
    map(&headers.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
}

proptest! {
    /// Whatever is said, and by whom: an absolute address of a host, with a plain path at most.
    #[test]
    fn n10_an_address_is_one_whatever_the_headers_say(headers in anything(), is_trusted: bool) {
        let peer = if is_trusted { "10.0.0.1" } else { "192.0.2.1" };
        let base = found_out().base_url(&of(&headers), &Uri::from_static("/"), peer.parse().ok());
        let url = Url::parse(&base).unwrap();
        prop_assert!(matches!(url.scheme(), "http" | "https") && url.host().is_some());
        prop_assert!(url.username().is_empty() && url.password().is_none());
        prop_assert!(url.query().is_none() && url.fragment().is_none());
        // What readers make of it is what is written: nothing was escaped, resolved or left out, but for usual ports.
        let whole = url.as_str().trim_end_matches('/');
        let usual = base.replacen(":443", "", 1).replacen(":80", "", 1);
        prop_assert!(whole == base || whole == usual || url.host_str().is_some_and(|host| host.starts_with('[')), "{base} {url}");
        prop_assert!(!base.ends_with('/') && !url.path().contains("//"));
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}%@".contains(&byte);
        prop_assert!(base.bytes().all(is_plain));
    }

    /// Strangers say nothing by these headers, and neither does anybody if nobody is trusted.
    #[test]
    fn n10_only_trusted_proxies_are_believed(headers in anything(), host in "[a-z]{1,8}(:[1-9][0-9]{1,3})?") {
        let mut headers: Vec<_> = headers.into_iter().filter(|(name, _)| *name != "host").collect();
        headers.push(("host", host.clone()));
        let uri = Uri::from_static("/");
        let expected = format!("http://{host}");
        for peer in ["192.0.2.1".parse().ok(), "fe80::1".parse().ok(), None] {
            prop_assert_eq!(found_out().base_url(&of(&headers), &uri, peer), expected.clone());
        }
        let nobody = PublicUrl::new(None, Proxies::default(), FALLBACK.to_owned());
        prop_assert_eq!(nobody.base_url(&of(&headers), &uri, "10.0.0.1".parse().ok()), expected);
    }

    /// Behind any number of trusted proxies the word of the outermost one counts, whatever a client wrote before it.
    #[test]
    fn n10_a_client_cannot_speak_for_the_proxies(
        forged in prop::collection::vec((0_u8..255, "[a-z]{1,6}"), 0..4),
        inner in prop::collection::vec(2_u8..255, 0..4),
        in_lines: bool,
        older: bool,
    ) {
        // Each proxy tells whom it was called by: the outermost one a client, every other one its neighbour.
        let mut callers = vec!["192.0.2.1".to_owned()];
        callers.extend(inner.iter().map(|last| format!("10.0.0.{last}")));
        let mut elements: Vec<(String, String, &str)> =
            forged.iter().map(|(last, host)| (format!("10.0.9.{last}"), host.clone(), "http")).collect();
        for (index, caller) in callers.iter().enumerate() {
            let host = if index == 0 { "real.example:8443".to_owned() } else { format!("inner-{index}") };
            elements.push((caller.clone(), host, if index == 0 { "https" } else { "http" }));
        }
        let lines = |name: &'static str, values: Vec<String>| -> Vec<(&'static str, String)> {
            if in_lines { values.into_iter().map(|value| (name, value)).collect() } else { vec![(name, values.join(", "))] }
        };
        let mut headers = vec![("host", "gateway:8080".to_owned())];
        if older {
            headers.extend(lines("x-forwarded-for", elements.iter().map(|it| it.0.clone()).collect()));
            headers.extend(lines("x-forwarded-host", elements.iter().map(|it| it.1.clone()).collect()));
            headers.extend(lines("x-forwarded-proto", elements.iter().map(|it| it.2.to_owned()).collect()));
        } else {
            let element = |(caller, host, proto): &(String, String, &str)| format!("for={caller};host=\"{host}\";proto={proto}");
            headers.extend(lines("forwarded", elements.iter().map(element).collect()));
        }
        let base = found_out().base_url(&of(&headers), &Uri::from_static("/"), "10.0.0.1".parse().ok());
        prop_assert_eq!(base, "https://real.example:8443");
    }
}
