//! Fetches against servers on this machine, names looked up in a script.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::gate::Gate;
use super::resolve::Resolve;
use super::testing::Script;
use super::*;

const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(20);
const PATIENT: Limits = Limits { connect: LATE, idle: LATE, total: LATE };

fn egress(allowed: &[&str], names: &[(&'static str, &[&[&str]])]) -> (Egress, Arc<Script>) {
    let entries: Vec<String> = allowed.iter().map(|&entry| entry.to_owned()).collect();
    let script = Script::of(names);
    let policy = EgressPolicy::parse(&entries).unwrap();
    (Egress::with_resolver(policy, PATIENT, script.clone()).unwrap(), script)
}

/// An egress that may go to the servers of these tests.
fn local(limits: Limits) -> Egress {
    Egress::new(EgressPolicy::parse(&["127.0.0.1".to_owned()]).unwrap(), limits).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

async fn whole(fetched: Fetched) -> Result<Vec<u8>, FetchError> {
    fetched
        .body
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

async fn serving(at: &str, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(&server).await;
    server
}

/// A server that reads one request and answers with these bytes; then it hangs, or hangs up.
async fn raw(answer: Vec<u8>, hangs: bool) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // The client may have gone already.
        let _ = stream.write_all(&answer).await;
        if hangs {
            std::future::pending::<()>().await;
        }
    });
    url(&format!("http://127.0.0.1:{port}/f.bin"))
}

#[tokio::test]
async fn what_is_public_and_what_is_not() {
    const NAMES: &[(&str, &[&[&str]])] = &[
        ("public.example", &[&["93.184.215.14", "2606:2800:21f:cb07::1"]]),
        ("public.example.", &[&["93.184.215.14"]]),
        ("private.example", &[&["10.0.0.7"]]),
        ("mixed.example", &[&["93.184.215.14", "10.0.0.7"]]),
        ("mixed6.example", &[&["93.184.215.14", "fd00::1"]]),
        ("half.example", &[&["93.184.215.14", "10.99.0.1"]]),
        ("listed.example", &[&["10.0.0.8", "93.184.215.14"]]),
        ("listed.example.", &[&["10.0.0.8"]]),
        ("listed-public.example", &[&["93.184.215.14"]]),
        ("a.below.example", &[&["fd00::1"]]),
        ("below.example", &[&["fd00::1"]]),
        ("localhost", &[&["127.0.0.1", "::1"]]),
        ("localhost.", &[&["127.0.0.1"]]),
        ("none.example", &[&[]]),
    ];
    let allowed = ["10.99.0.0/16", "listed.example", "listed-public.example", "*.below.example", "fd77::/16"];
    let (egress, _) = egress(&allowed, NAMES);
    for (text, found) in [
        ("https://public.example/x", Reach::Public),
        ("https://public.example:8443/x", Reach::Public),
        ("https://PUBLIC.example./x", Reach::Public),
        ("https://8.8.8.8/", Reach::Public),
        ("https://[2606:4700::1111]/", Reach::Public),
        ("http://listed-public.example/", Reach::Public),
        ("https://listed.example/", Reach::Allowed),
        ("http://listed.example.:8080/", Reach::Allowed),
        ("http://a.below.example/", Reach::Allowed),
        ("https://half.example/", Reach::Allowed),
        ("http://10.99.1.2:5001/", Reach::Allowed),
        ("http://[fd77::1]/", Reach::Allowed),
        ("http://[::ffff:10.99.1.2]/", Reach::Allowed),
    ] {
        assert_eq!(egress.classify(&url(text)).await, Ok(found), "{text}");
    }
    for (text, problem) in [
        ("https://private.example/", "private.example is not a public host"),
        ("https://mixed.example/", "mixed.example is not a public host"),
        ("https://mixed6.example/", "mixed6.example is not a public host"),
        ("https://below.example/", "below.example is not a public host"),
        ("https://localhost/", "localhost is not a public host"),
        ("https://LOCALHOST./", "localhost. is not a public host"),
        ("https://127.0.0.1/", "127.0.0.1 is not a public host"),
        // Other spellings of the same.
        ("https://127.1/", "127.0.0.1 is not a public host"),
        ("https://127.0.0.1./", "127.0.0.1 is not a public host"),
        ("https://0x7f.1/", "127.0.0.1 is not a public host"),
        ("https://0x7F000001/", "127.0.0.1 is not a public host"),
        ("https://2130706433/", "127.0.0.1 is not a public host"),
        ("https://0177.0.0.1/", "127.0.0.1 is not a public host"),
        ("https://127。0。0。1/", "127.0.0.1 is not a public host"),
        ("https://①②⑦.0.0.1/", "127.0.0.1 is not a public host"),
        ("https://%31%32%37.0.0.1/", "127.0.0.1 is not a public host"),
        ("https://0/", "0.0.0.0 is not a public host"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public host"),
        ("https://[::1]/", "[::1] is not a public host"),
        ("https://[0:0:0:0:0:0:0:1]/", "[::1] is not a public host"),
        ("https://[::]/", "[::] is not a public host"),
        ("https://[::ffff:127.0.0.1]/", "[::ffff:7f00:1] is not a public host"),
        ("https://[64:ff9b::7f00:1]/", "[64:ff9b::7f00:1] is not a public host"),
        ("https://[fd00:ec2::254]/", "[fd00:ec2::254] is not a public host"),
        // Plain http needs the operator's word, for every address.
        ("http://public.example/", "public.example is fetched over https only"),
        ("http://8.8.8.8/", "8.8.8.8 is fetched over https only"),
        ("http://half.example/", "half.example is fetched over https only"),
        ("http://127.0.0.1/", "127.0.0.1 is not a public host"),
        ("https://none.example/", "none.example cannot be found"),
        ("https://unknown.example/", "unknown.example cannot be found"),
        ("https://user@public.example/", "the address has a user or a password in it"),
        ("https://:secret@public.example/", "the address has a user or a password in it"),
        ("https://public.example:x@private.example/", "the address has a user or a password in it"),
        ("ftp://public.example/", "only http and https addresses are fetched"),
        ("file:///etc/passwd", "only http and https addresses are fetched"),
        ("data:text/plain,x", "only http and https addresses are fetched"),
        ("gopher://127.0.0.1:6379/_x", "only http and https addresses are fetched"),
    ] {
        let refused = egress.classify(&url(text)).await.expect_err(text);
        assert_eq!(refused.to_string(), problem, "{text}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_name_is_not_looked_up() {
    let (egress, script) = egress(&[], &[]);
    let long = format!("https://{}example/", "a.".repeat(200));
    let refused = egress.classify(&url(&long)).await.expect_err("too long");
    assert!(matches!(refused, Refused::NotFound { .. }), "{refused:?}");
    assert_eq!(script.asked(), 0);
}

#[tokio::test]
async fn the_real_localhost_is_refused() {
    let egress = Egress::new(EgressPolicy::default(), PATIENT).unwrap();
    let refused = egress.classify(&url("https://localhost/")).await.expect_err("refused");
    assert!(matches!(refused, Refused::Address { block: "loopback", .. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_comes_with_its_name_and_type() {
    let answer = ResponseTemplate::new(200)
        .set_body_raw("contents", "text/plain; charset=utf-8")
        .insert_header("content-disposition", "attachment; filename*=UTF-8''b%C3%BC.txt");
    let server = serving("/a/x", answer).await;
    let found = local(PATIENT).fetch(&url(&format!("{}/a/x?sign=1#top", server.uri())), 8).await.unwrap();
    assert_eq!(found.media_type.as_deref(), Some("text/plain"));
    assert_eq!(found.filename.as_deref(), Some("bü.txt"));
    assert_eq!(found.length, Some(8));
    assert_eq!(found.url.path(), "/a/x");
    assert_eq!(whole(found).await.unwrap(), b"contents");

    let requests = server.received_requests().await.unwrap();
    let names: Vec<&str> = requests[0].headers.keys().map(|name| name.as_str()).collect();
    for name in &names {
        assert!(["accept", "accept-encoding", "host", "user-agent"].contains(name), "{names:?}");
    }
    assert_eq!(requests[0].headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_its_connection_goes_where_it_was_judged() {
    let server = serving("/f", ResponseTemplate::new(200).set_body_string("x")).await;
    let port = server.address().port();
    // The second look-up would lead to a private host.
    let (egress, script) = egress(&["127.0.0.1"], &[("rebinding.example", &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let at = url(&format!("http://rebinding.example:{port}/f"));
    let found = egress.fetch(&at, 10).await.unwrap();
    assert_eq!(whole(found).await.unwrap(), b"x");
    assert_eq!(script.asked(), 1);
    assert_eq!(
        server.received_requests().await.unwrap()[0].headers["host"],
        *format!("rebinding.example:{port}")
    );

    let error = egress.fetch(&at, 10).await.expect_err("private now");
    assert!(matches!(error, FetchError::Refused(Refused::Address { .. })), "{error:?}");
    assert_eq!((script.asked(), server.received_requests().await.unwrap().len()), (2, 1));
}

#[tokio::test]
async fn a_name_with_a_public_and_a_private_address_is_refused_and_nothing_is_sent() {
    let server = serving("/f", ResponseTemplate::new(200)).await;
    let (egress, _) = egress(&[], &[("mixed.example", &[&["93.184.215.14", "127.0.0.1"]])]);
    for scheme in ["http", "https"] {
        let at = url(&format!("{scheme}://mixed.example:{}/f", server.address().port()));
        let error = egress.fetch(&at, 10).await.expect_err("refused");
        assert_eq!(error.to_string(), "mixed.example is not a public host");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_judged_like_the_first_address() {
    const NAMES: &[(&str, &[&[&str]])] = &[
        ("inside.example", &[&["10.0.0.1"]]),
        ("outside.example", &[&["93.184.215.14"]]),
        ("turning.example", &[&["127.0.0.1"], &["10.0.0.1"]]),
    ];
    for (to, problem) in [
        ("https://inside.example/", "inside.example is not a public host"),
        ("//169.254.169.254/latest", "169.254.169.254 is not a public host"),
        ("http://[::1]/", "[::1] is not a public host"),
        ("http://outside.example/", "outside.example is fetched over https only"),
        ("file:///etc/passwd", "only http and https addresses are fetched"),
        ("https://u:p@outside.example/", "the address has a user or a password in it"),
        ("/again", "turning.example is not a public host"),
        ("http://[broken", "the address redirects too often or to nowhere"),
    ] {
        let server = serving("/f", ResponseTemplate::new(302).insert_header("location", to)).await;
        let (egress, _) = egress(&["127.0.0.1"], NAMES);
        let at = url(&format!("http://turning.example:{}/f", server.address().port()));
        assert_eq!(egress.fetch(&at, 10).await.expect_err(to).to_string(), problem, "{to}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1, "{to}");
    }
}

#[tokio::test]
async fn four_redirects_are_followed_and_a_fifth_is_not() {
    let server = MockServer::start().await;
    for (status, hop) in [(301, 1), (302, 2), (303, 3), (307, 4), (308, 5)] {
        let to = ResponseTemplate::new(status).insert_header("location", format!("{}#part", hop - 1));
        Mock::given(path(format!("/f/{hop}"))).respond_with(to).mount(&server).await;
    }
    let last = ResponseTemplate::new(200).set_body_string("end");
    Mock::given(path("/f/0")).respond_with(last).mount(&server).await;
    let egress = local(PATIENT);
    let at = |hops: u8| url(&format!("{}/f/{hops}", server.uri()));
    let found = egress.fetch(&at(4), 10).await.unwrap();
    assert_eq!(found.url, at(0));
    assert_eq!(found.filename.as_deref(), Some("0"));
    assert_eq!(whole(found).await.unwrap(), b"end");
    let error = egress.fetch(&at(5), 10).await.expect_err("too many");
    assert!(matches!(error, FetchError::Redirects), "{error:?}");
}

#[tokio::test]
async fn only_the_trusted_origin_is_free_of_the_judgement_and_only_until_it_redirects() {
    let to = |location: &str| ResponseTemplate::new(302).insert_header("location", location);
    let server = serving("/away", to("https://inside.example/")).await;
    let file = ResponseTemplate::new(200).set_body_string("x");
    for (at, answer) in [("/files/1", file), ("/back", to("/files/1"))] {
        Mock::given(path(at)).respond_with(answer).mount(&server).await;
    }
    let port = server.address().port();
    let names: &[(&str, &[&[&str]])] =
        &[("dify", &[&["127.0.0.1"]]), ("dify.", &[&["127.0.0.1"]]), ("inside.example", &[&["10.0.0.1"]])];
    let (egress, _) = egress(&[], names);
    let trusted = url(&format!("http://dify:{port}/v1"));

    let at = url(&format!("http://dify:{port}/files/1"));
    let found = egress.fetch_trusted(&at, 10, &trusted).await.unwrap();
    assert_eq!(whole(found).await.unwrap(), b"x");
    let error = egress.fetch(&at, 10).await.expect_err("not trusted");
    assert_eq!(error.to_string(), "dify is not a public host");
    for (elsewhere, problem) in [
        (format!("http://127.0.0.1:{port}/files/1"), "127.0.0.1 is not a public host"),
        (format!("http://dify.:{port}/files/1"), "dify. is not a public host"),
        (format!("https://dify:{port}/files/1"), "dify is not a public host"),
        ("http://dify/files/1".to_owned(), "dify is not a public host"),
        (format!("http://dify:{port}/away"), "inside.example is not a public host"),
        (format!("http://dify:{port}/back"), "dify is not a public host"),
    ] {
        let error = egress.fetch_trusted(&url(&elsewhere), 10, &trusted).await.expect_err(&elsewhere);
        assert_eq!(error.to_string(), problem, "{elsewhere}");
    }
    let paths: Vec<String> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| request.url.path().to_owned())
        .collect();
    assert_eq!(paths, ["/files/1", "/away", "/back"], "nobody was led on");
    // A port that is not written is that of the scheme.
    let gate = Gate::new(EgressPolicy::default(), Script::of(names), LATE);
    let (plain, full) = (url("http://dify/x"), url("http://dify:80/v1"));
    assert!(gate.check(&plain, Some(&full)).await.is_ok());
}

#[path = "server_tests.rs"]
mod servers;
