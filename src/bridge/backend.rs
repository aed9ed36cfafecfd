//! A Dify app as the core's backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::afterwards::Afterwards;
use super::means::Means;
use super::outlets::Outlets;
use super::{accept, run, watch};
use crate::core::backend::{Backend, Profile, Readiness, Said, Sink, TurnRequest};
use crate::core::error::Error as CoreError;
use crate::core::event::{Outcome, Parked};
use crate::dify::app_info::{self, AppInfo, AppMode};
use crate::dify::client::Client;
use crate::dify::error::Error;
use crate::dify::framing::MAX_EVENT_BYTES;
use crate::translate::operator::Operator;
use crate::translate::profile;
use crate::translate::think::ThinkMode;

/// How long a turn waits for what Dify says of the app.
const APP_LIMIT: Duration = Duration::from_secs(10);

/// How long an answer about readiness is good for.
const READINESS_AGE: Duration = Duration::from_secs(5);

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long Dify may take, from the request to its first data frame. Pings do not count.
    pub first_event_timeout: Duration,
    /// How long one whole turn may take.
    pub turn_timeout: Duration,
    /// What becomes of a model's thoughts.
    pub think: ThinkMode,
    /// What happens when a required input is missing.
    pub missing_inputs: MissingInputs,
    /// Whether questions to go on with are asked for after each answer.
    pub suggested: bool,
    /// What is the same everywhere but in tests.
    pub limits: Limits,
}

/// What happens when a required input is missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MissingInputs {
    /// The task asks for it.
    #[default]
    Ask,
    /// The request is refused.
    Reject,
}

/// The bounds of waiting that nobody has to set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Waits before the second and the third try of a request that Dify did not begin.
    pub backoff: [Duration; 2],
    /// Silence after which Dify is asked whether it has the conversation; at most half of the time for the first frame.
    pub conversation_check: Duration,
    /// How long the rest of a stream is read once the turn is over.
    pub drain: Duration,
    /// How long the files of an answer are waited for once it is complete.
    pub files: Duration,
    /// How long the details of a decided turn are waited for.
    pub grace: Duration,
    /// Wait before the first look at a run that waits for people, and the longest wait between two looks.
    pub look: (Duration, Duration),
    /// Largest event of a stream, bytes.
    pub max_event_bytes: usize,
    /// How long, from the request, a stream is read on after its turn was stopped, until it names Dify's task; at
    /// most the time for the first frame. Once the gateway ends, only `stop_before_begin` longer.
    pub pursuit: Duration,
    /// How long a stream may go on after the stop endpoint was called. Dify looks about once a second.
    pub stop_after_call: Duration,
    /// How long a stop waits for the first frame, without which Dify's task has no name.
    pub stop_before_begin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backoff: [Duration::from_millis(250), Duration::from_secs(1)],
            conversation_check: Duration::from_secs(3),
            drain: Duration::from_secs(2),
            files: Duration::from_secs(60),
            grace: Duration::from_secs(2),
            look: (Duration::from_secs(3), Duration::from_secs(30)),
            max_event_bytes: MAX_EVENT_BYTES,
            pursuit: Duration::from_secs(30),
            stop_after_call: Duration::from_secs(5),
            stop_before_begin: Duration::from_secs(3),
        }
    }
}

/// The backend.
#[derive(Debug)]
pub struct DifyBackend {
    client: Client,
    settings: Settings,
    afterwards: Afterwards,
    outlets: Outlets,
    operator: Operator,
    app: ArcSwap<AppInfo>,
    profile: ArcSwap<Profile>,
    readiness: ArcSwapOption<Known>,
    is_probing: AtomicBool,
}

/// What was found when Dify was last asked whether it is there.
#[derive(Debug)]
struct Known {
    at: Instant,
    readiness: Readiness,
}

impl DifyBackend {
    /// A backend that talks through `client`. Asks Dify nothing yet.
    ///
    /// What goes on after a turn (reading the rest of its stream, a stop) runs under `afterwards`, for
    /// [`Limits::pursuit`] and some seconds at most; once that ends, for [`Limits::stop_before_begin`], the 5 s of a
    /// small call and [`Limits::drain`] at most, together 10 s.
    pub fn new(
        client: Client,
        settings: Settings,
        operator: Operator,
        outlets: Outlets,
        afterwards: Afterwards,
    ) -> Self {
        Self {
            client,
            settings,
            afterwards,
            outlets,
            operator,
            app: ArcSwap::default(),
            profile: ArcSwap::default(),
            readiness: ArcSwapOption::empty(),
            is_probing: AtomicBool::new(false),
        }
    }

