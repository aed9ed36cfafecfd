//! Carries requests to an agent and its answers back: the card, a turn as a stream of events, a cancel.

use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::ChatError;
use super::card::{Agent, Binding};
use super::sse::{self, SseError};
use super::wire::{Outgoing, Tagged};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence of an agent, in the middle of an answer too.
const SILENCE: Duration = Duration::from_secs(300);
/// Largest answer that does not come as a stream, bytes.
const MAX_BODY_BYTES: usize = 32 << 20;
/// How much of an error page is repeated, characters.
const EXCERPT_CHARS: usize = 200;

/// What an agent says during one turn, in order.
pub(super) type Events = BoxStream<'static, Result<Tagged, ChatError>>;

/// A connection to one agent.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    agent: Agent,
}

impl Client {
    /// Finds the agent at `address` by its card. An address that ends in `.json` is the card itself; if there is
    /// no card below another one, it may be the address of an interface, and the card is looked for above it.
    pub(super) async fn discover(address: &str) -> Result<Self, ChatError> {
        let base = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| ChatError::Url(address.to_owned()))?;
        let http = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).build();
        let http = http.map_err(|error| transport(&base, &error))?;
        let mut tried = Vec::new();
        for place in card_places(&base) {
            let request = http.get(place.clone()).header("A2A-Version", "1.0");
            let request = request.header(header::ACCEPT, "application/json");
            let response = request.send().await.map_err(|error| transport(&place, &error))?;
            if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
                tried.push(place.to_string());
                continue;
            }
            let card = read_json(response, &place).await?;
            let agent = Agent::from_card(&card, &place);
            let agent = agent.map_err(|offered| ChatError::NoInterface { offered })?;
            return Ok(Self { http, agent });
        }
        Err(ChatError::NoCard { tried: tried.join(" or ") })
    }

    /// Whom this client talks to.
    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Says something and gives what comes back; in one piece if the agent does not stream.
    pub(super) async fn say(&self, message: &Outgoing) -> Result<Events, ChatError> {
        let dialect = self.agent.dialect;
        let method = if self.agent.streaming { dialect.stream() } else { dialect.send() };
        self.call(method, self.agent.send_params(message)).await
    }

    /// Follows a task again whose stream broke; a task that cannot be followed, since it has ended, is read.
    pub(super) async fn follow(&self, task_id: &str) -> Result<Events, ChatError> {
        let dialect = self.agent.dialect;
        match self.call(dialect.subscribe(), self.agent.task_params(task_id)).await {
            Err(ChatError::Refused { .. }) => {}
            outcome => return outcome,
        }
        let response = self.post(dialect.get(), self.agent.task_params(task_id)).await?;
        let body = read_json(response, &self.agent.endpoint).await?;
        let task = dialect.decode_task(self.result_of(&body)?).map_err(ChatError::Protocol)?;
        Ok(stream::iter([Ok(task)]).boxed())
    }

    /// Asks the agent to end a task.
    pub(super) async fn cancel(&self, task_id: &str) -> Result<(), ChatError> {
        let response = self.post(self.agent.dialect.cancel(), self.agent.task_params(task_id)).await?;
        let body = read_json(response, &self.agent.endpoint).await?;
        self.result_of(&body).map(drop)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Events, ChatError> {
        let response = self.post(method, params).await?;
        let dialect = self.agent.dialect;
        let endpoint = self.agent.endpoint.clone();
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !response.status().is_success() || !is_stream {
            let body = read_json(response, &endpoint).await?;
            let event = dialect.decode(self.result_of(&body)?).map_err(ChatError::Protocol)?;
            return Ok(stream::iter([Ok(event)]).boxed());
        }
        let binding = self.agent.binding;
        let events = sse::events(response.bytes_stream()).map(move |data| {
            let data = data.map_err(|error| match error {
                SseError::Transport(cause) => transport(&endpoint, &cause),
                SseError::TooLarge => ChatError::Protocol(SseError::<reqwest::Error>::TooLarge.to_string()),
            })?;
            let body: Value = serde_json::from_str(&data).map_err(|error| not_json(&error))?;
            dialect.decode(result_of(binding, &body)?).map_err(ChatError::Protocol)
        });
        Ok(events.boxed())
    }

    async fn post(&self, method: &str, params: Value) -> Result<reqwest::Response, ChatError> {
        let request = match self.agent.binding {
            Binding::Http => self.over_http(method, &params)?,
            Binding::Rpc => {
                let id = Uuid::new_v4().to_string();
                let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
                self.http.post(self.agent.endpoint.clone()).body(body.to_string())
            }
        };
        let request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream, application/json")
            .header("A2A-Version", self.agent.dialect.version());
        request.send().await.map_err(|error| transport(&self.agent.endpoint, &error))
    }

    /// The request that a method of JSON-RPC is over HTTP+JSON (A2A 1.0 §11.3).
    fn over_http(&self, method: &str, params: &Value) -> Result<reqwest::RequestBuilder, ChatError> {
        let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default();
        let task = |action: &str| vec!["tasks".to_owned(), format!("{}{action}", text("id"))];
        let (verb, segments, body) = match method {
            "SendMessage" => (Method::POST, vec!["message:send".to_owned()], params.to_string()),
            "SendStreamingMessage" => (Method::POST, vec!["message:stream".to_owned()], params.to_string()),
            "CancelTask" => (Method::POST, task(":cancel"), "{}".to_owned()),
            "SubscribeToTask" => (Method::POST, task(":subscribe"), String::new()),
            _ => (Method::GET, task(""), String::new()),
        };
        let mut url = self.agent.endpoint.clone();
        let tenant = Some(text("tenant")).filter(|tenant| !tenant.is_empty());
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(tenant).extend(segments),
            Err(()) => return Err(ChatError::Url(self.agent.endpoint.to_string())),
        };
        Ok(self.http.request(verb, url).body(body))
    }

    fn result_of<'b>(&self, body: &'b Value) -> Result<&'b Value, ChatError> {
        result_of(self.agent.binding, body)
    }
}

