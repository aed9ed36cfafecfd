//! The composition: settings in, a gateway ready to serve out. The only place that knows every part.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bridge::afterwards::Afterwards;
use crate::bridge::backend::{self, DifyBackend, MissingInputs};
use crate::bridge::outlets::Outlets;
use crate::config::{self, Settings};
use crate::core::clock::{Clock, SystemClock};
use crate::core::engine::{Engine, Limits, Parts, UserPolicy};
use crate::core::ids::{IdSource, RandomIds};
use crate::core::progress::Level;
use crate::core::reader::Closing;
use crate::dify::client::{Client, ClientSettings, SetupError};
use crate::edge;
use crate::edge::base_path::strip_base;
use crate::edge::card::{CardSource, CardStyle, Offer, Overlay, OverlayError};
use crate::edge::discovery::Cards;
use crate::edge::public_url::{Proxies, PublicUrl};
use crate::edge::routes::{self, Edge, EdgeSettings, Origins};
use crate::egress::{self, Egress};
use crate::files::{Shelf, ShelfSettings};
use crate::store::memory::MemoryStore;
use crate::translate::operator::Operator;
use crate::translate::think::ThinkMode;

/// How often Dify is asked anew what the app is; its author may publish at any time.
const REFRESH_EVERY: Duration = Duration::from_secs(300);

/// How often while Dify has not answered yet.
const RETRY_EVERY: Duration = Duration::from_secs(10);

/// How often files whose task is no longer kept are looked for.
const CLEAR_EVERY: Duration = Duration::from_secs(60);

/// How long the end waits for what still goes on between the gateway and Dify, such as a last stop.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// How long the start waits for Dify's first word about the app, so that the first card is the right one.
const FIRST_REFRESH: Duration = Duration::from_secs(2);

/// Why a gateway cannot be made of its settings.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The card file cannot be read.
    #[error("the card file {file} cannot be read: {error}")]
    CardFile {
        /// Which file.
        file: String,
        /// Why not.
        error: std::io::Error,
    },
    /// The card file says what it cannot say.
    #[error("the card file {file} is wrong: {error}")]
    CardContent {
        /// Which file.
        file: String,
        /// What is wrong.
        error: OverlayError,
    },
    /// The client for Dify cannot be set up.
    #[error(transparent)]
    Client(#[from] SetupError),
    /// The client for everybody else cannot be set up.
    #[error("files cannot be fetched: {0}")]
    Egress(#[from] egress::SetupError),
    /// There is nowhere to put files.
    #[error("the folder for files cannot be made in {dir} (FILES_DIR): {error}; or set FILES=link")]
    FilesDir {
        /// Where it should be.
        dir: String,
        /// Why it cannot.
        error: std::io::Error,
    },
}

/// Where a gateway listens.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// For everything.
    pub main: SocketAddr,
    /// For gRPC alone, if it has a port of its own.
    pub grpc: Option<SocketAddr>,
}

impl From<SocketAddr> for Listening {
    fn from(main: SocketAddr) -> Self {
        Self { main, grpc: None }
    }
}

/// A gateway without its listener.
pub struct App {
    /// The engine, for an orderly end.
    pub engine: Engine,
    /// Every route, but for those of gRPC if it has a port of its own.
    pub router: Router,
    /// The routes of gRPC for that port.
    pub grpc_router: Option<Router>,
    /// What Dify is asked through.
    pub backend: Arc<DifyBackend>,
    /// What goes on between the gateway and Dify after turns.
    afterwards: Afterwards,
    /// The files of answers, and how long they are kept.
    keeping: Option<(Shelf, Duration)>,
    /// Asks Dify for the app from time to time, and clears the shelf, until `stop`.
    refreshing: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Puts a gateway together that listens there.
    ///
    /// # Errors
    /// [`AppError`] when the settings, though well-formed, cannot be used.
    pub fn new(settings: &Settings, listening: impl Into<Listening>) -> Result<Self, AppError> {
        Self::with_limits(settings, listening, backend::Limits::default())
    }

