//! The JSON-RPC binding: one request in, one answer or one stream out, in the dialect that the method names.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::answer::{self, Ready};
use super::dialect::{self, Call, Dialect, EarlyError, Operation, Page, Route, StreamEnd};
use super::envelope::{Envelope, Refused, Strictness};
use super::error::{EdgeError, WireError};
use super::headers::{self, Asked};
use super::legacy::Legacy;
use super::sse::{self, Events, Wrap};
use super::view::View;
use super::{Edge, body, extension};
use crate::core::accepted::Accepted;
use crate::core::command;
use crate::core::engine::{Engine, Sent};
use crate::core::error::Error;
use crate::core::ids::Caller;
use crate::core::message::Json;
use crate::core::progress::Level;
use crate::core::reader::{Closing, Reader, Until};
use crate::core::task::Task;

/// One request on its way through the binding.
struct Exchange {
    edge: Arc<Edge>,
    caller: Caller,
    dialect: &'static dyn Dialect,
    asked: Asked,
    /// The gateway's base address as the client knows it.
    base: String,
    /// The request's id as JSON text.
    id: String,
    /// How a request for a stream is refused.
    early: EarlyError,
}

/// Serves `POST /` and `POST /a2a`.
pub async fn serve(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, None).await
}

/// Serves `POST /tasks/get`.
pub async fn serve_get(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, Some(Operation::Get)).await
}

/// Serves `POST /tasks/list`.
pub async fn serve_list(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, Some(Operation::List)).await
}

/// Serves `POST /tasks/cancel`.
pub async fn serve_cancel(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, Some(Operation::Cancel)).await
}

/// With `named`, the route is one of the old dialect's own, and the body's method does not count.
async fn handle(edge: Arc<Edge>, request: Request, named: Option<Operation>) -> Response {
    let (parts, incoming) = request.into_parts();
    let asked = Asked::read(&parts.headers, &parts.uri);
    let read = match check_content_type(&parts.headers) {
        Ok(()) => body::read(incoming, edge.settings.max_body_bytes).await,
        Err(error) => Err(error),
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return refuse("null", &default_dialect(), &error.into()),
    };
    let strictness = if named.is_some() { Strictness::Loose } else { Strictness::Full };
    let envelope = match Envelope::read(&bytes, strictness) {
        Ok(envelope) => envelope,
        Err(Refused { id, error }) => return refuse(&id, &default_dialect(), &error.into()),
    };
    let route = match named {
        Some(operation) => Some(Route { dialect: &Legacy, operation }),
        None => dialect::route(&envelope.method, envelope.params),
    };
    let Some(Route { dialect, operation }) = route else {
        return refuse(
            envelope.id,
            &default_dialect(),
            &EdgeError::method_not_found(&envelope.method).into(),
        );
    };
    let base = edge.cards.base_url(&parts);
    let exchange = Exchange {
        edge,
        caller: Caller::anonymous(),
        dialect,
        asked,
        base,
        id: one_line(envelope.id),
        early: dialect.early_error(envelope.params),
    };
    let called = exchange.check().and_then(|()| {
        dialect.call(operation, envelope.params, &*exchange.edge.ids).map_err(EdgeError::from)
    });
    // Files travel in it, and an answer may take a while: what was read of it is all that is needed now.
    drop(bytes);
    let mut response = match called {
        Ok(call) => exchange.answer(call).await,
        Err(error) => exchange.refuse(operation, error),
    };
    headers::echo_extensions(&exchange.asked, &exchange.edge.cards, response.headers_mut());
    response
}

impl Exchange {
    /// What must hold whatever is asked: a version that fits, and the extensions that the card demands.
    fn check(&self) -> Result<(), EdgeError> {
        dialect::check_version(self.dialect, self.asked.version.as_deref())?;
        match self.edge.cards.missing_extension(&self.asked.extensions) {
            Some(uri) if self.dialect.has_extensions() => Err(EdgeError::ExtensionRequired { uri }),
            Some(_) | None => Ok(()),
        }
    }

