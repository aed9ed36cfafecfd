//! A Dify for tests that follows a script to the byte: what is sent in which chunk, what it waits for in between, and
//! how the connection ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dify::fixture;

/// One step of an answer.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sends these bytes in one chunk.
    Chunk(Vec<u8>),
    /// Breaks the connection off.
    Cut,
    /// Ends the answer in order.
    End,
    /// Waits until a request whose first line has this in it has come.
    Until(&'static str),
    /// Sends nothing more, for ever.
    Hang,
    /// Sends these bytes as they are: a whole answer with its head.
    Whole(Vec<u8>),
}

/// One answer.
pub(super) type Answer = Vec<Step>;

/// An event stream that sends `frames`, each in a chunk of its own, and then does the rest.
pub(super) fn stream<'a>(frames: impl IntoIterator<Item = &'a str>, rest: &[Step]) -> Answer {
    let mut steps: Answer = frames
        .into_iter()
        .map(|frame| match frame {
            "ping" => Step::Chunk(b"event: ping\n\n".to_vec()),
            frame => Step::Chunk(format!("data: {frame}\n\n").into_bytes()),
        })
        .collect();
    steps.extend_from_slice(rest);
    steps
}

/// A whole JSON answer.
pub(super) fn json(status: u16, body: &str) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    vec![Step::Whole((head + body).into_bytes())]
}

/// A recorded answer, its body as one chunk.
pub(super) fn recorded(name: &str) -> Answer {
    let recording = fixture::recording(name);
    if recording.status == 200 {
        return vec![Step::Chunk(recording.body), Step::End];
    }
    json(recording.status, std::str::from_utf8(&recording.body).unwrap())
}

/// The server. It stops when it is dropped.
pub(super) struct Scripted {
    pub(super) url: String,
    requests: watch::Receiver<Vec<String>>,
    connections: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

/// For each place, such as `POST /v1/chat-messages`, the answers in turn; the last one is given again and again.
type Script = Vec<(&'static str, Vec<Answer>)>;

impl Scripted {
    /// Starts it. A stop is always taken, other places that are not in the script get a page with 404.
    pub(super) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, requests) = watch::channel(Vec::new());
        let script = Arc::new(Mutex::new(script));
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                open.spawn(serve(connection, Arc::clone(&script), seen.clone()));
            }
        });
        Self { url, requests, connections, tasks }
    }

    /// Takes it down, its connections too.
    pub(super) async fn shut_down(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Gives the cue for `Until("GET /go")`.
    pub(super) async fn go(&self) {
        reqwest::get(format!("{}/go", self.url)).await.unwrap();
    }

    /// How many connections were made so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests so far, each with its body, that went to such a place.
    pub(super) fn requests(&self, place: &str) -> Vec<String> {
        self.requests.borrow().iter().filter(|request| request.starts_with(place)).cloned().collect()
    }

    /// Waits for a request to such a place.
    pub(super) async fn until(&self, place: &str) {
        let mut requests = self.requests.clone();
        let come = requests.wait_for(|requests| requests.iter().any(|request| request.contains(place)));
        tokio::time::timeout(Duration::from_secs(5), come).await.unwrap().unwrap();
    }
}

async fn serve(mut connection: TcpStream, script: Arc<Mutex<Script>>, seen: watch::Sender<Vec<String>>) {
    while let Some(request) = read_request(&mut connection).await {
        let answer = next_answer(&script, &request);
        seen.send_modify(|requests| requests.push(request));
        let is_stream = !matches!(answer.first(), Some(Step::Whole(_)));
        if is_stream {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nX-Version: 1.14.2\r\nTransfer-Encoding: chunked\r\n\r\n";
            if connection.write_all(head).await.is_err() {
                return;
            }
        }
        for step in answer {
            let sent = match step {
                Step::Chunk(bytes) => {
                    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
                    connection.write_all(&chunk).await
                }
                Step::Whole(bytes) => connection.write_all(&bytes).await,
                Step::End => connection.write_all(b"0\r\n\r\n").await,
                Step::Cut => return,
                Step::Hang => std::future::pending().await,
                Step::Until(place) => {
                    let mut requests = seen.subscribe();
                    let come =
                        requests.wait_for(|requests| requests.iter().any(|request| request.contains(place)));
                    come.await.map(drop).map_err(std::io::Error::other)
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }
}

fn next_answer(script: &Mutex<Script>, request: &str) -> Answer {
    let mut script = script.lock().unwrap();
    let place = script
        .iter_mut()
        .find(|(place, _)| request.strip_prefix(place).is_some_and(|rest| rest.starts_with([' ', '?'])));
    match place {
        Some((_, answers)) if answers.len() > 1 => answers.remove(0),
        Some((_, answers)) => answers[0].clone(),
        None if request.contains("/stop ") => json(200, r#"{"result":"success"}"#),
        None => json(404, "<!doctype html>"),
    }
}

/// `METHOD path` and the rest of the head, an empty line, the body. `None` when the peer has gone.
async fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if request.len() >= end + 4 + length.unwrap_or_default() {
                return Some(String::from_utf8(request).unwrap());
            }
        }
        match connection.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
}
