//! A stand-in for Dify: a bare HTTP/1.1 server whose answers are built before they are asked for, so that it costs
//! next to nothing and says exactly what is expected.
//!
//! The query of a chat message tells it what to answer: `burst 2000` is 2,000 deltas as fast as they can be written,
//! `paced 500 20000 7` is 500 deltas, one every 20,000 µs, whose times of writing are kept under the ticket 7.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Longest request that is read, bytes.
const MAX_REQUEST: usize = 64 * 1024;

/// Longest answer that is served, deltas: their numbers have five digits.
pub(crate) const MAX_DELTAS: usize = 100_000;

const CONVERSATION: &str = "df4959e2-b6de-4034-b2cf-22dcb3cbde44";
const MESSAGE: &str = "9fb74459-0635-4f1a-bebd-c64aae6ce11c";
const TASK: &str = "367615f5-8b80-4b8b-86c6-96a2a76cecf9";

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
    X-Version: 1.14.2\r\nTransfer-Encoding: chunked\r\n\r\n";

const INFO: &str =
    r#"{"name":"bench","description":"Counts.","tags":[],"mode":"chat","author_name":"Owner"}"#;

const PARAMETERS: &str = r#"{"opening_statement":"","suggested_questions":[],"suggested_questions_after_answer":{"enabled":false},"speech_to_text":{"enabled":false},"text_to_speech":{"enabled":false,"language":"","voice":""},"retriever_resource":{"enabled":true},"annotation_reply":{"enabled":false},"more_like_this":{"enabled":false},"user_input_form":[],"sensitive_word_avoidance":{"enabled":false,"type":"","configs":[]},"file_upload":{"image":{"enabled":false,"number_limits":3,"detail":"high","transfer_methods":["remote_url","local_file"]}},"system_parameters":{"image_file_size_limit":10,"video_file_size_limit":100,"audio_file_size_limit":50,"file_size_limit":15,"workflow_file_upload_limit":10}}"#;

/// An answer of so many deltas.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The text that the deltas make.
    pub text: String,
    /// The event stream, as a client is to receive it.
    pub events: Vec<u8>,
    /// The same as it goes over the wire: every event is a chunk of its own, as Dify sends them.
    chunked: Vec<u8>,
    /// Where each chunk ends.
    ends: Vec<usize>,
}

impl Answer {
    /// Numbered words, each six bytes: the place of every byte is known.
    pub(crate) fn new(deltas: usize) -> Self {
        let text = (0..deltas).fold(String::new(), |mut text, number| {
            text.push_str(&word(number));
            text
        });
        let frames =
            (0..deltas).map(|number| message(&word(number))).chain(std::iter::once(message_end(deltas)));
        let (mut events, mut chunked, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for frame in frames {
            events.extend_from_slice(frame.as_bytes());
            chunked.extend_from_slice(format!("{:x}\r\n{frame}\r\n", frame.len()).as_bytes());
            ends.push(chunked.len());
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        if let Some(last) = ends.last_mut() {
            *last = chunked.len();
        }
        Self { text, events, chunked, ends }
    }
}

/// Bytes of one word.
pub(crate) const WORD: usize = 6;

fn word(number: usize) -> String {
    format!("{number:05} ")
}

/// Bytes of one `message` event.
pub(crate) fn message_bytes() -> usize {
    message(&word(0)).len()
}

/// A `message` event with the fields and sizes of a chat app on Dify 1.14.
fn message(answer: &str) -> String {
    format!(
        "data: {{\"event\":\"message\",\"conversation_id\":\"{CONVERSATION}\",\"message_id\":\"{MESSAGE}\",\
         \"created_at\":1795310831,\"task_id\":\"{TASK}\",\"id\":\"{MESSAGE}\",\"answer\":\"{answer}\",\
         \"from_variable_selector\":null}}\n\n"
    )
}

fn message_end(deltas: usize) -> String {
    let mut end = format!(
        "data: {{\"event\":\"message_end\",\"conversation_id\":\"{CONVERSATION}\",\"message_id\":\"{MESSAGE}\",\
         \"created_at\":1795310831,\"task_id\":\"{TASK}\",\"id\":\"{MESSAGE}\",\"metadata\":\
         {{\"annotation_reply\":null,\"retriever_resources\":[],\"usage\":{{\"prompt_tokens\":13,\
         \"prompt_unit_price\":\"0.001\",\"prompt_price_unit\":\"0.001\",\"prompt_price\":\"0.0000130\","
    );
    let _ = write!(
        end,
        "\"completion_tokens\":{deltas},\"completion_unit_price\":\"0.002\",\"completion_price_unit\":\"0.001\",\
         \"completion_price\":\"0.0000120\",\"total_tokens\":{},\"total_price\":\"0.0000250\",\"currency\":\"USD\",\
         \"latency\":0.108,\"time_to_first_token\":0.188,\"time_to_generate\":0.08}}}},\"files\":null}}\n\n",
        deltas + 13
    );
    end
}

/// What a query asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    /// How many deltas.
    pub deltas: usize,
    /// The time between two deltas, and the ticket under which their times are kept.
    pub pace: Option<(Duration, u64)>,
}

impl Script {
    /// The query that asks for it.
    pub(crate) fn query(self) -> String {
        match self.pace {
            None => format!("burst {}", self.deltas),
            Some((pace, ticket)) => format!("paced {} {} {ticket}", self.deltas, pace.as_micros()),
        }
    }

