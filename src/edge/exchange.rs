//! One request between a binding and the core: a decoded request goes in, what came of it comes out. Knows neither HTTP
//! nor gRPC nor any wire form, so that every binding does the same.
//!
//! What may take a while comes in two steps: [`Exchange::begin`] says whether the request is refused, and only then is
//! there something to wait for ([`Begun::Later`]) or to follow ([`Begun::Stream`]).

use std::pin::Pin;
use std::sync::Arc;

use super::dialect::{self, Call, Dialect, Page, Request, StreamEnd};
use super::error::EdgeError;
use super::headers::Asked;
use super::view::View;
use super::{Edge, extension};
use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, List, Send as SendMessage, Subscribe};
use crate::core::engine::Sent;
use crate::core::error::Error;
use crate::core::ids::Caller;
use crate::core::log::TaskLog;
use crate::core::message::Json;
use crate::core::progress::Level;
use crate::core::reader::{Closing, Reader, Until};
use crate::core::task::Task;

/// One request on its way.
#[derive(Clone)]
pub struct Exchange {
    edge: Arc<Edge>,
    caller: Caller,
    dialect: &'static dyn Dialect,
    asked: Asked,
    /// The gateway's base address as the client knows it.
    base: String,
}

/// What a request came to, once it is not refused.
pub enum Begun {
    /// The answer is there.
    Answer(Answer),
    /// The answer takes a while. Dropping the future leaves the task as it is.
    Later(Later),
    /// A stream.
    Stream(Followed),
}

/// An answer to come.
pub type Later = Pin<Box<dyn Future<Output = Result<Answer, EdgeError>> + Send>>;

/// An answer, not yet in any wire form.
#[derive(Debug)]
pub enum Answer {
    /// A page of a list of tasks.
    Page(Listed, View),
    /// The task of a message that was sent.
    Sent(Task, View),
    /// A task that was read or canceled.
    Task(Task, View),
}

/// A page of a list of tasks, cut to what was asked for.
#[derive(Debug)]
pub struct Listed {
    tasks: Vec<Task>,
    more: bool,
    page_size: usize,
    total: usize,
}

/// A stream of one task: the task as it is, and the reader that goes on from there.
pub struct Followed {
    /// The task at the reader's place.
    pub task: Task,
    /// What comes after.
    pub reader: Reader,
    /// When the stream ends.
    pub end: StreamEnd,
    /// How the request sees the task.
    pub view: View,
}

impl Listed {
    /// The page as encoders take it.
    pub fn page(&self) -> Page<'_> {
        let Self { tasks, more, page_size, total } = self;
        Page { tasks, more: *more, page_size: *page_size, total: *total }
    }
}

impl Answer {
    /// Appends the answer in the form of `dialect`.
    pub fn write(&self, buf: &mut Vec<u8>, dialect: &dyn Dialect) {
        match self {
            Self::Page(listed, view) => dialect.list_result(buf, &listed.page(), view),
            Self::Sent(task, view) => dialect.send_result(buf, task, view),
            Self::Task(task, view) => dialect.task(buf, task, view),
        }
    }
}

impl Exchange {
    /// A request of `dialect` that says this beside its body. `base` is the gateway's address as the client knows it.
    pub fn new(
        edge: Arc<Edge>,
        caller: Caller,
        dialect: &'static dyn Dialect,
        asked: Asked,
        base: String,
    ) -> Self {
        Self { edge, caller, dialect, asked, base }
    }

    /// What must hold whatever is asked: a version that fits, and the extensions that the card demands.
    ///
    /// # Errors
    /// [`EdgeError::VersionNotSupported`], [`EdgeError::ExtensionRequired`].
    pub fn admit(&self) -> Result<(), EdgeError> {
        dialect::check_version(self.dialect, self.asked.version.as_deref())?;
        match self.edge.cards.missing_extension(&self.asked.extensions) {
            Some(uri) if self.dialect.has_extensions() => Err(EdgeError::ExtensionRequired { uri }),
            Some(_) | None => Ok(()),
        }
    }