    async fn answer(&self, call: Call) -> Response {
        let (edge, caller) = (&self.edge, &self.caller);
        match call {
            Call::Send(send) => self.send(send).await,
            Call::SendStreaming(send) => self.send_streaming(send).await,
            Call::Subscribe(subscribe) => self.subscribe(&subscribe).await,
            Call::Get(get) => self.read(edge.engine.get(caller, &get).await, get.history_length),
            Call::List(list) => match edge.engine.list(caller, &list).await {
                Ok(page) => self.page(&list, page),
                Err(error) => self.refuse(Operation::List, error.into()),
            },
            Call::Cancel(cancel) => self.cancel(cancel).await,
            Call::ExtendedCard => self.refuse(Operation::ExtendedCard, self.dialect.no_extended_card()),
            Call::Push => self.refuse(Operation::Push, Error::PushNotSupported.into()),
        }
    }

    async fn send(&self, mut send: command::Send) -> Response {
        let (history, at_once) = (send.history_length, send.return_immediately);
        let view = self.view_of(&mut send);
        let log = match self.edge.engine.send(&self.caller, send).await {
            Ok(Sent::Log(log)) => log,
            Ok(Sent::Past(task)) => return self.sent(Arc::unwrap_or_clone(task), history, &view),
            Err(error) => return self.refuse(Operation::Send, error.into()),
        };
        if at_once {
            return self.sent(log.snapshot(), history, &view);
        }
        let (id, dialect) = (self.id.clone(), self.dialect);
        answer::when_ready(self.edge.settings.keep_alive, async move {
            let (_, mut reader) = log.follow(Until::Interrupted, Closing::Mark);
            reader.finish().await;
            let mut task = log.snapshot();
            task.limit_history(history);
            ready(result(&id, |buf| dialect.send_result(buf, &task, &view)))
        })
        .await
    }

    async fn send_streaming(&self, mut send: command::Send) -> Response {
        let view = self.view_of(&mut send);
        match self.edge.engine.send(&self.caller, send).await {
            Ok(Sent::Log(log)) => {
                let (task, reader) = log.follow(Until::Interrupted, self.edge.settings.closing);
                self.stream(&task, reader, StreamEnd::Turn, view)
            }
            Ok(Sent::Past(task)) => {
                let (_, reader) = crate::core::log::TaskLog::new(Task::clone(&task))
                    .follow(Until::Interrupted, self.edge.settings.closing);
                self.stream(&task, reader, StreamEnd::Turn, view)
            }
            Err(error) => self.refuse(Operation::Stream, error.into()),
        }
    }

    async fn subscribe(&self, subscribe: &command::Subscribe) -> Response {
        let after = match self.asked.resume_after() {
            Ok(after) => after,
            Err(error) => return self.refuse(Operation::Subscribe, error),
        };
        let engine: &Engine = &self.edge.engine;
        match engine.subscribe(&self.caller, &subscribe.id, after, self.edge.settings.closing).await {
            Ok((task, reader)) => {
                self.stream(&task, reader, StreamEnd::Task, self.view(Accepted::default(), None))
            }
            Err(error) => self.refuse(Operation::Subscribe, error.into()),
        }
    }

    async fn cancel(&self, cancel: command::Cancel) -> Response {
        let (edge, caller) = (Arc::clone(&self.edge), self.caller.clone());
        let (id, dialect) = (self.id.clone(), self.dialect);
        let view = self.view(Accepted::default(), None);
        answer::when_ready(self.edge.settings.keep_alive, async move {
            match edge.engine.cancel(&caller, &cancel).await {
                Ok(task) => ready(result(&id, |buf| dialect.task(buf, &task, &view))),
                Err(error) => {
                    let error = WireError::from(error);
                    Ready { body: error_body(&id, dialect, &error), response: refuse(&id, &dialect, &error) }
                }
            }
        })
        .await
    }

    /// How this request sees tasks.
    fn view(&self, accepted: Accepted, metadata: Option<&Json>) -> View {
        let wished = metadata.and_then(extension::wished_level);
        let named = self.asked.activated().map(|_| Level::Full);
        let progress = wished.or(named).unwrap_or(self.edge.settings.progress);
        View { base: self.base.clone(), accepted, progress }
    }

