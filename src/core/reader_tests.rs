//! The log and its readers together: order, no loss, no doubling, whatever the pace.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::core::ids::{Caller, ContextId, TaskId};
use crate::core::log::{MAX_ARTIFACT_TEXT, TooLong};
use crate::core::state::TaskState;

fn new_log() -> Arc<TaskLog> {
    TaskLog::new(Task {
        id: TaskId::from("t"),
        context_id: ContextId::from("c"),
        caller: Caller::anonymous(),
        created_at: Timestamp::UNIX_EPOCH,
        status: Arc::new(Status::plain(TaskState::Submitted, Timestamp::UNIX_EPOCH)),
        history: Vec::new(),
        artifacts: Vec::new(),
        facts: Arc::default(),
    })
}

fn set(log: &TaskLog, state: TaskState) {
    log.status(Arc::new(Status::plain(state, Timestamp::UNIX_EPOCH))).expect("a legal move");
}

/// What a client keeps of a stream: the text per artifact as the events say.
#[derive(Default)]
struct Client {
    answer: String,
    states: Vec<TaskState>,
    wholes: Vec<String>,
    pieces: usize,
    closed: Option<Option<String>>,
}

impl Client {
    fn hear(&mut self, batch: &Batch) {
        for (_, event) in batch.events() {
            assert!(self.states.last().is_none_or(|state| !state.is_terminal()), "nothing after the end");
            match event {
                LogEvent::Text { append, text, .. } => {
                    self.pieces += 1;
                    if !append {
                        self.answer.clear();
                    }
                    self.answer.push_str(text);
                }
                LogEvent::Artifact(whole) => self.wholes.push(whole.id.clone()),
                LogEvent::Close { whole, .. } => self.closed = Some(whole.map(str::to_owned)),
                LogEvent::Status { status, .. } => self.states.push(status.state),
            }
        }
    }
}

#[test]
fn a_reader_that_keeps_up_gets_every_piece_by_itself_and_a_late_one_gets_them_joined() {
    let log = new_log();
    let (_, mut prompt) = log.follow(Until::End, Closing::Whole);
    let (_, mut late) = log.follow(Until::End, Closing::Mark);
    let mut batch = Batch::default();
    let mut client = Client::default();
    set(&log, TaskState::Working);
    for piece in ["Hel", "lo", " you"] {
        log.text(TextArtifact::Answer, piece).expect("short");
        assert_eq!(prompt.take(&mut batch), Found::Events);
        client.hear(&batch);
        assert_eq!(prompt.take(&mut batch), Found::Nothing);
    }
    set(&log, TaskState::Completed);
    prompt.take(&mut batch);
    client.hear(&batch);
    assert_eq!(prompt.take(&mut batch), Found::Over);
    assert_eq!((client.answer.as_str(), client.pieces), ("Hello you", 3));
    assert_eq!(client.closed, Some(Some("Hello you".to_owned())));
    assert_eq!(client.states, [TaskState::Working, TaskState::Completed]);

    let mut client = Client::default();
    late.take(&mut batch);
    client.hear(&batch);
    assert_eq!((client.answer.as_str(), client.pieces, client.closed), ("Hello you", 1, Some(None)));
    assert_eq!(late.position(), 6);
}

#[test]
fn a_replacement_voids_what_was_said_and_late_readers_see_both() {
    let log = new_log();
    let (_, mut reader) = log.follow(Until::End, Closing::Whole);
    log.text(TextArtifact::Answer, "secret").expect("short");
    log.replace(TextArtifact::Answer, "[gone]").expect("short");
    log.text(TextArtifact::Answer, "!").expect("short");
    let mut batch = Batch::default();
    reader.take(&mut batch);
    let seen: Vec<_> = batch
        .events()
        .filter_map(|(_, event)| match event {
            LogEvent::Text { append, text, .. } => Some((append, text.to_owned())),
            LogEvent::Artifact(_) | LogEvent::Close { .. } | LogEvent::Status { .. } => None,
        })
        .collect();
    assert_eq!(seen, [(false, "secret".to_owned()), (false, "[gone]!".to_owned())]);
    assert_eq!(log.snapshot().answer(), Some("[gone]!"));
    log.replace(TextArtifact::Answer, "").expect("short");
    assert_eq!(log.snapshot().answer(), Some(""));
}