    /// As [`App::new`], with other bounds of waiting for Dify than the usual ones.
    ///
    /// # Errors
    /// [`AppError`].
    pub fn with_limits(
        settings: &Settings,
        listening: impl Into<Listening>,
        waits: backend::Limits,
    ) -> Result<Self, AppError> {
        let Listening { main, grpc } = listening.into();
        let afterwards = Afterwards::default();
        let shelf = shelf(settings)?;
        let backend = Arc::new(backend_with(settings, waits, shelf.clone(), afterwards.clone())?);
        let ids: Arc<dyn IdSource> = Arc::new(RandomIds);
        let parts = Parts {
            backend: Arc::clone(&backend) as Arc<_>,
            clock: Arc::new(SystemClock),
            ids: Arc::clone(&ids),
            store: Arc::new(MemoryStore::new(settings.store.ttl, settings.store.max_tasks)),
        };
        let engine = Engine::new(parts, limits(settings));
        let proxies = Proxies::new(settings.server.trusted_proxies.clone());
        let public_url = settings.server.public_url.as_ref();
        let public_url = Arc::new(PublicUrl::new(public_url, proxies, format!("http://{main}")));
        let source = card_source(settings, grpc.map(|addr| addr.port()))?;
        let edge = Arc::new(Edge {
            cards: Cards::new(source, Arc::clone(&public_url), SystemClock.now()),
            engine: engine.clone(),
            files: shelf.clone(),
            ids,
            settings: edge_settings(settings),
        });
        let grpc_router = grpc.map(|_| edge::grpc::router(Arc::clone(&edge)));
        let router = strip_base(routes::router(edge, grpc_router.is_some()), public_url);
        let (refreshing, stop) = (TaskTracker::new(), CancellationToken::new());
        let keeping = shelf.map(|shelf| (shelf, settings.store.ttl));
        Ok(Self { engine, router, grpc_router, backend, afterwards, keeping, refreshing, stop })
    }

    /// Learns what the app is, now and again from time to time. Dify may be away: the gateway starts all the same,
    /// and says so where it is asked whether it is ready.
    pub async fn begin(&self) {
        let backend = Arc::clone(&self.backend);
        let first = self.refreshing.spawn(async move { refresh(&backend).await });
        // Late or failed, it goes on below.
        let _ = tokio::time::timeout(FIRST_REFRESH, first).await;
        if let Some((shelf, ttl)) = self.keeping.clone() {
            let stop = self.stop.clone();
            self.refreshing.spawn(async move {
                while stop.run_until_cancelled(tokio::time::sleep(CLEAR_EVERY)).await.is_some() {
                    shelf.sweep(SystemClock.now(), ttl);
                }
            });
        }
        let (backend, stop) = (Arc::clone(&self.backend), self.stop.clone());
        self.refreshing.spawn(async move {
            let mut wait = RETRY_EVERY;
            while stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
                let done = stop.run_until_cancelled(refresh(&backend)).await;
                wait = if done == Some(true) { REFRESH_EVERY } else { RETRY_EVERY };
            }
        });
    }

    /// Ends everything in order: running turns may end by themselves until `grace` is over.
    pub async fn end(&self, grace: impl Future<Output = ()>) {
        self.engine.drain(grace).await;
        self.stop.cancel();
        self.refreshing.close();
        let ending = async { tokio::join!(self.refreshing.wait(), self.afterwards.end()) };
        if tokio::time::timeout(LAST_CALLS, ending).await.is_err() {
            tracing::warn!(calls = self.afterwards.len(), "calls to Dify were still under way");
        }
    }
}

/// Asks Dify what the app is. `true` if it answered.
async fn refresh(backend: &DifyBackend) -> bool {
    match backend.refresh().await {
        Ok(app) => {
            let version = app.version.as_deref().unwrap_or("unknown");
            tracing::debug!(app.mode = app.mode.name(), dify.version = version, "asked Dify for the app");
            for problem in &app.problems {
                tracing::error!(problem, "the app cannot be served");
            }
            true
        }
        Err(error) => {
            tracing::warn!(%error, "Dify did not say what the app is; asking again soon");
            false
        }
    }
}

/// The backend that these settings describe, for asking what the app is.
///
/// # Errors
/// [`AppError`] when the settings cannot be used.
pub fn dify_backend(settings: &Settings, afterwards: Afterwards) -> Result<DifyBackend, AppError> {
    backend_with(settings, backend::Limits::default(), None, afterwards)
}

/// The shelf for the files of answers, if the gateway is to serve them.
///
/// # Errors
/// [`AppError::FilesDir`].
pub fn shelf(settings: &Settings) -> Result<Option<Shelf>, AppError> {
    if settings.dify.files == config::FileDelivery::Link {
        return Ok(None);
    }
    let files = &settings.files;
    let made = Shelf::new(ShelfSettings {
        dir: files.dir.clone(),
        max_file_bytes: bytes(files.max_bytes),
        max_total_bytes: bytes(files.max_total),
    });
    made.map(Some).map_err(|error| {
        let dir = files.dir.clone().unwrap_or_else(std::env::temp_dir);
        AppError::FilesDir { dir: dir.display().to_string(), error }
    })
}

