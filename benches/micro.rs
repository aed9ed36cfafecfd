//! The steps of a delta's way through the gateway, each by itself: read Dify's stream, append to the log, read the
//! log, encode for the client. `cargo bench --bench micro`; the number to look at is the time or throughput per
//! item, where an item is one delta.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run shall stop")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Timestamp;
use serde_json::value::RawValue;

use dify_a2a::core::event::{LogEvent, Status, TextArtifact};
use dify_a2a::core::facts::Facts;
use dify_a2a::core::ids::{Caller, ContextId, RandomIds, TaskId};
use dify_a2a::core::log::TaskLog;
use dify_a2a::core::reader::{Batch, Closing, Found, Until};
use dify_a2a::core::state::TaskState;
use dify_a2a::core::task::Task;
use dify_a2a::dify::event::Frame;
use dify_a2a::dify::framing::Framer;
use dify_a2a::dify::sse;
use dify_a2a::edge::a2a_v1::V1;
use dify_a2a::edge::a2a_v03::V03;
use dify_a2a::edge::dialect::{Dialect, Operation, StreamEnd};
use dify_a2a::edge::envelope::{Envelope, Strictness};
use dify_a2a::edge::legacy::Legacy;
use dify_a2a::edge::view::View;
use dify_a2a::translate::from_dify::{Fold, Input, Setup};

fn main() {
    divan::main();
}

/// How many deltas one run takes.
const DELTAS: usize = 1000;

const DELTA: &str = "token ";

// --- Dify's stream ---

/// Framing, SSE, JSON and fold of a plain answer, as chunks of this size.
#[divan::bench(args = [312, 4096, 65536])]
fn read_answer(bencher: Bencher<'_, '_>, chunk: usize) {
    let stream = answer();
    bencher.counter(ItemsCount::new(DELTAS)).bench(|| read(&stream, chunk));
}

/// The same of recorded streams; an item is one frame.
#[divan::bench(args = ["1.14.2/chat_long", "1.14.2/chatflow_llm_long", "1.14.2/agent_fc_tool", "0.15.3/chat_unicode"])]
fn read_recording(bencher: Bencher<'_, '_>, name: &str) {
    let stream = recording(name);
    let frames = stream.windows(6).filter(|bytes| bytes == b"data: ").count();
    bencher.counter(ItemsCount::new(frames)).bench(|| read(&stream, 4096));
}

#[divan::bench]
fn frame(bencher: Bencher<'_, '_>) {
    let stream = answer();
    bencher.counter(ItemsCount::new(DELTAS)).bench(|| {
        let mut framer = Framer::default();
        framer.push(&stream);
        let mut bytes = 0;
        while let Ok(Some(block)) = framer.next_block() {
            bytes += sse::data(&block).ok().flatten().map_or(0, |data| data.len());
        }
        bytes
    });
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let frame = message();
    let data = frame.trim_start_matches("data: ").trim_end();
    bencher.counter(ItemsCount::new(1usize)).bench(|| drop(black_box(Frame::decode(black_box(data)))));
}

fn read(stream: &[u8], chunk: usize) -> usize {
    let mut framer = Framer::default();
    let mut fold = Fold::new(Setup::default());
    let mut events = 0;
    for chunk in stream.chunks(chunk) {
        framer.push(chunk);
        while let Ok(Some(block)) = framer.next_block() {
            let Ok(Some(data)) = sse::data(&block) else { continue };
            let Ok(frame) = Frame::decode(&data) else { continue };
            fold.step(Input::Frame(&frame), &mut |event| {
                black_box(&event);
                events += 1;
            });
        }
    }
    events
}

fn message() -> String {
    "data: {\"event\":\"message\",\"conversation_id\":\"df4959e2-b6de-4034-b2cf-22dcb3cbde44\",\
     \"message_id\":\"9fb74459-0635-4f1a-bebd-c64aae6ce11c\",\"created_at\":1795310831,\
     \"task_id\":\"367615f5-8b80-4b8b-86c6-96a2a76cecf9\",\"id\":\"9fb74459-0635-4f1a-bebd-c64aae6ce11c\",\
     \"answer\":\"token \",\"from_variable_selector\":null}\n\n"
        .to_owned()
}