    /// Asks Dify anew what the app is. For the start and for every few minutes, since authors republish.
    ///
    /// # Errors
    /// [`Error`] when Dify cannot tell; what was known before stays.
    pub async fn refresh(&self) -> Result<Arc<AppInfo>, Error> {
        let app = Arc::new(AppInfo::detect(&self.client).await?.keeping(&self.app.load()));
        self.profile.store(Arc::new(profile::of(&app, &self.operator)));
        self.app.store(Arc::clone(&app));
        Ok(app)
    }

    async fn probe(&self) -> Readiness {
        if let Some(problem) = self.app.load().mode.problem() {
            return Readiness::NotReady(problem);
        }
        match app_info::reach(&self.client).await {
            Ok(()) => Readiness::Ready,
            Err(error) => Readiness::NotReady(error.to_string()),
        }
    }

    async fn cached_readiness(&self) -> Readiness {
        let known = self.readiness.load_full();
        if let Some(known) = &known
            && known.at.elapsed() < READINESS_AGE
        {
            return known.readiness.clone();
        }
        // One asks; the others make do with what was found before, if anything was.
        let is_first = !self.is_probing.swap(true, Ordering::AcqRel);
        if let (false, Some(known)) = (is_first, &known) {
            return known.readiness.clone();
        }
        let _asking = is_first.then(|| Asking(&self.is_probing));
        let readiness = self.probe().await;
        self.readiness.store(Some(Arc::new(Known { at: Instant::now(), readiness: readiness.clone() })));
        readiness
    }
}

impl DifyBackend {
    fn means(&self) -> Means<'_> {
        Means {
            client: &self.client,
            settings: &self.settings,
            afterwards: &self.afterwards,
            outlets: &self.outlets,
            operator: &self.operator,
        }
    }

    /// What is known of the app. If that is nothing, Dify is asked once more.
    async fn known_app(&self) -> Arc<AppInfo> {
        let app = self.app.load_full();
        if app.mode != AppMode::Unknown {
            return app;
        }
        match tokio::time::timeout(APP_LIMIT, self.refresh()).await {
            Ok(Ok(app)) => app,
            // The turn itself will tell what is wrong with Dify.
            Ok(Err(_)) | Err(_) => app,
        }
    }
}

/// How a turn sees the app.
pub(super) struct App<'a> {
    pub(super) means: Means<'a>,
    /// The app as it was when the turn began.
    pub(super) info: Arc<AppInfo>,
    backend: &'a DifyBackend,
}

impl App<'_> {
    /// The app as it is now, if Dify tells.
    pub(super) async fn again(&self) -> Option<Arc<AppInfo>> {
        tokio::time::timeout(APP_LIMIT, self.backend.refresh()).await.ok()?.ok()
    }
}

impl Backend for DifyBackend {
    fn accept<'a>(&'a self, said: Said<'a>) -> BoxFuture<'a, Result<(), CoreError>> {
        let app = self.app.load_full();
        async move { accept::message(self.means(), &app, said).await }.boxed()
    }

    fn accept_answer<'a>(
        &'a self,
        parked: &'a Parked,
        said: Said<'a>,
    ) -> BoxFuture<'a, Result<(), CoreError>> {
        let app = self.app.load_full();
        async move { accept::an_answer(self.means(), &app, parked, said).await }.boxed()
    }

    fn run<'a>(&'a self, turn: TurnRequest, sink: &'a mut dyn Sink) -> BoxFuture<'a, Outcome> {
        async move {
            if turn.stop.is_cancelled() {
                // Nothing runs at Dify yet, or it waits and is left waiting.
                let confirmed = !turn.resume.as_ref().is_some_and(|resume| resume.parked.leaves_work);
                return Outcome::Stopped { confirmed };
            }
            let app = App { means: self.means(), info: self.known_app().await, backend: self };
            run::run(&app, &turn, sink).await
        }
        .boxed()
    }

    fn watch<'a>(&'a self, parked: &'a Parked) -> BoxFuture<'a, ()> {
        watch::watch(&self.client, self.settings.limits.look, parked).boxed()
    }

    fn readiness(&self) -> BoxFuture<'_, Readiness> {
        self.cached_readiness().boxed()
    }

    fn profile(&self) -> Arc<Profile> {
        self.profile.load_full()
    }
}

/// Holds the flag that somebody is asking, however the asking ends.
struct Asking<'a>(&'a AtomicBool);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
