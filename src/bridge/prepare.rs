//! From a plan to a request that Dify takes: the caller's files are uploaded, or their addresses passed on where Dify
//! can reach them by itself.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use serde_json::value::to_raw_value;
use url::Url;

use super::means::Means;
use crate::core::backend::{Sink, TurnRequest};
use crate::core::event::{Failure, FailureSource, Outcome};
use crate::core::message::{Content, Json, Part, Served};
use crate::dify::app_info::AppMode;
use crate::dify::file_kind::{self, FileKind};
use crate::dify::request::{Endpoint, FileMapping, FileSource, Inputs, TurnBody, TurnKind};
use crate::dify::upload::{Upload, UploadContent};
use crate::egress::{FetchError, Reach, Refused};
use crate::translate::plan::Plan;
use crate::translate::slots::{Assignment, Slot};

/// A turn with everything that Dify must be given.
#[derive(Debug)]
pub(super) struct Prepared {
    endpoint: Endpoint,
    query: Option<String>,
    inputs: Vec<(String, Json)>,
    files: Vec<Mapping>,
    workflow_id: Option<String>,
    /// Files that are on the shelf now, by their place among all parts of the task's messages.
    shelved: Vec<(usize, Served)>,
}

/// A file of the message.
#[derive(Debug)]
struct Mapping {
    kind: FileKind,
    source: Source,
}

/// Where Dify has a file from.
#[derive(Debug)]
enum Source {
    Remote(String),
    Upload(String),
}

impl Mapping {
    fn borrow(&self) -> FileMapping<'_> {
        let source = match &self.source {
            Source::Remote(url) => FileSource::Remote(url),
            Source::Upload(id) => FileSource::Upload(id),
        };
        FileMapping { kind: self.kind, source }
    }
}

/// Which endpoint serves an app.
pub(super) fn endpoint(mode: &AppMode) -> Endpoint {
    match mode {
        AppMode::Workflow => Endpoint::Workflow,
        AppMode::Completion => Endpoint::Completion,
        AppMode::Chat
        | AppMode::AgentChat
        | AppMode::AdvancedChat
        | AppMode::Agent
        | AppMode::ChatFamily
        | AppMode::Other(_)
        | AppMode::Unknown => Endpoint::Chat,
    }
}

impl Prepared {
    /// Uploads what has to be uploaded.
    ///
    /// # Errors
    /// The turn's outcome, when a file cannot be had or Dify does not take it, or the turn was stopped.
    pub(super) async fn of(
        means: Means<'_>,
        turn: &TurnRequest,
        mode: &AppMode,
        plan: Plan<'_>,
    ) -> Result<Self, Outcome> {
        let mut files = Vec::new();
        let mut for_inputs = Vec::new();
        let mut shelved = Vec::new();
        for (part, assignment) in &plan.files {
            let placing = place(means, turn, part, assignment);
            let mapping = tokio::select! {
                biased;
                () = turn.stop.cancelled() => return Err(Outcome::Stopped { confirmed: true }),
                mapping = placing => mapping?,
            };
            if let Content::Raw(bytes) = &part.content
                && let Some(served) = means.outlets.keep_input(turn, part, bytes).await
            {
                shelved.push((assignment.part, served));
            }
            match &assignment.slot {
                Slot::Message => files.push(mapping),
                Slot::Input(variable) => {
                    // A kind and an address or id, which always have a JSON form.
                    let json =
                        to_raw_value(&mapping.borrow()).map_err(|_| Outcome::Failed(Failure::internal()))?;
                    for_inputs.push((variable.clone(), Json::from(json)));
                }
            }
        }
        let inputs = plan.resolved.complete(&for_inputs);
        let workflow_id = means.operator.workflow_id.clone().filter(|_| *mode != AppMode::Completion);
        Ok(Self { endpoint: endpoint(mode), query: plan.query, inputs, files, workflow_id, shelved })
    }

    /// Has the history name the files that are on the shelf: what was uploaded is not held for as long as the task is.
    pub(super) fn tell_history(&mut self, turn: &TurnRequest, sink: &mut dyn Sink) {
        for (place, served) in self.shelved.drain(..) {
            let answers = turn.answers.iter().map(|told| &told.message);
            let mut before = 0_usize;
            for message in std::iter::once(&turn.message).chain(answers) {
                let after = before.saturating_add(message.parts.len());
                if (before..after).contains(&place) {
                    sink.shelve(&message.id, place.saturating_sub(before), served);
                    break;
                }
                before = after;
            }
        }
    }