fn answer() -> Vec<u8> {
    message().repeat(DELTAS).into_bytes()
}

fn recording(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dify").join(name).with_extension("http");
    let file = std::fs::read(path).unwrap();
    let head = memchr::memmem::find(&file, b"\r\n\r\n").unwrap();
    file.get(head + 4..).unwrap().to_vec()
}

// --- the log ---

/// Nobody reads.
#[divan::bench]
fn append(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(DELTAS)).with_inputs(log).bench_values(|log| {
        append_all(&log);
        log
    });
}

/// A reader that takes every delta by itself.
#[divan::bench]
fn append_and_follow(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(DELTAS)).with_inputs(log).bench_values(|log| {
        let (_, mut reader) = log.follow(Until::End, Closing::Whole);
        let mut batch = Batch::default();
        for _ in 0..DELTAS {
            log.text(TextArtifact::Answer, DELTA).unwrap();
            assert_eq!(reader.take(&mut batch), Found::Events);
            black_box(batch.events().count());
        }
        log
    });
}

/// A reader that comes when all is there.
#[divan::bench]
fn follow_late(bencher: Bencher<'_, '_>) {
    let log = log();
    append_all(&log);
    bencher.counter(ItemsCount::new(DELTAS)).bench_local(|| {
        let (_, mut reader) = log.follow_from(0, Until::End, Closing::Whole).unwrap();
        let mut batch = Batch::default();
        while reader.take(&mut batch) == Found::Events {
            black_box(batch.events().count());
        }
    });
}

fn log() -> Arc<TaskLog> {
    let log = TaskLog::new(task());
    log.status(Arc::new(Status::plain(TaskState::Working, Timestamp::UNIX_EPOCH))).unwrap();
    log
}

fn append_all(log: &TaskLog) {
    for _ in 0..DELTAS {
        log.text(TextArtifact::Answer, DELTA).unwrap();
    }
}

fn task() -> Task {
    Task {
        id: TaskId::from("01937c2e-7b7a-7000-8000-000000000001"),
        context_id: ContextId::from("01937c2e-7b7a-7000-8000-000000000002"),
        caller: Caller::anonymous(),
        created_at: Timestamp::UNIX_EPOCH,
        status: Arc::new(Status::plain(TaskState::Submitted, Timestamp::UNIX_EPOCH)),
        history: Vec::new(),
        artifacts: Vec::new(),
        facts: Arc::new(Facts::default()),
    }
}

// --- the client's side ---

const DIALECTS: [&dyn Dialect; 3] = [&V1, &V03, &Legacy];

fn dialect(name: &str) -> &'static dyn Dialect {
    DIALECTS.into_iter().find(|dialect| dialect.name() == name).unwrap()
}

/// One delta's event.
#[divan::bench(args = ["1.0", "0.3", "message.send"])]
fn encode_delta(bencher: Bencher<'_, '_>, name: &str) {
    let task = task();
    let mut encoder = dialect(name).stream(&task.id, &task.context_id, StreamEnd::Turn, View::default());
    let event = LogEvent::Text { append: true, artifact: TextArtifact::Answer, text: DELTA };
    let mut buf = Vec::new();
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        buf.clear();
        encoder.event(&mut buf, black_box(event))
    });
}

/// A request to send a message: envelope, route and params.
#[divan::bench(args = ["1.0", "0.3", "message.send"])]
fn decode_send(bencher: Bencher<'_, '_>, name: &str) {
    let dialect = dialect(name);
    let (method, params) = match name {
        "1.0" => (
            "SendStreamingMessage",
            r#"{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"text":"Hello"}]}}"#,
        ),
        "0.3" => (
            "message/stream",
            r#"{"message":{"kind":"message","messageId":"m-1","role":"user","parts":[{"kind":"text","text":"Hello"}]}}"#,
        ),
        _ => ("message.send", r#"{"messages":[{"role":"user","parts":[{"type":"text","text":"Hello"}]}]}"#),
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    bencher.counter(ItemsCount::new(1usize)).bench(|| {
        let envelope = Envelope::read(black_box(body.as_bytes()), Strictness::Full).unwrap();
        let params: Option<&RawValue> = envelope.params;
        dialect.call(Operation::Stream, params, &RandomIds).unwrap()
    });
}