    /// How the sender of a message sees its task. What the headers say of the request joins the command.
    fn view_of(&self, send: &mut command::Send) -> View {
        send.trace_id = self.asked.trace_id.as_deref().map(Arc::from);
        self.view(send.accepted.clone(), send.metadata.as_ref())
    }

    fn stream(&self, task: &Task, reader: Reader, end: StreamEnd, view: View) -> Response {
        let encoder = self.dialect.stream(&task.id, &task.context_id, end, view);
        let wrap = Wrap { before: before_result(&self.id), after: b"}" };
        Events::new(task, reader, encoder, wrap, self.edge.settings.keep_alive).into_response()
    }

    fn read(&self, found: Result<Task, Error>, history: Option<u32>) -> Response {
        match found {
            Ok(mut task) => {
                task.limit_history(history);
                let view = self.view(Accepted::default(), None);
                answer::json(StatusCode::OK, result(&self.id, |buf| self.dialect.task(buf, &task, &view)))
            }
            Err(error) => self.refuse(Operation::Get, error.into()),
        }
    }

    fn sent(&self, mut task: Task, history: Option<u32>, view: &View) -> Response {
        task.limit_history(history);
        answer::json(StatusCode::OK, result(&self.id, |buf| self.dialect.send_result(buf, &task, view)))
    }

    fn page(&self, list: &command::List, page: crate::core::store::Page) -> Response {
        let cut = |task: Arc<Task>| {
            let mut task = Arc::unwrap_or_clone(task);
            task.limit_history(list.history_length);
            if !list.include_artifacts {
                task.artifacts.clear();
            }
            task
        };
        let tasks: Vec<Task> = page.tasks.into_iter().map(cut).collect();
        let shown =
            Page { tasks: &tasks, more: page.next.is_some(), page_size: list.page_size, total: page.total };
        let view = self.view(Accepted::default(), None);
        answer::json(StatusCode::OK, result(&self.id, |buf| self.dialect.list_result(buf, &shown, &view)))
    }

    fn refuse(&self, operation: Operation, error: EdgeError) -> Response {
        if let EdgeError::Core(Error::Internal(detail)) = &error {
            tracing::error!(detail, dialect = self.dialect.name(), "a request failed");
        }
        let error = WireError::from(error);
        let streams = matches!(operation, Operation::Stream | Operation::Subscribe);
        let as_event = streams && self.early == EarlyError::Event;
        if as_event && error.rpc_status == StatusCode::OK {
            return sse::single_event(&error_body(&self.id, self.dialect, &error));
        }
        refuse(&self.id, &self.dialect, &error)
    }
}

/// The dialect of answers to requests that never got as far as to have one.
fn default_dialect() -> &'static dyn Dialect {
    &super::a2a_v1::V1
}

/// A request must say that it is JSON, or say nothing (A2A 1.0 §9.1).
fn check_content_type(headers: &HeaderMap) -> Result<(), EdgeError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = value.to_str().unwrap_or("?");
    let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(EdgeError::ContentType { given: given.chars().take(100).collect() })
}

fn ready(body: Bytes) -> Ready {
    Ready { response: answer::json(StatusCode::OK, body.clone()), body }
}

fn before_result(id: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#).into_bytes()
}

fn result(id: &str, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut buf = before_result(id);
    write(&mut buf);
    buf.push(b'}');
    Bytes::from(buf)
}

fn error_body(id: &str, dialect: &dyn Dialect, error: &WireError) -> Bytes {
    let mut buf = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":"#).into_bytes();
    dialect.error(&mut buf, error);
    buf.push(b'}');
    Bytes::from(buf)
}

fn refuse(id: &str, dialect: &&'static dyn Dialect, error: &WireError) -> Response {
    tracing::debug!(dialect = dialect.name(), code = error.code, reason = error.reason, "request refused");
    let mut response = answer::json(error.rpc_status, error_body(id, *dialect, error));
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The id with the line ends of Unicode escaped, as in all other text: widespread clients split streams there.
fn one_line(id: &str) -> String {
    id.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}
