//! What goes on after a turn: reading the rest of its stream, telling Dify to stop.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The owner of what goes on after turns. Cloning it gives another handle on the same one.
#[derive(Clone, Debug, Default)]
pub struct Afterwards {
    tracker: TaskTracker,
    ending: CancellationToken,
}

impl Afterwards {
    /// Runs `work`, which bounds itself.
    pub fn spawn<F>(&self, work: F)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(work);
    }

    /// Done when the gateway begins to end.
    pub async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// The gateway ends: what goes on is told so, and is waited for.
    pub async fn end(&self) {
        self.ending.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Done when nothing goes on, without telling anything to end.
    #[cfg(test)]
    pub(super) async fn idle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// How many things go on.
    pub fn len(&self) -> usize {
        self.tracker.len()
    }

    /// Whether nothing goes on.
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }
}