#[test]
fn the_answer_is_the_first_artifact_though_the_thought_came_before_it() {
    let log = new_log();
    log.text(TextArtifact::Reasoning, "hm").expect("short");
    log.text(TextArtifact::Answer, "yes").expect("short");
    for task in
        [log.snapshot(), log.snapshot_at(2).expect("the end"), log.snapshot_at(1).expect("in the log")]
    {
        let first = task.artifacts.first().expect("one");
        let expected = if task.artifacts.len() > 1 { TextArtifact::Answer } else { TextArtifact::Reasoning };
        assert!(first.as_text(expected).is_some());
    }
}

#[test]
fn nothing_is_taken_after_the_end_and_the_first_end_stays() {
    let log = new_log();
    set(&log, TaskState::Canceled);
    log.text(TextArtifact::Answer, "late").expect("ignored");
    let completed = Arc::new(Status::plain(TaskState::Completed, Timestamp::UNIX_EPOCH));
    assert!(log.status(completed).is_err());
    assert_eq!(log.snapshot().status.state, TaskState::Canceled);
    assert!(log.snapshot().artifacts.is_empty());
}

#[test]
fn a_place_in_the_log_gives_the_task_as_it_was_and_exactly_the_rest() {
    let log = new_log();
    set(&log, TaskState::Working);
    log.text(TextArtifact::Answer, "one ").expect("short");
    log.text(TextArtifact::Answer, "two ").expect("short");
    log.text(TextArtifact::Answer, "three").expect("short");
    set(&log, TaskState::Completed);
    let (then, mut reader) = log.follow_from(3, Until::End, Closing::Mark).expect("in the log");
    assert_eq!((then.answer(), then.status.state), (Some("one two "), TaskState::Working));
    let mut batch = Batch::default();
    reader.take(&mut batch);
    let first = batch.events().next();
    assert!(matches!(first, Some((4, LogEvent::Text { append: true, text: "three", .. }))), "{first:?}");
    assert!(log.follow_from(7, Until::End, Closing::Mark).is_none());
}

#[test]
fn a_sending_stream_stops_where_input_is_required_and_a_subscription_does_not() {
    let log = new_log();
    let (_, mut sending) = log.follow(Until::Interrupted, Closing::Mark);
    let (_, mut subscribed) = log.follow(Until::End, Closing::Mark);
    set(&log, TaskState::Working);
    set(&log, TaskState::InputRequired);
    let mut batch = Batch::default();
    sending.take(&mut batch);
    assert_eq!(sending.take(&mut batch), Found::Over);
    subscribed.take(&mut batch);
    assert_eq!(subscribed.take(&mut batch), Found::Nothing);
}

#[test]
fn a_large_piece_becomes_entries_that_end_at_characters() {
    let log = new_log();
    let large = "\u{1F980}".repeat(MAX_ENTRY_TEXT / 2);
    log.text(TextArtifact::Answer, &large).expect("fits");
    let (_, mut reader) = log.follow_from(0, Until::End, Closing::Mark).expect("in the log");
    let mut batch = Batch::default();
    let mut client = Client::default();
    while reader.take(&mut batch) == Found::Events {
        assert!(batch.text.len() <= MAX_BATCH_TEXT + MAX_ENTRY_TEXT);
        client.hear(&batch);
    }
    assert_eq!(client.pieces, 2);
    assert!(client.answer == large);
}