/// A size as files have it.
fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

fn outlets(settings: &Settings, shelf: Option<Shelf>) -> Result<Outlets, AppError> {
    Ok(Outlets {
        egress: Egress::new(settings.push.egress_allow.clone(), egress::Limits::default())?,
        shelf,
        max_bytes: bytes(settings.files.max_bytes),
        dify: settings.dify.url.clone(),
        clock: Arc::new(SystemClock),
    })
}

fn backend_with(
    settings: &Settings,
    limits: backend::Limits,
    shelf: Option<Shelf>,
    afterwards: Afterwards,
) -> Result<DifyBackend, AppError> {
    let dify = &settings.dify;
    let client = Client::new(&ClientSettings {
        url: dify.url.to_string(),
        key: dify.key.clone(),
        connect_timeout: dify.connect_timeout,
        idle_timeout: dify.idle_timeout,
    })?;
    let outlets = outlets(settings, shelf)?;
    let turn_settings = backend::Settings {
        first_event_timeout: dify.first_event_timeout,
        turn_timeout: dify.turn_timeout,
        think: match dify.think {
            config::Think::Drop => ThinkMode::Drop,
            config::Think::Keep => ThinkMode::Keep,
            config::Think::Metadata => ThinkMode::Metadata,
        },
        missing_inputs: match dify.missing_inputs {
            config::MissingInputs::Ask => MissingInputs::Ask,
            config::MissingInputs::Reject => MissingInputs::Reject,
        },
        suggested: dify.suggested,
        limits,
    };
    Ok(DifyBackend::new(client, turn_settings, operator(dify), outlets, afterwards))
}

/// What these settings say of the app's inputs.
pub fn operator(dify: &config::Dify) -> Operator {
    Operator {
        inputs: dify.inputs.0.clone(),
        locked_inputs: dify.locked_inputs.clone(),
        query_input: dify.query_input.clone(),
        workflow_id: dify.workflow_id.clone(),
    }
}

/// The card that these settings describe. `grpc_port` is the port that gRPC has for itself.
///
/// # Errors
/// [`AppError`] when the card file cannot be used.
pub fn card_source(settings: &Settings, grpc_port: Option<u16>) -> Result<CardSource, AppError> {
    let style = match settings.card.style {
        config::CardStyle::Hybrid => CardStyle::Hybrid,
        config::CardStyle::V1 => CardStyle::V1,
    };
    let server = &settings.server;
    let offer = Offer { bindings: server.bindings.clone(), grpc_port, grpc_url: server.grpc_url.clone() };
    let Some(path) = &settings.card.file else {
        return Ok(CardSource::new(style, offer, Overlay::default()));
    };
    let file = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Err(AppError::CardFile { file, error }),
    };
    match Overlay::parse(&text) {
        Ok(overlay) => Ok(CardSource::new(style, offer, overlay)),
        Err(error) => Err(AppError::CardContent { file, error }),
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        idempotency_window: settings.server.idempotency_window,
        max_concurrent_turns: settings.server.max_concurrent_turns,
        user: match &settings.dify.user {
            config::DifyUser::Auto => UserPolicy::Auto,
            config::DifyUser::Context => UserPolicy::Context,
            config::DifyUser::Fixed(name) => UserPolicy::Fixed(name.clone()),
        },
    }
}

fn edge_settings(settings: &Settings) -> EdgeSettings {
    let server = &settings.server;
    EdgeSettings {
        bindings: server.bindings.clone(),
        closing: match server.answer_close {
            config::AnswerClose::Delta => Closing::Mark,
            config::AnswerClose::Whole => Closing::Whole,
        },
        keep_alive: server.keep_alive,
        progress: match settings.dify.progress {
            config::ProgressLevel::Off => Level::Off,
            config::ProgressLevel::Brief => Level::Brief,
            config::ProgressLevel::Full => Level::Full,
        },
        max_body_bytes: server.max_body_bytes,
        origins: match &server.cors {
            config::Cors::Any => Origins::Any,
            config::Cors::Off => Origins::Off,
            config::Cors::Only(origins) => Origins::Listed(origins.clone()),
        },
    }
}