    fn read(query: &str) -> Option<Self> {
        let mut words = query.split(' ');
        let (kind, deltas) = (words.next()?, words.next()?.parse().ok()?);
        let pace = match kind {
            "burst" => None,
            "paced" => {
                Some((Duration::from_micros(words.next()?.parse().ok()?), words.next()?.parse().ok()?))
            }
            _ => return None,
        };
        (deltas <= MAX_DELTAS).then_some(Self { deltas, pace })
    }
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<usize, Arc<Answer>>>,
    written: Mutex<HashMap<u64, Vec<Instant>>>,
}

/// The running stand-in.
#[derive(Clone)]
pub(crate) struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl StandIn {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the stand-in cannot listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let stand_in = Self { address, shared };
        let serving = stand_in.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.connection(stream).await });
            }
        });
        Ok(stand_in)
    }

    /// The answer of so many deltas, built on first use.
    pub(crate) fn answer(&self, deltas: usize) -> Arc<Answer> {
        let mut answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(answers.entry(deltas).or_insert_with(|| Arc::new(Answer::new(deltas))))
    }

    /// When the deltas of a paced answer were written; only once per ticket.
    pub(crate) fn written(&self, ticket: u64) -> Option<Vec<Instant>> {
        self.shared.written.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket)
    }

    /// Serves one connection until it breaks: both hops keep theirs open.
    async fn connection(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut request = Vec::with_capacity(4096);
        while let Ok(Some(length)) = read_request(&mut stream, &mut request).await {
            let served = self.serve(&mut stream, request.get(..length).unwrap_or_default()).await;
            if served.is_err() {
                return;
            }
            request.drain(..length);
        }
    }

    async fn serve(&self, stream: &mut TcpStream, request: &[u8]) -> Result<()> {
        if request.starts_with(b"GET /v1/info ") {
            return json(stream, "200 OK", INFO).await;
        }
        if request.starts_with(b"GET /v1/parameters ") {
            return json(stream, "200 OK", PARAMETERS).await;
        }
        if !request.starts_with(b"POST /v1/chat-messages ") {
            return json(stream, "404 NOT FOUND", r#"{"code":"not_found","message":"no","status":404}"#)
                .await;
        }
        let Some(script) = query(request).and_then(Script::read) else {
            let refusal = r#"{"code":"invalid_param","message":"what?","status":400}"#;
            return json(stream, "400 BAD REQUEST", refusal).await;
        };
        stream.write_all(STREAM_HEAD).await?;
        let answer = self.answer(script.deltas);
        match script.pace {
            None => stream.write_all(&answer.chunked).await?,
            Some((pace, ticket)) => {
                let written = paced(stream, &answer, pace).await?;
                self.shared.written.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket, written);
            }
        }
        Ok(())
    }
}

async fn paced(stream: &mut TcpStream, answer: &Answer, pace: Duration) -> Result<Vec<Instant>> {
    let mut written = Vec::with_capacity(answer.ends.len());
    let mut due = tokio::time::Instant::now();
    let mut from = 0;
    for end in &answer.ends {
        tokio::time::sleep_until(due).await;
        written.push(Instant::now());
        stream.write_all(answer.chunked.get(from..*end).unwrap_or_default()).await?;
        from = *end;
        due += pace;
    }
    Ok(written)
}

async fn json(stream: &mut TcpStream, status: &str, body: &str) -> Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Version: 1.14.2\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    Ok(())
}

/// Reads until `request` begins with a whole request, and tells its length; nothing when the peer is gone.
async fn read_request(stream: &mut TcpStream, request: &mut Vec<u8>) -> Result<Option<usize>> {
    loop {
        if let Some(head) = memmem::find(request, b"\r\n\r\n") {
            let head = head + 4;
            let length = head + content_length(request.get(..head).unwrap_or_default());
            if request.len() >= length {
                return Ok(Some(length));
            }
        }
        if request.len() > MAX_REQUEST {
            bail!("the request is too long");
        }
        if stream.read_buf(request).await? == 0 {
            return Ok(None);
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let of_line = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    };
    head.lines().find_map(of_line).unwrap_or(0)
}

/// The query of a chat message. It is ours, so it has no escapes.
fn query(request: &[u8]) -> Option<&str> {
    let rest =
        std::str::from_utf8(request).ok()?.split_once("\"query\":")?.1.trim_start().strip_prefix('"')?;
    rest.split_once('"').map(|(query, _)| query)
}