#[test]
fn an_artifact_over_its_limit_is_refused_and_keeps_what_it_had() {
    let log = new_log();
    let half = "x".repeat(MAX_ARTIFACT_TEXT / 2 + 1);
    log.text(TextArtifact::Answer, &half).expect("fits");
    assert_eq!(log.text(TextArtifact::Answer, &half), Err(TooLong(TextArtifact::Answer)));
    assert_eq!(log.snapshot().answer().map(str::len), Some(half.len()));
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_each_append() {
    let log = new_log();
    let (_, mut reader) = log.follow(Until::End, Closing::Mark);
    let writer = Arc::clone(&log);
    let writing = tokio::spawn(async move {
        for _ in 0..1000 {
            writer.text(TextArtifact::Answer, "x").expect("short");
            tokio::task::yield_now().await;
        }
        set(&writer, TaskState::Completed);
    });
    reader.finish().await;
    writing.await.expect("no panic");
    assert_eq!(log.snapshot().answer().map(str::len), Some(1000));
}

proptest! {
    /// Whatever is written and whenever a reader looks, it ends with the same text as the task itself.
    #[test]
    fn u08_every_reader_ends_with_the_same_text(
        writes in proptest::collection::vec((any::<bool>(), ".{0,8}"), 0..40),
        looks in proptest::collection::vec(any::<bool>(), 40),
        resume in any::<prop::sample::Index>(),
    ) {
        let log = new_log();
        let (_, mut reader) = log.follow(Until::End, Closing::Whole);
        let mut client = Client::default();
        let mut batch = Batch::default();
        set(&log, TaskState::Working);
        for ((replace, text), look) in writes.iter().zip(looks) {
            if *replace {
                log.replace(TextArtifact::Answer, text).expect("short");
            } else {
                log.text(TextArtifact::Answer, text).expect("short");
            }
            if look {
                reader.take(&mut batch);
                client.hear(&batch);
            }
        }
        set(&log, TaskState::Completed);
        while reader.take(&mut batch) == Found::Events {
            client.hear(&batch);
        }
        let task = log.snapshot();
        prop_assert_eq!(task.answer().unwrap_or(""), &client.answer);

        // A client that resumes anywhere has the same text in the end.
        let at = seq(resume.index(usize::try_from(reader.position()).expect("small") + 1));
        let (then, mut reader) = log.follow_from(at, Until::End, Closing::Mark).expect("in the log");
        let mut client = Client { answer: then.answer().unwrap_or("").to_owned(), ..Client::default() };
        while reader.take(&mut batch) == Found::Events {
            client.hear(&batch);
        }
        prop_assert_eq!(task.answer().unwrap_or(""), &client.answer);
    }
}

#[test]
fn an_artifact_in_one_piece_is_read_once_and_its_successor_takes_its_place() {
    let log = new_log();
    let (_, mut reader) = log.follow(Until::End, Closing::Whole);
    let whole = |id: &str, text: &str| Whole::of(id, id, crate::core::message::Part::text(text));
    log.text(TextArtifact::Answer, "see").expect("short");
    log.artifact(whole("outputs", "1"));
    log.artifact(whole("file-1", "f"));
    log.artifact(whole("outputs", "2"));
    set(&log, TaskState::Completed);
    log.artifact(whole("late", "x"));
    let (mut batch, mut client) = (Batch::default(), Client::default());
    while reader.take(&mut batch) == Found::Events {
        client.hear(&batch);
    }
    assert_eq!(client.wholes, ["outputs", "file-1", "outputs"]);
    let texts = |task: Task| -> Vec<String> {
        let texts = task.artifacts.iter().map(|artifact| match artifact {
            crate::core::task::Artifact::Text { text, .. } => text.clone(),
            crate::core::task::Artifact::Whole(whole) => whole.parts[0].as_text().expect("text").to_owned(),
        });
        texts.collect()
    };
    assert_eq!(texts(log.snapshot()), ["see", "2", "f"]);
    assert_eq!(texts(log.snapshot_at(2).expect("in the log")), ["see", "1"]);
    assert_eq!(log.size(), "see2f".len());
}
