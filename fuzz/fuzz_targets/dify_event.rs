//! Dify's stream to a task's log: frames, events, the fold, the log and its readers.
//!
//! However the bytes are chopped the same is said; the fold ends exactly once, unless the run waits, and says nothing
//! afterwards; files are numbered in order; and what a reader joins is what the log shows.
#![no_main]

use std::fmt::Write as _;

use dify_a2a::core::event::{Failure, LogEvent, Outcome, Status, TaskEvent, TextArtifact};
use dify_a2a::core::log::TaskLog;
use dify_a2a::core::reader::{Batch, Closing, Found, Reader, Until};
use dify_a2a::core::state::TaskState;
use dify_a2a::dify::event::Frame;
use dify_a2a::dify::framing::Framer;
use dify_a2a::dify::sse;
use dify_a2a::translate::from_dify::{AppKind, Fold, Input, Setup, Verdict};
use dify_a2a::translate::think::ThinkMode;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use support::chop::chop;

fuzz_target!(|data: &[u8]| {
    let [settings, cut, stream @ ..] = data else { return };
    let settings = Settings::of(*settings);
    let whole = run(&[stream], settings);
    let chopped = run(&chop(stream, &[*cut]), settings);
    assert_eq!(chopped, whole, "in pieces of {} bytes", usize::from(*cut) + 1);
});

/// The answer of a turn that goes on.
const SO_FAR: &str = "Before the question. ";

#[derive(Clone, Copy)]
struct Settings {
    think: ThinkMode,
    stops_at_once: bool,
    is_lost: bool,
    reads_often: bool,
    wants_speech: bool,
    is_workflow: bool,
    is_resumed: bool,
}

impl Settings {
    fn of(bits: u8) -> Self {
        Self {
            think: match bits & 3 {
                0 | 1 => ThinkMode::Metadata,
                2 => ThinkMode::Keep,
                _ => ThinkMode::Drop,
            },
            stops_at_once: bits & 4 != 0,
            is_lost: bits & 8 != 0,
            reads_often: bits & 16 != 0,
            wants_speech: bits & 32 != 0,
            is_workflow: bits & 64 != 0,
            is_resumed: bits & 128 != 0,
        }
    }

    fn setup(self) -> Setup {
        Setup {
            think: self.think,
            app: if self.is_workflow { AppKind::Workflow } else { AppKind::Chat },
            wants_speech: self.wants_speech,
            resumed: self.is_resumed.then(|| SO_FAR.to_owned()),
        }
    }
}

/// The fold with all that it says, and the log that it fills.
struct Turn {
    fold: Fold,
    said: String,
    outcome: Option<Outcome>,
    /// Whether it waits, as far as was said last.
    is_paused: bool,
    files: usize,
    log: std::sync::Arc<TaskLog>,
    follower: Follower,
    settings: Settings,
}

/// What a client has put together.
struct Follower {
    reader: Reader,
    batch: Batch,
    texts: [String; 2],
    last: u64,
    statuses: usize,
}

fn run(chunks: &[&[u8]], settings: Settings) -> (String, [String; 2]) {
    let mut turn = Turn::new(settings);
    if settings.stops_at_once {
        turn.step(Input::StopRequested);
    }
    let mut framer = Framer::default();
    for chunk in chunks {
        framer.push(chunk);
        while let Ok(Some(block)) = framer.next_block() {
            let Ok(Some(data)) = sse::data(&block) else { continue };
            let Ok(frame) = Frame::decode(&data) else { continue };
            turn.step(Input::Frame(&frame));
        }
    }
    turn.step(if settings.is_lost { Input::Lost(Failure::internal()) } else { Input::Closed });
    turn.finish()
}

impl Turn {
    fn new(settings: Settings) -> Self {
        let log = TaskLog::new(support::task(Vec::new()));
        let (task, reader) = log.follow(Until::End, Closing::Whole);
        assert!(task.artifacts.is_empty());
        let follower =
            Follower { reader, batch: Batch::default(), texts: Default::default(), last: 0, statuses: 0 };
        if settings.is_resumed {
            log.text(TextArtifact::Answer, SO_FAR).expect("inputs are small");
        }
        Self {
            fold: Fold::new(settings.setup()),
            said: String::new(),
            outcome: None,
            is_paused: false,
            files: 0,
            log,
            follower,
            settings,
        }
    }

