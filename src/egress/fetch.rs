//! Fetches: a URL and a limit come in, a file's name, type and a stream of its bytes go out.
//!
//! Each hop has a client of its own that can connect to the addresses just judged and to nothing else. It knows no
//! proxy, no cookies, no redirects and no credentials.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, redirect};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::error::{FetchError, Refused, SetupError};
use super::gate::{Gate, Reach};
use super::naming;
use super::policy::EgressPolicy;
use super::resolve::{Pinned, Resolve, SystemResolver};

/// Most redirects that are followed; download pages use one or two.
const MAX_REDIRECTS: usize = 4;

/// How long a fetch may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// To look a name up, and then to connect.
    pub connect: Duration,
    /// Without any byte.
    pub idle: Duration,
    /// Altogether, redirects and the body included.
    pub total: Duration,
}

impl Default for Limits {
    /// What a file of some megabytes needs over a slow line, and no more.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(15),
            total: Duration::from_secs(120),
        }
    }
}

/// The bytes of a file as they come. An error is the last item.
pub type Body = BoxStream<'static, Result<Bytes, FetchError>>;

/// A file whose head is there. Dropping it ends the connection.
pub struct Fetched {
    /// Where it was found after all redirects.
    pub url: Url,
    /// `Content-Type` without parameters, lower case.
    pub media_type: Option<String>,
    /// Its name, without anything that could be a path; at most 255 bytes.
    pub filename: Option<String>,
    /// Its size in bytes, if told; not larger than asked for.
    pub length: Option<u64>,
    /// Its bytes, at most as many as asked for.
    pub body: Body,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("media_type", &self.media_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Fetches what a policy lets through. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    gate: Arc<Gate>,
    limits: Limits,
    tls: rustls::ClientConfig,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Egress {
    /// Fetches by this policy, names looked up as the system does. Reads the system's certificates, once.
    ///
    /// # Errors
    /// [`SetupError`] when there are no certificates to trust.
    pub fn new(policy: EgressPolicy, limits: Limits) -> Result<Self, SetupError> {
        Self::with_resolver(policy, limits, Arc::new(SystemResolver::default()))
    }

    /// The same, names looked up by `resolver`.
    ///
    /// # Errors
    /// [`SetupError`] when there are no certificates to trust.
    pub fn with_resolver(
        policy: EgressPolicy,
        limits: Limits,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, SetupError> {
        let gate = Arc::new(Gate::new(policy, resolver, limits.connect));
        let egress = Self { gate, limits, tls: tls().map_err(SetupError::Tls)? };
        // Told now and not with the first fetch, should the two crates disagree about TLS.
        egress.client(Vec::new()).map_err(SetupError::Http)?;
        Ok(egress)
    }

    /// Whether a URL would be fetched, and how it is reachable. Looks its host up and connects to nothing; a redirect
    /// is not seen, and the name may lead elsewhere by the time somebody else looks it up.
    ///
    /// # Errors
    /// [`Refused`] when it would not.
    pub async fn classify(&self, url: &Url) -> Result<Reach, Refused> {
        self.gate.check(url, None).await.map(|checked| checked.reach)
    }

    /// Fetches a file of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// [`FetchError`], here until the head is there and later in the body.
    pub async fn fetch(&self, url: &Url, max_bytes: u64) -> Result<Fetched, FetchError> {
        self.follow(url, max_bytes, None).await
    }

    /// The same, save that the origin of `trusted` (scheme, host and port) may be at any address and speak plain
    /// http: the operator has configured it. Only `url` itself is trusted; where it redirects to is judged as ever,
    /// back to the same origin too.
    ///
    /// # Errors
    /// [`FetchError`], here until the head is there and later in the body.
    pub async fn fetch_trusted(
        &self,
        url: &Url,
        max_bytes: u64,
        trusted: &Url,
    ) -> Result<Fetched, FetchError> {
        self.follow(url, max_bytes, Some(trusted)).await
    }

    async fn follow(&self, url: &Url, limit: u64, trusted: Option<&Url>) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.limits.total;
        let found = Box::pin(timeout_at(deadline, self.hops(url, trusted))).await;
        let (url, response) = found.map_err(|_| FetchError::Timeout)??;
        if value(response.headers(), &header::CONTENT_ENCODING)
            .is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        {
            return Err(FetchError::Encoded);
        }
        let length = response.content_length();
        if length.is_some_and(|length| length > limit) {
            return Err(FetchError::TooLarge { limit });
        }
        Ok(Fetched {
            media_type: naming::media_type(value(response.headers(), &header::CONTENT_TYPE)),
            filename: naming::filename(value(response.headers(), &header::CONTENT_DISPOSITION), &url),
            length,
            body: body(response, host(&url), limit, deadline),
            url,
        })
    }

    /// The first answer that is not a redirect, and where it is from. Trust ends with the first hop: what a redirect
    /// names is the server's word, not the operator's.
    async fn hops(&self, url: &Url, mut trusted: Option<&Url>) -> Result<(Url, Response), FetchError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let checked = self.gate.check(&url, trusted.take()).await?;
            let client =
                self.client(checked.addresses).map_err(|error| FetchError::of(error, &host(&url)))?;
            let sent = client.get(url.clone()).send().await;
            let response = sent.map_err(|error| FetchError::of(error, &host(&url)))?;
            match response.status().as_u16() {
                200 | 203 => return Ok((url, response)),
                301 | 302 | 303 | 307 | 308 => url = target(&url, response.headers())?,
                status => return Err(FetchError::Status(status)),
            }
        }
        Err(FetchError::Redirects)
    }

    /// A client that can connect to these addresses only.
    fn client(&self, addresses: Vec<std::net::IpAddr>) -> reqwest::Result<Client> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Client::builder()
            .user_agent(concat!("dify-a2a-gateway/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Pinned::new(addresses))
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.idle)
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .http1_only()
            .no_proxy()
            .build()
    }
}

/// TLS as reqwest sets it up by itself; done here so that the certificates are not read anew for each fetch.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}

/// Where a redirect leads to.
fn target(from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = value(headers, &header::LOCATION).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let mut url = location.and_then(|to| from.join(to).ok()).ok_or(FetchError::Redirects)?;
    url.set_fragment(None);
    Ok(url)
}

/// What is left to read of a body.
struct Rest {
    response: Response,
    host: String,
    limit: u64,
    room: u64,
    deadline: Instant,
}

fn body(response: Response, host: String, limit: u64, deadline: Instant) -> Body {
    let rest = Rest { response, host, limit, room: limit, deadline };
    stream::try_unfold(rest, |mut rest| async move {
        let Ok(chunk) = timeout_at(rest.deadline, rest.response.chunk()).await else {
            return Err(FetchError::Timeout);
        };
        let Some(chunk) = chunk.map_err(|error| FetchError::of(error, &rest.host))? else { return Ok(None) };
        let left = u64::try_from(chunk.len()).ok().and_then(|length| rest.room.checked_sub(length));
        rest.room = left.ok_or(FetchError::TooLarge { limit: rest.limit })?;
        Ok(Some((chunk, rest)))
    })
    .boxed()
}

fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    headers.get(name).map(HeaderValue::as_bytes)
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
