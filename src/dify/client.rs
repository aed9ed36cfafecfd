//! The HTTP side of Dify's service API: it sends a request, sorts the answer into success and [`Error`], and never
//! repeats anything by itself. Here is what all calls share, how a turn begins, and what is asked of an app; the other
//! calls are in [`super::calls`] and [`super::upload`].
//!
//! One [`Client`] serves one app. Its connections are reused; there is no proxy and no redirect on the way, so that
//! the key goes where the configuration says and nowhere else.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::{Error, Refusal};
use super::request::TurnBody;

/// How long one of the small calls may take, all of it.
const SMALL_CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call may take that Dify has to ask a model for.
const MODEL_CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of a small answer that are read.
const SMALL_BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Most bytes of an error's body that are read; Dify's are far smaller, proxies' pages rarely larger.
const ERROR_BODY_LIMIT: usize = 64 * 1024;

/// How long an unused connection is kept: less than the 65 s and 75 s after which proxies usually close them.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// Most unused connections that are kept.
const IDLE_CONNECTIONS: usize = 128;

/// Where Dify is and how to talk to it.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Base address, with or without the trailing `/v1`.
    pub url: String,
    /// The app's key (`app-…`).
    pub key: SecretString,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long no byte at all may come from Dify; its pings come every 10 s and count.
    pub idle_timeout: Duration,
}

/// Why a client cannot be made of its settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The HTTP client could not be set up.
    #[error("the http client cannot be set up")]
    Http(#[source] reqwest::Error),
    /// The key has characters that a header cannot carry, or none at all.
    #[error("the dify api key is empty or has characters that an http header cannot carry")]
    Key,
    /// The address is not one.
    #[error("the dify api url {0}")]
    Url(&'static str),
}

/// A client for one Dify app. Cloning it shares its connections.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    /// Without a limit on how long the answer may be awaited, for that would count while a file is being sent.
    pub(super) uploads: reqwest::Client,
    pub(super) idle_timeout: Duration,
    base: Url,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A small answer, read to its end.
#[derive(Debug)]
pub struct SmallAnswer {
    /// The server's version (`X-Version`), if told.
    pub version: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// An event stream that has begun.
#[derive(Debug)]
pub struct EventResponse {
    response: Response,
}

impl EventResponse {
    /// The next bytes, `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Timeout`] when no byte came for the idle timeout, [`Error::Cut`] when the connection broke.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.response.chunk().await.map_err(Error::from)
    }
}

impl Client {
    /// A client for the app that the key belongs to. Connects to nothing yet.
    ///
    /// # Errors
    /// [`SetupError`] when the address or the key cannot be used.
    pub fn new(settings: &ClientSettings) -> Result<Self, SetupError> {
        let base = base_url(&settings.url)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer(&settings.key)?);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("dify-a2a-gateway/", env!("CARGO_PKG_VERSION")))
                .default_headers(headers.clone())
                .connect_timeout(settings.connect_timeout)
                .pool_idle_timeout(IDLE_CONNECTION)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .tcp_keepalive(Duration::from_secs(30))
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
        };
        let http = builder().read_timeout(settings.idle_timeout).build().map_err(SetupError::Http)?;
        let uploads = builder().build().map_err(SetupError::Http)?;
        Ok(Self { http, uploads, idle_timeout: settings.idle_timeout, base })
    }

    /// Begins a turn at its endpoint and gives its stream as soon as the answer's head is there. The future has all it
    /// needs, so it can outlive the request and the client.
    ///
    /// # Errors
    /// [`Error`]; see [`Error::is_safe_to_repeat`].
    pub fn begin(
        &self,
        turn: &TurnBody<'_>,
    ) -> impl Future<Output = Result<EventResponse, Error>> + Send + use<> {
        let request = self.http.post(self.at(&turn.path())).json(turn);
        async move { event_response(request.send().await?).await }
    }

    /// `GET /info`: name, description, tags and, since 1.4, the mode.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn info(&self) -> Result<SmallAnswer, Error> {
        self.small(self.http.get(self.at(&["info"]))).await
    }

    /// `GET /parameters`: the greeting, suggested questions and the input form.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn parameters(&self) -> Result<SmallAnswer, Error> {
        self.small(self.http.get(self.at(&["parameters"]))).await
    }

    /// `GET /site` (since 1.4): how the app's web page looks.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn site(&self) -> Result<SmallAnswer, Error> {
        self.small(self.http.get(self.at(&["site"]))).await
    }

    /// `GET /conversations` with one entry: only apps of the chat family have it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn conversations(&self, user: &str) -> Result<SmallAnswer, Error> {
        self.small(self.http.get(self.at(&["conversations"])).query(&[("user", user), ("limit", "1")])).await
    }

    pub(super) fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only addresses that cannot be a base lack segments; `base_url` refuses them.
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url
    }

    /// A call that Dify answers from what it has.
    pub(super) async fn small(&self, request: RequestBuilder) -> Result<SmallAnswer, Error> {
        small_answer(accepted(request.timeout(SMALL_CALL_TIMEOUT).send().await?).await?).await
    }

    /// A call that Dify needs a model for.
    pub(super) async fn patient(&self, request: RequestBuilder) -> Result<SmallAnswer, Error> {
        small_answer(accepted(request.timeout(MODEL_CALL_TIMEOUT).send().await?).await?).await
    }
}

/// Reads a small answer to its end.
pub(super) async fn small_answer(mut response: Response) -> Result<SmallAnswer, Error> {
    let version = version(response.headers());
    let body = read_body(&mut response, SMALL_BODY_LIMIT).await?;
    if body.len() >= SMALL_BODY_LIMIT {
        return Err(Error::Strange("a document of unusual size"));
    }
    Ok(SmallAnswer { version, body: body.into() })
}

/// The stream that a response is.
pub(super) async fn event_response(response: Response) -> Result<EventResponse, Error> {
    let response = accepted(response).await?;
    match response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes) {
        Some(kind) if kind.starts_with(b"text/html") => Err(Error::Strange("a web page")),
        Some(kind) if kind.starts_with(b"application/json") => {
            Err(Error::Strange("a single document instead of a stream"))
        }
        Some(_) | None => Ok(EventResponse { response }),
    }
}

/// The response, if its status is success; else what it says of its refusal.
pub(super) async fn accepted(mut response: Response) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // The status alone is worth more than an error about its body.
    let body = tokio::time::timeout(SMALL_CALL_TIMEOUT, read_body(&mut response, ERROR_BODY_LIMIT)).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    Err(Error::Refused(Refusal::read(status.as_u16(), &body)))
}

/// At most `limit` bytes of the body.
async fn read_body(response: &mut Response, limit: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= limit {
            break;
        }
    }
    Ok(body)
}

fn version(headers: &HeaderMap) -> Option<String> {
    headers.get("x-version").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn bearer(key: &SecretString) -> Result<HeaderValue, SetupError> {
    let key = key.expose_secret().trim();
    if key.is_empty() {
        return Err(SetupError::Key);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| SetupError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The address that endpoints hang under: the given one with `/v1` at its end, once.
fn base_url(given: &str) -> Result<Url, SetupError> {
    let mut url = Url::parse(given.trim()).map_err(|_| SetupError::Url("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SetupError::Url("must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SetupError::Url("must not have a user or a password in it"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(SetupError::Url("must not have a query or a fragment"));
    }
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/v1") { path.to_owned() } else { format!("{path}/v1") };
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
