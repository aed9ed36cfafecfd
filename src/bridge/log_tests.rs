//! What the log has of a turn.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use super::scripted::{Answer, Step, json, stream};
use super::stage::{END, HELLO, chat};

/// The log of a test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The lines that a turn with this answer leaves in the log.
async fn lines_of(answer: Answer) -> Vec<String> {
    let lines = Lines::default();
    let log = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::DEBUG)
        .finish();
    let stage = chat(answer).await;
    {
        let _logging = tracing::subscriber::set_default(log);
        stage.play_new().await;
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().filter(|line| line.contains("dify_a2a::bridge")).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_could_not_be_used_is_counted_once_the_turn_is_over() {
    let name = format!(r#"{{"event":"x\ny\u001b[31m{}","task_id":"t1"}}"#, "z".repeat(500));
    let frames = ["{not json", HELLO, r#"{"event":"new"}"#, "[DONE]", r#"{"event":"new"}"#, &name, END];
    let lines = lines_of(stream(frames, &[Step::End])).await;
    let [line] = &lines[..] else { panic!("{lines:#?}") };
    assert!(line.contains("WARN") && line.contains("garbage=2") && line.contains("unknown=3"), "{line}");
    assert!(line.contains(r#"["new", "x\ny\u{1b}[31mzz"#) && line.len() < 400, "{line}");
    assert!(!line.contains('\u{1b}'), "{line}");

    let lines = lines_of(stream([HELLO, r#"{"event":"new"}"#, END], &[Step::End])).await;
    let [line] = &lines[..] else { panic!("{lines:#?}") };
    assert!(line.contains("DEBUG") && line.contains("unknown=1"), "{line}");

    assert!(lines_of(stream([HELLO, END], &[Step::End])).await.is_empty());
}

#[tokio::test]
async fn a_failed_turn_has_a_cause_in_the_log_only_if_there_is_one() {
    let lines = lines_of(stream([HELLO], &[Step::End])).await;
    let [line] = &lines[..] else { panic!("{lines:#?}") };
    assert!(line.contains("a turn failed") && !line.contains("error.cause"), "{line}");

    let lines = lines_of(json(502, "<html>")).await;
    let [line] = &lines[..] else { panic!("{lines:#?}") };
    assert!(line.contains(r#"error.cause="dify refused the request: http 502, code none""#), "{line}");
}

#[tokio::test]
async fn a_file_that_cannot_be_had_is_one_line_without_its_address() {
    for (how, url, why) in [
        ("tool_file", "ftp://files.example/a.png?sign=1", "not one of http or https"),
        ("tool_file", "http://joe:hush@files.example/a.png", "has a user"),
        ("remote_url", "https://10.0.0.1/a.png", "given by a stranger"),
    ] {
        let end = format!(
            r#"{{"event":"message_end","task_id":"t1","metadata":{{}},"files":[{{"transfer_method":"{how}","url":"{url}"}}]}}"#
        );
        let lines = lines_of(stream([HELLO, &end], &[Step::End])).await;
        let [line] = &lines[..] else { panic!("{lines:#?}") };
        assert!(line.contains("WARN") && line.contains("cannot be had") && line.contains(why), "{line}");
        for secret in ["a.png", "example", "10.0.0.1", "joe", "hush", "sign="] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