    fn step(&mut self, input: Input<'_>) {
        let over = self.outcome.is_some();
        let (said, log) = (&mut self.said, &self.log);
        let verdict = self.fold.step(input, &mut |event| {
            assert!(!over, "{event:?} was said after the end");
            let _ = writeln!(said, "{event:?}");
            tell(log, event);
        });
        for found in self.fold.found() {
            self.files += 1;
            assert_eq!(found.artifact, format!("file-{}", self.files));
            assert!(!found.name.is_empty() && !found.name.contains(['/', '\\']));
        }
        self.is_paused = matches!(verdict, Verdict::Paused(_));
        match verdict {
            Verdict::GoOn | Verdict::Grace => {}
            Verdict::Paused(pause) => {
                assert!(!over, "it waits after its end");
                assert!(!self.settings.stops_at_once, "a stopped turn waits");
                let _ = writeln!(self.said, "{pause:?}");
            }
            Verdict::Over(outcome) => {
                assert!(!over, "it ended twice");
                self.outcome = Some(outcome);
            }
        }
        if self.settings.reads_often {
            self.follower.read();
        }
    }

    /// Ends the task and compares what the follower has with what the log shows.
    fn finish(mut self) -> (String, [String; 2]) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            assert!(self.is_paused, "the end of the stream is the end of the turn, unless it waits");
            Outcome::Failed(Failure::internal())
        });
        let _ = writeln!(self.said, "{outcome:?}");
        if self.settings.stops_at_once {
            assert!(matches!(outcome, Outcome::Stopped { .. }), "a stopped turn ended as {outcome:?}");
        }
        let state = match outcome {
            Outcome::Completed => TaskState::Completed,
            Outcome::Failed(failure) => {
                assert!(!failure.message.is_empty() && !failure.code.is_empty());
                TaskState::Failed
            }
            Outcome::InputRequired(_) | Outcome::Rejected(_) => panic!("the fold asks nobody"),
            Outcome::Stopped { .. } => TaskState::Canceled,
        };
        let end = std::sync::Arc::new(Status::plain(state, Timestamp::UNIX_EPOCH));
        self.log.status(end).expect("a task ends once");
        self.log.text(TextArtifact::Answer, "late").expect("what comes late is ignored");
        self.follower.read();
        assert_eq!(self.follower.reader.take(&mut self.follower.batch), Found::Over);
        let task = self.log.snapshot();
        let shown = |kind| task.text(kind).unwrap_or_default();
        assert_eq!(self.follower.texts[0], shown(TextArtifact::Answer));
        assert_eq!(self.follower.texts[1], shown(TextArtifact::Reasoning));
        if self.settings.think == ThinkMode::Drop {
            assert!(!self.said.contains("artifact: Reasoning, delta"), "dropped thoughts were told");
        }
        (self.said, self.follower.texts)
    }
}

/// As the engine does.
fn tell(log: &TaskLog, event: TaskEvent<'_>) {
    let working = || std::sync::Arc::new(Status::plain(TaskState::Working, Timestamp::UNIX_EPOCH));
    match event {
        TaskEvent::Artifact(whole) => log.artifact(whole),
        TaskEvent::Facts(update) => log.learn(update),
        TaskEvent::Progress(_) | TaskEvent::Working => {
            log.status(working()).expect("a running task can work");
        }
        TaskEvent::Replace { artifact, text } => log.replace(artifact, text).expect("inputs are small"),
        TaskEvent::Text { artifact, delta } => {
            assert!(!delta.is_empty(), "an empty delta");
            log.text(artifact, delta).expect("inputs are small");
        }
    }
}

impl Follower {
    fn read(&mut self) {
        while self.reader.take(&mut self.batch) == Found::Events {
            for (at, event) in self.batch.events() {
                assert!(at > self.last, "positions rise");
                self.last = at;
                match event {
                    LogEvent::Artifact(whole) => assert!(!whole.parts.is_empty()),
                    LogEvent::Close { artifact, whole, .. } => {
                        assert_eq!(whole, Some(self.texts[place(artifact)].as_str()), "the closing text");
                    }
                    LogEvent::Status { .. } => self.statuses += 1,
                    LogEvent::Text { append, artifact, text } => {
                        let so_far = &mut self.texts[place(artifact)];
                        if !append {
                            so_far.clear();
                        }
                        so_far.push_str(text);
                    }
                }
            }
        }
    }
}

fn place(artifact: TextArtifact) -> usize {
    match artifact {
        TextArtifact::Answer => 0,
        TextArtifact::Reasoning => 1,
    }
}
