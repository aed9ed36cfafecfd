//! Uploads as Dify sees them.

use tokio::time::Instant;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::dify::client::ClientSettings;
use crate::dify::fixture;

fn upload<'a>(name: &'a str, media_type: &'a str, content: UploadContent) -> Upload<'a> {
    Upload { name, media_type, user: "alice", content }
}

fn streamed(length: Option<u64>, pieces: Vec<io::Result<Bytes>>) -> UploadContent {
    UploadContent::Stream { length, stream: stream::iter(pieces).boxed() }
}

async fn taking(name: &str) -> MockServer {
    let recording = fixture::recording(name);
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/files/upload"))
        .respond_with(
            ResponseTemplate::new(recording.status).set_body_raw(recording.body, "application/json"),
        )
        .mount(&server)
        .await;
    server
}

/// The only request that came, its body as text.
async fn received(server: &MockServer) -> (Request, String) {
    let request = server.received_requests().await.unwrap().pop().unwrap();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    (request, body)
}

#[tokio::test]
async fn a_file_in_memory_is_sent_with_its_name_type_and_user() {
    for version in ["1.14.2", "0.15.3"] {
        let server = taking(&format!("{version}/file_upload")).await;
        let content = UploadContent::Bytes(Bytes::from_static(b"hello files"));
        let uploaded =
            fixture::client(&server.uri()).upload(upload("hello.txt", "text/plain", content)).await.unwrap();
        assert_eq!(uploaded.size, Some(11));
        assert_eq!(uploaded.extension.as_deref(), Some("txt"));
        assert_eq!(uploaded.media_type.as_deref(), Some("text/plain"));
        assert_eq!(uploaded.id.len(), 36);
        let (request, body) = received(&server).await;
        assert!(
            request.headers["content-type"].to_str().unwrap().starts_with("multipart/form-data; boundary=")
        );
        assert_eq!(request.headers["content-length"].to_str().unwrap(), body.len().to_string());
        assert!(body.contains("name=\"user\"\r\n\r\nalice\r\n"), "{body}");
        assert!(
            body.contains(
                "name=\"file\"; filename=\"hello.txt\"\r\nContent-Type: text/plain\r\n\r\nhello files\r\n"
            ),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_large_file_arrives_whole() {
    let server = taking("1.14.2/file_upload").await;
    let bytes: Vec<u8> = (0..=255).cycle().take(3 * PIECE + 7).collect();
    let content = UploadContent::Bytes(Bytes::from(bytes.clone()));
    fixture::client(&server.uri()).upload(upload("a.bin", "no type", content)).await.unwrap();
    let (request, body) = received(&server).await;
    assert!(memchr::memmem::find(&request.body, &bytes).is_some());
    assert!(body.contains("Content-Type: application/octet-stream\r\n"));
}

#[tokio::test]
async fn an_empty_file_and_a_strange_name_can_be_sent() {
    let server = taking("1.14.2/file_upload").await;
    let content = UploadContent::Bytes(Bytes::new());
    fixture::client(&server.uri()).upload(upload("a/b\"\r\n资.txt", "text/plain", content)).await.unwrap();
    let (_, body) = received(&server).await;
    assert!(body.contains("filename=\"a_b___资.txt\"\r\n"), "{body}");
}

#[tokio::test]
async fn a_stream_is_sent_with_its_length_or_in_chunks() {
    for length in [Some(6), None] {
        let server = taking("1.14.2/file_upload").await;
        let content = streamed(length, vec![Ok(Bytes::from_static(b"abc")), Ok(Bytes::from_static(b"def"))]);
        fixture::client(&server.uri()).upload(upload("a.txt", "text/plain", content)).await.unwrap();
        let (request, body) = received(&server).await;
        assert!(body.contains("\r\n\r\nabcdef\r\n"), "{body}");
        assert_eq!(request.headers.contains_key("content-length"), length.is_some());
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_no_upload() {
    let server = taking("1.14.2/file_upload").await;
    let content = streamed(None, vec![Ok(Bytes::from_static(b"abc")), Err(io::Error::other("gone"))]);
    let error = fixture::client(&server.uri()).upload(upload("a", "text/plain", content)).await.unwrap_err();
    assert!(matches!(error, Error::Cut(_)), "{error:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn refusals_are_told_by_their_code() {
    for name in ["1.14.2/error_413_file_too_large", "0.15.3/error_413_file_too_large"] {
        let server = taking(name).await;
        let content = UploadContent::Bytes(Bytes::from_static(b"x"));
        let error =
            fixture::client(&server.uri()).upload(upload("a", "text/plain", content)).await.unwrap_err();
        let failure = error.failure();
        assert_eq!(failure.code, "file_too_large");
        assert_eq!(failure.source, crate::core::event::FailureSource::Caller);
    }
    let server = taking("1.14.2/suggested_questions_off").await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(201).set_body_string("{}"))
        .with_priority(1)
        .mount(&server)
        .await;
    let content = UploadContent::Bytes(Bytes::from_static(b"x"));
    let error = fixture::client(&server.uri()).upload(upload("a", "text/plain", content)).await.unwrap_err();
    assert!(matches!(error, Error::Strange(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn only_standing_still_is_a_timeout() {
    let idle = Duration::from_secs(1);
    let (moves, moved) = watch::channel(());
    let sending = async move {
        for _ in 0..10 {
            tokio::time::sleep(idle * 9 / 10).await;
            moves.send_replace(());
        }
        drop(moves);
        tokio::time::sleep(idle * 9 / 10).await;
        "answered"
    };
    assert_eq!(patiently(sending, moved, idle).await.unwrap(), "answered");

    let (moves, moved) = watch::channel(());
    let begun = Instant::now();
    let error = patiently(std::future::pending::<()>(), moved, idle).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(None)), "{error:?}");
    assert_eq!(begun.elapsed(), idle);
    drop(moves);

    let (moves, moved) = watch::channel(());
    drop(moves);
    let begun = Instant::now();
    assert!(patiently(std::future::pending::<()>(), moved, idle).await.is_err());
    assert_eq!(begun.elapsed(), idle);
}

#[tokio::test]
async fn a_file_that_does_not_come_is_given_up() {
    let server = taking("1.14.2/file_upload").await;
    let impatient = Client::new(&ClientSettings {
        url: server.uri(),
        key: secrecy::SecretString::from("app-k"),
        connect_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_millis(50),
    })
    .unwrap();
    let still = UploadContent::Stream { length: None, stream: stream::pending().boxed() };
    let error = impatient.upload(upload("a", "text/plain", still)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(None)), "{error:?}");
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_file_is_sent_is_heard() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refusing = async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 1024];
        assert!(socket.read(&mut some).await.unwrap() > 0);
        let body = r#"{"code":"file_too_large","message":"","status":413}"#;
        let head = format!("HTTP/1.1 413 X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        // As servers do that want to be heard: what comes is read and thrown away.
        while socket.read(&mut some).await.is_ok_and(|count| count > 0) {}
    };
    let refusing = tokio::spawn(refusing);
    let content = UploadContent::Bytes(Bytes::from(vec![0; 16 * 1024 * 1024]));
    let error = fixture::client(&url).upload(upload("a", "text/plain", content)).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.status == 413), "{error:?}");
    refusing.await.unwrap();
}