/// Where the card may be: below the address, below its parent, below its host.
fn card_places(address: &Url) -> Vec<Url> {
    let path = address.path().trim_end_matches('/');
    if path.ends_with(".json") {
        return vec![address.clone()];
    }
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut folders = vec![path, parent, ""];
    folders.dedup();
    let place = |folder: &str| {
        let mut place = address.clone();
        place.set_path(&format!("{folder}/.well-known/agent-card.json"));
        place
    };
    folders.into_iter().map(place).collect()
}

/// The result in an answer: a member of it over JSON-RPC, all of it over HTTP+JSON.
fn result_of(binding: Binding, body: &Value) -> Result<&Value, ChatError> {
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("without a reason");
        let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
        return Err(ChatError::Refused { code, message: message.to_owned() });
    }
    let result = match binding {
        Binding::Http => Some(body),
        Binding::Rpc => body.get("result"),
    };
    result.ok_or_else(|| ChatError::Protocol("it has neither a result nor an error".to_owned()))
}

/// Reads a JSON body. A body that holds a JSON-RPC error counts as one whatever the HTTP status.
async fn read_json(mut response: reqwest::Response, url: &Url) -> Result<Value, ChatError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(url, &error))? {
        if body.len().saturating_add(chunk.len()) > MAX_BODY_BYTES {
            return Err(ChatError::Protocol(format!("it is larger than {MAX_BODY_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let parsed: Result<Value, _> = serde_json::from_slice(&body);
    match parsed {
        Ok(value) if status.is_success() || value.pointer("/error/code").is_some() => Ok(value),
        Err(error) if status.is_success() => Err(not_json(&error)),
        Ok(_) | Err(_) => {
            let text = String::from_utf8_lossy(&body);
            let excerpt = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let excerpt = excerpt.chars().take(EXCERPT_CHARS).collect();
            Err(ChatError::Http { status: status.as_u16(), excerpt })
        }
    }
}

fn not_json(error: &serde_json::Error) -> ChatError {
    ChatError::Protocol(format!("it is not JSON: {error}"))
}

fn transport(url: &Url, error: &reqwest::Error) -> ChatError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    ChatError::Transport { url: url.to_string(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_is_looked_for_below_the_address_and_above_it() {
        let places = |address: &str| -> Vec<String> {
            let places = card_places(&Url::parse(address).unwrap());
            places
                .iter()
                .map(|place| place.path().trim_end_matches(".well-known/agent-card.json").to_owned())
                .collect()
        };
        assert_eq!(places("http://h"), ["/"]);
        assert_eq!(places("http://h/a2a"), ["/a2a/", "/"]);
        assert_eq!(places("http://h/x/y/a2a/"), ["/x/y/a2a/", "/x/y/", "/"]);
        assert_eq!(places("http://h/x/card.json"), ["/x/card.json"]);
    }
}
