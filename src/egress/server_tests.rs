//! Servers that give too much, nothing, or something else than a file.

use super::*;

#[tokio::test]
async fn a_size_that_is_told_is_believed_when_too_large() {
    let server = serving("/f", ResponseTemplate::new(200).set_body_string("12345")).await;
    let at = url(&format!("{}/f", server.uri()));
    let error = local(PATIENT).fetch(&at, 4).await.expect_err("too large");
    assert!(matches!(error, FetchError::TooLarge { limit: 4 }), "{error:?}");
    assert_eq!(whole(local(PATIENT).fetch(&at, 5).await.unwrap()).await.unwrap(), b"12345");
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_cut() {
    let chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n";
    let at = raw(chunks.to_vec(), true).await;
    let mut found = local(PATIENT).fetch(&at, 7).await.unwrap();
    assert_eq!(found.length, None);
    let mut all = Vec::new();
    let error = loop {
        match found.body.next().await.expect("an error before the end") {
            Ok(chunk) => all.extend_from_slice(&chunk),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FetchError::TooLarge { limit: 7 }), "{error:?}");
    assert!(all.len() <= 7, "{all:?}");
    assert!(found.body.next().await.is_none());

    let at = raw(chunks.to_vec(), false).await;
    assert_eq!(whole(local(PATIENT).fetch(&at, 8).await.unwrap()).await.unwrap(), b"12345678");
}

#[tokio::test]
async fn answers_that_are_no_file_are_told() {
    for status in [204, 206, 304, 400, 401, 404, 500] {
        let server = serving("/f", ResponseTemplate::new(status)).await;
        let error = local(PATIENT).fetch(&url(&format!("{}/f", server.uri())), 10).await.expect_err("status");
        assert!(matches!(error, FetchError::Status(told) if told == status), "{error:?}");
    }
    let server = serving("/f", ResponseTemplate::new(200).insert_header("content-encoding", "gzip")).await;
    let error = local(PATIENT).fetch(&url(&format!("{}/f", server.uri())), 10).await.expect_err("packed");
    assert!(matches!(error, FetchError::Encoded), "{error:?}");
    let server = serving("/f", ResponseTemplate::new(302)).await;
    let error = local(PATIENT).fetch(&url(&format!("{}/f", server.uri())), 10).await.expect_err("nowhere");
    assert!(matches!(error, FetchError::Redirects), "{error:?}");
}

#[tokio::test]
async fn servers_that_fail_are_told_from_those_that_are_slow() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = local(PATIENT).fetch(&url(&format!("http://{closed}/f")), 10).await.expect_err("closed");
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), "127.0.0.1 cannot be reached");

    let at = raw(b"SSH-2.0-x\r\n".to_vec(), false).await;
    let error = local(PATIENT).fetch(&at, 10).await.expect_err("not http");
    assert!(matches!(error, FetchError::Cut { .. }), "{error:?}");

    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234".to_vec();
    let error = whole(local(PATIENT).fetch(&raw(short.clone(), false).await, 10).await.unwrap()).await;
    assert!(matches!(error, Err(FetchError::Cut { .. })), "{error:?}");

    for limits in [Limits { idle: SOON, ..PATIENT }, Limits { total: SOON, ..PATIENT }] {
        let begun = Instant::now();
        let error = whole(local(limits).fetch(&raw(short.clone(), true).await, 10).await.unwrap()).await;
        assert!(matches!(error, Err(FetchError::Timeout)), "{limits:?}: {error:?}");
        let error = local(limits).fetch(&raw(Vec::new(), true).await, 10).await.expect_err("no head");
        assert!(matches!(error, FetchError::Timeout), "{limits:?}: {error:?}");
        assert!(begun.elapsed() < LATE, "{limits:?}");
    }
}

#[tokio::test]
async fn over_https_the_server_must_be_the_one_that_was_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        (head[0], hello)
    });
    let (egress, script) = egress(&["127.0.0.1"], &[("tls.example", &[&["127.0.0.1"]])]);
    let at = url(&format!("https://tls.example:{port}/f"));
    let error = egress.fetch(&at, 10).await.expect_err("no TLS there");
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    let (kind, hello) = hello.await.unwrap();
    // A handshake that names the server by its name, not by its address.
    assert_eq!((kind, hello.windows(11).any(|window| window == b"tls.example")), (0x16, true));
    assert_eq!(script.asked(), 1);
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_not_waited_for() {
    struct Silent;
    impl Resolve for Silent {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let limits = Limits { connect: SOON, ..PATIENT };
    let egress = Egress::with_resolver(EgressPolicy::default(), limits, Arc::new(Silent)).unwrap();
    let refused = egress.classify(&url("https://slow.example/")).await.expect_err("refused");
    assert_eq!(refused.to_string(), "slow.example cannot be found");
}
