//! Files that a turn gives: what the fold has found goes in, artifacts come out. A file is fetched at once, since Dify's
//! addresses live for minutes, and put on the gateway's own shelf; where that cannot be, its address has to do,
//! if it is one that a client may be given; else a sentence takes its place.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesOrdered};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use crate::core::artifact::Whole;
use crate::core::backend::TurnRequest;
use crate::core::clock::Clock;
use crate::core::message::{Content, Part, Served};
use crate::egress::{Egress, FetchError};
use crate::files::shelf::SMALL;
use crate::files::{FileMeta, PutError, Shelf, Shelved};
use crate::translate::from_dify::{Found, FoundSource};

/// How long one file may take, from the request to the shelf.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

/// Most files of one turn that are fetched at once.
const AT_ONCE: usize = 4;

/// Where files go.
#[derive(Clone)]
pub struct Outlets {
    /// Fetches what strangers name.
    pub egress: Egress,
    /// The gateway's shelf; without one, callers get Dify's addresses.
    pub shelf: Option<Shelf>,
    /// Largest file that is put on the shelf, bytes.
    pub max_bytes: u64,
    /// Dify's address: its relative addresses are under it, and its host is not a stranger.
    pub dify: Url,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlets").field("serves", &self.shelf.is_some()).finish_non_exhaustive()
    }
}

/// The files of one turn that are on their way.
pub(super) struct Gathering<'a> {
    outlets: &'a Outlets,
    turn: &'a TurnRequest,
    coming: FuturesOrdered<BoxFuture<'a, Whole>>,
    at_once: Arc<Semaphore>,
}

impl<'a> Gathering<'a> {
    /// None yet.
    pub(super) fn new(outlets: &'a Outlets, turn: &'a TurnRequest) -> Self {
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        Self { outlets, turn, coming: FuturesOrdered::new(), at_once }
    }

    /// A file was found.
    pub(super) fn add(&mut self, found: Found) {
        let (outlets, turn, at_once) = (self.outlets, self.turn, Arc::clone(&self.at_once));
        let coming = async move {
            // Nobody closes the semaphore.
            let _permit = at_once.acquire().await;
            outlets.artifact(found, turn).await
        };
        self.coming.push_back(coming.boxed());
    }

    /// Whether none is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.coming.is_empty()
    }

    /// The next one, in the order in which they were found; nothing ever, if none is on its way. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Whole {
        match self.coming.next().await {
            Some(whole) => whole,
            None => std::future::pending().await,
        }
    }
}

impl Outlets {
    /// The artifact of a file.
    async fn artifact(&self, found: Found, turn: &TurnRequest) -> Whole {
        let Found { artifact, name, media_type, source, .. } = found;
        let meta = FileMeta {
            filename: Some(name.clone()),
            media_type: media_type.clone(),
            owner: turn.caller.clone(),
            task_id: turn.task_id.clone(),
            created_at: self.clock.now(),
        };
        let had = match source {
            FoundSource::Bytes(bytes) => Ok((self.keep_bytes(meta, bytes).await, media_type)),
            FoundSource::Url { url, is_remote } => match self.dify.join(&url) {
                Ok(url) => self.keep_url(meta, url, is_remote, turn).await,
                Err(_) => Err(Unfit::NotWeb),
            },
        };
        let part = match had {
            Ok((content, media_type)) => {
                Part { content, filename: Some(name.clone()), media_type, metadata: None }
            }
            Err(unfit) => {
                tracing::warn!(task.id = %turn.task_id, error = %unfit, "a file of an answer cannot be had");
                let content = Content::Text(format!("{name}: this file cannot be had"));
                Part { content, filename: None, media_type: None, metadata: None }
            }
        };
        Whole::of(artifact, name, part)
    }