    /// Does what is asked for, as far as that is done at once.
    ///
    /// # Errors
    /// Every refusal of the core, and that of an extended card or of push notifications.
    pub async fn begin(mut self, request: Request) -> Result<Begun, EdgeError> {
        if let Some(tenant) = request.tenant {
            self.caller = self.caller.in_tenant(&tenant);
        }
        let begun = match request.call {
            Call::Send(send) => self.send(send).await,
            Call::SendStreaming(send) => self.send_streaming(send).await,
            Call::Subscribe(subscribe) => self.subscribe(&subscribe).await,
            Call::Get(get) => {
                self.edge.engine.get(&self.caller, &get).await.map_err(EdgeError::from).map(|mut task| {
                    task.limit_history(get.history_length);
                    Begun::Answer(Answer::Task(task, self.plain_view()))
                })
            }
            Call::List(list) => self.list(&list).await,
            Call::Cancel(cancel) => Ok(self.cancel(cancel)),
            Call::ExtendedCard => Err(self.dialect.no_extended_card()),
            Call::Push => Err(Error::PushNotSupported.into()),
        };
        begun.map_err(noted)
    }

    async fn send(&self, mut send: SendMessage) -> Result<Begun, EdgeError> {
        let (history, at_once) = (send.history_length, send.return_immediately);
        let view = self.view_of(&mut send);
        let sent = move |mut task: Task| {
            task.limit_history(history);
            Answer::Sent(task, view)
        };
        Ok(match self.edge.engine.send(&self.caller, send).await? {
            Sent::Past(task) => Begun::Answer(sent(Arc::unwrap_or_clone(task))),
            Sent::Log(log) if at_once => Begun::Answer(sent(log.snapshot())),
            Sent::Log(log) => Begun::Later(Box::pin(async move {
                let (_, mut reader) = log.follow(Until::Interrupted, Closing::Mark);
                reader.finish().await;
                Ok(sent(log.snapshot()))
            })),
        })
    }

    async fn send_streaming(&self, mut send: SendMessage) -> Result<Begun, EdgeError> {
        let view = self.view_of(&mut send);
        let log = match self.edge.engine.send(&self.caller, send).await? {
            Sent::Log(log) => log,
            Sent::Past(task) => TaskLog::new(Arc::unwrap_or_clone(task)),
        };
        let (task, reader) = log.follow(Until::Interrupted, self.edge.settings.closing);
        Ok(Begun::Stream(Followed { task, reader, end: StreamEnd::Turn, view }))
    }

    async fn subscribe(&self, subscribe: &Subscribe) -> Result<Begun, EdgeError> {
        let after = self.asked.resume_after()?;
        let closing = self.edge.settings.closing;
        let (task, reader) = self.edge.engine.subscribe(&self.caller, &subscribe.id, after, closing).await?;
        Ok(Begun::Stream(Followed { task, reader, end: StreamEnd::Task, view: self.plain_view() }))
    }

    async fn list(&self, list: &List) -> Result<Begun, EdgeError> {
        let page = self.edge.engine.list(&self.caller, list).await?;
        let cut = |task: Arc<Task>| {
            let mut task = Arc::unwrap_or_clone(task);
            task.limit_history(list.history_length);
            if !list.include_artifacts {
                task.artifacts.clear();
            }
            task
        };
        let listed = Listed {
            more: page.next.is_some(),
            page_size: list.page_size,
            total: page.total,
            tasks: page.tasks.into_iter().map(cut).collect(),
        };
        Ok(Begun::Answer(Answer::Page(listed, self.plain_view())))
    }

    fn cancel(self, cancel: Cancel) -> Begun {
        Begun::Later(Box::pin(async move {
            let canceled = self.edge.engine.cancel(&self.caller, &cancel).await;
            let task = canceled.map_err(|error| noted(error.into()))?;
            Ok(Answer::Task(task, self.plain_view()))
        }))
    }

    /// How this request sees tasks.
    fn view(&self, accepted: Accepted, metadata: Option<&Json>) -> View {
        let wished = metadata.and_then(extension::wished_level);
        let named = self.asked.activated().map(|_| Level::Full);
        let progress = wished.or(named).unwrap_or(self.edge.settings.progress);
        View { base: self.base.clone(), accepted, progress }
    }

    fn plain_view(&self) -> View {
        self.view(Accepted::default(), None)
    }

    /// How the sender of a message sees its task. What the headers say of the request joins the command.
    fn view_of(&self, send: &mut SendMessage) -> View {
        send.trace_id = self.asked.trace_id.as_deref().map(Arc::from);
        self.view(send.accepted.clone(), send.metadata.as_ref())
    }
}

/// What is wrong with the gateway itself is for its operator to read; the caller does not get to see it.
fn noted(error: EdgeError) -> EdgeError {
    if let EdgeError::Core(Error::Internal(detail)) = &error {
        tracing::error!(detail, "a request failed");
    }
    error
}
