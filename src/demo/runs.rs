//! Runs of workflows and what can be stopped: runs are found by id, by task or by the form they wait for. A run goes
//! on whether or not somebody reads it. Bounded: the oldest run that is over is forgotten first.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::frames::Node;
use super::stream::{After, Frame};
use super::wire::{Object, frame, object};
use crate::demo::approval::form::Form;

/// Runs that are kept.
const MAX_RUNS: usize = 256;
/// Frames that a slow reader may lag behind, as in Dify.
const BACKLOG: usize = 2048;

/// The app's and the workflow's id; there is one of each.
pub(super) const APP_ID: Uuid = Uuid::from_u128(0x6d5a_1f0c_4b2e_4c7a_9a51_0de0_0a99_0001);
pub(super) const WORKFLOW_ID: Uuid = Uuid::from_u128(0x6d5a_1f0c_4b2e_4c7a_9a51_0de0_0a99_0002);

/// The message that a run of a chatflow makes.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    /// Where.
    pub(super) conversation: Uuid,
    /// Its id.
    pub(super) message: Uuid,
    /// What was asked.
    pub(super) query: String,
    /// How many turns the conversation has had with this one.
    pub(super) turns: usize,
}

/// A run.
#[derive(Debug)]
pub(super) struct Run {
    /// Its id.
    pub(super) id: Uuid,
    /// Its id for stopping.
    pub(super) task: Uuid,
    /// Whose it is.
    pub(super) user: String,
    /// When it was begun, Unix seconds.
    pub(super) created_at: i64,
    /// The values of the form.
    pub(super) inputs: Object,
    /// The message it makes, if it is a chatflow's.
    pub(super) talk: Option<Talk>,
    /// Fires when it shall stop.
    pub(super) stop: CancellationToken,
    story: Mutex<Story>,
}

/// How far a run is.
#[derive(Debug)]
pub(super) struct Story {
    /// `running`, `paused`, `succeeded`, `failed`, `stopped`.
    pub(super) status: &'static str,
    /// What came out.
    pub(super) outputs: Object,
    /// Files among that.
    pub(super) files: Vec<Object>,
    /// Why it went wrong.
    pub(super) error: Option<&'static str>,
    /// When the stretch that runs, or ran last, was begun.
    pub(super) began: (Instant, i64),
    /// When it was over, Unix seconds.
    pub(super) finished_at: Option<i64>,
    /// How long the last stretch took, seconds.
    pub(super) elapsed: f64,
    /// Tokens in all.
    pub(super) tokens: usize,
    /// Nodes, in the order they were begun.
    pub(super) steps: Vec<Step>,
    /// What a chatflow has said.
    pub(super) answer: String,
    /// What it waits for, or waited for.
    pub(super) form: Option<Form>,
    /// Where frames go, until it is over.
    live: Option<broadcast::Sender<Frame>>,
}

/// A node that was begun.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its execution's id.
    pub(super) id: Uuid,
    /// Which node.
    pub(super) node: Node,
    /// `running`, `paused`, `succeeded`, `failed`.
    pub(super) status: &'static str,
    /// When it was begun.
    pub(super) began: (Instant, i64),
    /// How long it took, seconds.
    pub(super) elapsed: f64,
    /// When it was over, Unix seconds.
    pub(super) finished_at: i64,
}

/// Unix seconds.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Seconds since then, with six digits as Dify has them.
pub(super) fn seconds_since(then: Instant) -> f64 {
    (then.elapsed().as_secs_f64() * 1e6).round() / 1e6
}

impl Run {
    /// A run that has not begun.
    pub(super) fn new(user: &str, inputs: Object, talk: Option<Talk>) -> Self {
        let created_at = now();
        Self {
            id: Uuid::new_v4(),
            task: Uuid::new_v4(),
            user: user.to_owned(),
            created_at,
            inputs,
            talk,
            stop: CancellationToken::new(),
            story: Mutex::new(Story {
                status: "running",
                outputs: Object::new(),
                files: Vec::new(),
                error: None,
                began: (Instant::now(), created_at),
                finished_at: None,
                elapsed: 0.0,
                tokens: 0,
                steps: Vec::new(),
                answer: String::new(),
                form: None,
                live: Some(broadcast::Sender::new(BACKLOG)),
            }),
        }
    }