    /// Puts an uploaded file of the caller on the shelf, if it is worth it: small ones may stay where they are.
    pub(super) async fn keep_input(&self, turn: &TurnRequest, part: &Part, bytes: &Bytes) -> Option<Served> {
        let shelf = self.shelf.as_ref().filter(|_| bytes.len() > SMALL)?;
        let meta = FileMeta {
            filename: part.filename.clone(),
            media_type: part.media_type.clone(),
            owner: turn.caller.clone(),
            task_id: turn.task_id.clone(),
            created_at: self.clock.now(),
        };
        let kept = shelf.put(meta, stream::iter([Ok::<_, Infallible>(bytes.clone())])).await;
        kept.ok().map(|Shelved { id, size, small }| Served { id, size, small })
    }

    async fn keep_bytes(&self, meta: FileMeta, bytes: Bytes) -> Content {
        let Some(shelf) = &self.shelf else { return Content::Raw(bytes) };
        let one = stream::iter([Ok::<_, Infallible>(bytes.clone())]);
        match shelf.put(meta, one).await {
            Ok(shelved) => served(shelved),
            Err(error) => {
                tracing::warn!(%error, "a file could not be put on the shelf; it goes out within the answer");
                Content::Raw(bytes)
            }
        }
    }

    /// The file on the shelf, with the media type that its server told if Dify told none; or its address, if a client
    /// may be given that.
    async fn keep_url(
        &self,
        mut meta: FileMeta,
        url: Url,
        is_remote: bool,
        turn: &TurnRequest,
    ) -> Result<(Content, Option<String>), Unfit> {
        check_form(&url)?;
        let told = meta.media_type.clone();
        let Some(shelf) = &self.shelf else { return Ok((self.link(&url, is_remote).await?, told)) };
        let fetching = async {
            let fetched = match is_remote {
                true => self.egress.fetch(&url, self.max_bytes).await,
                false => self.egress.fetch_trusted(&url, self.max_bytes, &self.dify).await,
            };
            let fetched = fetched?;
            meta.media_type = meta.media_type.take().or(fetched.media_type);
            let media_type = meta.media_type.clone();
            shelf
                .put(meta, fetched.body)
                .await
                .map(|shelved| (served(shelved), media_type))
                .map_err(Trouble::Put)
        };
        let trouble = match timeout(FETCH_LIMIT, fetching).await {
            Ok(Ok(kept)) => return Ok(kept),
            // By itself, or where it redirects to.
            Ok(Err(Trouble::Fetch(FetchError::Refused(_)))) if is_remote => return Err(Unfit::Refused),
            Ok(Err(trouble)) => trouble,
            Err(_) => Trouble::Late,
        };
        let link = self.link(&url, is_remote).await?;
        // Of the address only its host may stand in the log: whoever has a signed one can read the file.
        let host = url.host_str().unwrap_or_default();
        tracing::warn!(task.id = %turn.task_id, host, error = %trouble, "a file of an answer is only linked to");
        Ok((link, told))
    }

    /// The address itself. One that somebody outside gave to Dify is a stranger's word: it must not lead a client to
    /// where the gateway would not go. Dify's own may be private, as whole intranets are.
    async fn link(&self, url: &Url, is_remote: bool) -> Result<Content, Unfit> {
        if is_remote {
            self.egress.classify(url).await.map_err(|_| Unfit::Refused)?;
        }
        Ok(Content::Url(url.to_string()))
    }
}

/// Whether an address is of a form that clients are given.
fn check_form(url: &Url) -> Result<(), Unfit> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Unfit::NotWeb);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unfit::UserInfo);
    }
    Ok(())
}

/// Why a client is not given a file's address. For the log, so without anything of the address.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("its address is not one of http or https")]
    NotWeb,
    #[error("its address was given by a stranger and is refused: it is not public, not https, or not found")]
    Refused,
    #[error("its address has a user or a password in it")]
    UserInfo,
}

/// Why a file is not on the shelf.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it could not be fetched: {0}")]
    Fetch(#[from] FetchError),
    #[error("it took too long")]
    Late,
    #[error("it could not be kept: {0}")]
    Put(PutError<FetchError>),
}

fn served(shelved: Shelved) -> Content {
    Content::Served(Served { id: shelved.id, size: shelved.size, small: shelved.small })
}