    /// The endpoint that takes it.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Gives the body of the request to `send`.
    pub(super) fn with_body<T>(
        &self,
        turn: &TurnRequest,
        conversation_id: Option<&str>,
        send: impl FnOnce(&TurnBody<'_>) -> T,
    ) -> T {
        let files: Vec<FileMapping<'_>> = self.files.iter().map(Mapping::borrow).collect();
        let workflow_id = self.workflow_id.as_deref();
        let kind = match self.endpoint {
            Endpoint::Chat => TurnKind::Chat {
                query: self.query.as_deref().unwrap_or_default(),
                conversation_id,
                workflow_id,
            },
            Endpoint::Completion => TurnKind::Completion { query: self.query.as_deref() },
            Endpoint::Workflow => TurnKind::Workflow { workflow_id },
        };
        send(&TurnBody {
            user: &turn.user,
            inputs: Inputs(&self.inputs),
            files: &files,
            trace_id: turn.trace_id.as_deref(),
            kind,
        })
    }
}

async fn place(
    means: Means<'_>,
    turn: &TurnRequest,
    part: &Part,
    assignment: &Assignment,
) -> Result<Mapping, Outcome> {
    let kind = assignment.kind;
    let upload = |name: String, media_type: Option<String>, content: UploadContent| async move {
        let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        let upload = Upload { name: &name, media_type: &media_type, user: &turn.user, content };
        means.client.upload(upload).await
    };
    match &part.content {
        Content::Raw(bytes) => {
            let name = name_of(part, None);
            let uploaded = upload(name, part.media_type.clone(), UploadContent::Bytes(bytes.clone())).await;
            let uploaded = uploaded.map_err(|error| Outcome::Failed(error.failure()))?;
            Ok(Mapping { kind, source: Source::Upload(uploaded.id) })
        }
        Content::Url(address) => {
            let url = Url::parse(address).map_err(|_| refused("its address is no URL".to_owned()))?;
            let reach = means.outlets.egress.classify(&url).await.map_err(|why| refused(why.to_string()))?;
            if reach == Reach::Public && url.scheme() == "https" && assignment.may_link {
                return Ok(Mapping { kind, source: Source::Remote(url.into()) });
            }
            if !assignment.may_upload {
                let why =
                    "the app takes only files that Dify can fetch by itself, by public https".to_owned();
                return Err(refused(why));
            }
            let fetched = means.outlets.egress.fetch(&url, assignment.max_bytes).await.map_err(unfetched)?;
            let name = name_of(part, fetched.filename.as_deref());
            let media_type = part.media_type.clone().or(fetched.media_type);
            let (broken, body) = remembering(fetched.body);
            let content = UploadContent::Stream { length: fetched.length, stream: body };
            match upload(name, media_type, content).await {
                Ok(uploaded) => Ok(Mapping { kind, source: Source::Upload(uploaded.id) }),
                Err(error) => {
                    let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
                    Err(broken.map_or_else(|| Outcome::Failed(error.failure()), unfetched))
                }
            }
        }
        Content::Data(_) | Content::Served(_) | Content::Text(_) => Err(Outcome::Failed(Failure::internal())),
    }
}

type Broken = Arc<Mutex<Option<FetchError>>>;

/// The bytes, and where the error is kept that may end them: the upload cannot tell whose it was.
fn remembering(
    body: futures_util::stream::BoxStream<'static, Result<bytes::Bytes, FetchError>>,
) -> (Broken, futures_util::stream::BoxStream<'static, std::io::Result<bytes::Bytes>>) {
    let broken = Broken::default();
    let keeps = Arc::clone(&broken);
    let body = body.map(move |piece| {
        piece.map_err(|error| {
            let told = std::io::Error::other(error.to_string());
            *keeps.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            told
        })
    });
    (broken, body.boxed())
}

/// What Dify is told that the file is called: it goes by the ending.
fn name_of(part: &Part, fetched: Option<&str>) -> String {
    let name = part.filename.as_deref().or(fetched).filter(|name| !name.trim().is_empty()).unwrap_or("file");
    let has_ending =
        name.rsplit_once('.').is_some_and(|(stem, ending)| !stem.is_empty() && !ending.is_empty());
    match file_kind::ending(part.media_type.as_deref(), Some(name)).filter(|_| !has_ending) {
        Some(ending) => format!("{name}.{ending}"),
        None => name.to_owned(),
    }
}

/// The address that the caller gave is not one to go to.
fn refused(why: String) -> Outcome {
    Outcome::Rejected(Failure {
        code: "file_address_refused".into(),
        message: format!("a file of the message cannot be fetched: {why}"),
        retryable: false,
        source: FailureSource::Caller,
    })
}

fn unfetched(error: FetchError) -> Outcome {
    let (code, retryable) = match &error {
        FetchError::Refused(Refused::NotFound { .. }) => ("file_unreachable", true),
        FetchError::Refused(why) => return refused(why.to_string()),
        FetchError::TooLarge { .. } => ("file_too_large", false),
        FetchError::Status(_) | FetchError::Redirects | FetchError::Encoded => ("file_unreachable", false),
        FetchError::Timeout | FetchError::Unreachable { .. } | FetchError::Cut { .. } => {
            ("file_unreachable", true)
        }
    };
    Outcome::Failed(Failure {
        code: code.into(),
        message: format!("a file of the message cannot be fetched: {error}"),
        retryable,
        source: FailureSource::Caller,
    })
}