    /// How far it is. Frames wait while this is held.
    pub(super) fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all readers, in one step with what `change` does to the story.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Story) -> (Object, After)) {
        let mut story = self.story();
        let (event, after) = change(&mut story);
        if let Some(live) = &story.live {
            // Nobody may be reading.
            drop(live.send(Frame { bytes: frame(&event), after }));
        }
        if after == After::Finished {
            story.live = None;
        }
    }

    /// Waits so long, or until it is stopped. Whether it goes on.
    pub(super) async fn goes_on_after(&self, pause: Duration) -> bool {
        if !pause.is_zero() {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        !self.stop.is_cancelled()
    }

    /// What Dify adds to the inputs; a resumed chatflow counts one more turn.
    pub(super) fn system_inputs(&self, resumed: bool, stamped: bool) -> Object {
        let mut inputs = Object::new();
        if let Some(talk) = &self.talk {
            inputs = inputs.with("sys.query", &talk.query);
        }
        inputs = inputs.with("sys.files", &[(); 0]).with("sys.user_id", &self.user);
        if let Some(talk) = &self.talk {
            inputs = inputs.with("sys.dialogue_count", &(talk.turns + usize::from(resumed)));
        }
        inputs = inputs.with("sys.app_id", &APP_ID.to_string());
        if stamped {
            inputs = inputs.with("sys.timestamp", &self.created_at);
        }
        inputs
            .with("sys.workflow_id", &WORKFLOW_ID.to_string())
            .with("sys.workflow_run_id", &self.id.to_string())
    }

    /// The user as Dify tells it.
    pub(super) fn created_by(&self) -> Object {
        let id = Uuid::new_v5(&APP_ID, self.user.as_bytes());
        object! {"id": id.to_string(), "user": self.user}
    }
}

impl Story {
    /// All frames that come from now on; none if it is over.
    pub(super) fn subscribe(&self) -> Option<Receiver<Frame>> {
        self.live.as_ref().map(broadcast::Sender::subscribe)
    }
}

/// All runs of one app.
#[derive(Debug, Default)]
pub(super) struct Runs {
    kept: Mutex<VecDeque<Arc<Run>>>,
    working: Mutex<JoinSet<()>>,
}

impl Runs {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Run>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a run.
    pub(super) fn keep(&self, run: Arc<Run>) {
        let mut kept = self.kept();
        if kept.len() >= MAX_RUNS {
            let over = kept.iter().position(|run| run.story().finished_at.is_some());
            kept.remove(over.unwrap_or_default());
        }
        kept.push_back(run);
    }

    /// Works on a run until it is over or pauses.
    pub(super) fn work(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        while working.try_join_next().is_some() {}
        working.spawn(work);
    }

    fn find(&self, is_it: impl Fn(&Run) -> bool) -> Option<Arc<Run>> {
        self.kept().iter().find(|run| is_it(run)).cloned()
    }

    /// The run with this id.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Run>> {
        let id: Uuid = id.parse().ok()?;
        self.find(|run| run.id == id)
    }

    /// The run with this task.
    pub(super) fn of_task(&self, task: &str) -> Option<Arc<Run>> {
        let task: Uuid = task.parse().ok()?;
        self.find(|run| run.task == task)
    }

    /// The run that waits, or waited, for the form with this token.
    pub(super) fn of_form(&self, token: &str) -> Option<Arc<Run>> {
        self.find(|run| run.story().form.as_ref().is_some_and(|form| form.token == token))
    }
}

/// What can be stopped by its user: tasks of apps that have no runs.
#[derive(Debug, Default)]
pub(super) struct Stops(Mutex<HashMap<Uuid, (String, CancellationToken)>>);

impl Stops {
    fn tasks(&self) -> MutexGuard<'_, HashMap<Uuid, (String, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new task of this user, and what fires when it shall stop.
    pub(super) fn register(&self, user: &str) -> (Uuid, CancellationToken) {
        let (task, stop) = (Uuid::new_v4(), CancellationToken::new());
        self.tasks().insert(task, (user.to_owned(), stop.clone()));
        (task, stop)
    }

    /// Asks a task to stop; nothing happens unless it is this user's.
    pub(super) fn stop(&self, task: Uuid, user: &str) {
        if let Some((_, stop)) = self.tasks().get(&task).filter(|(owner, _)| owner == user) {
            stop.cancel();
        }
    }

    /// Forgets a task that is over.
    pub(super) fn forget(&self, task: Uuid) {
        self.tasks().remove(&task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_of_a_task_stops_it() {
        let stops = Stops::default();
        let (task, stop) = stops.register("alice");
        stops.stop(task, "mallory");
        assert!(!stop.is_cancelled());
        stops.stop(task, "alice");
        assert!(stop.is_cancelled());
        stops.forget(task);
        assert!(stops.tasks().is_empty());
    }

    #[test]
    fn the_oldest_run_that_is_over_is_forgotten_first() {
        let runs = Runs::default();
        let all: Vec<Arc<Run>> =
            (0..=MAX_RUNS).map(|_| Arc::new(Run::new("alice", Object::new(), None))).collect();
        all[1].story().finished_at = Some(1);
        for run in &all {
            runs.keep(Arc::clone(run));
        }
        let found = |run: &Run| runs.get(&run.id.to_string()).is_some();
        assert!(found(&all[0]) && !found(&all[1]) && found(&all[MAX_RUNS]));
        assert!(runs.of_task(&all[0].task.to_string()).is_some());
        runs.keep(Arc::new(Run::new("alice", Object::new(), None)));
        assert!(!found(&all[0]), "if none is over, the oldest");
    }
}
