//! What stands on the shelf: takes streams of bytes and what is known of them, gives ids; takes an id and a caller,
//! gives the file. Old files make room for new ones.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::spool::{self, Spool, Spooled};
use crate::core::ids::{Caller, FileId, TaskId};

/// Largest file that is given back from `put` too, so that it can travel inside of an answer, bytes.
pub const SMALL: usize = 256 * 1024;

/// Most files at a time. Each costs some hundred bytes of memory and an inode, however small it is.
pub const MAX_FILES: usize = 10_000;

/// How large the shelf is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShelfSettings {
    /// The folder in which it makes its own; the system's for temporary files if there is none.
    pub dir: Option<PathBuf>,
    /// Largest file, bytes.
    pub max_file_bytes: u64,
    /// All files together, those that are still coming included, bytes.
    pub max_total_bytes: u64,
}

impl Default for ShelfSettings {
    fn default() -> Self {
        Self { dir: None, max_file_bytes: 20 * 1024 * 1024, max_total_bytes: 1024 * 1024 * 1024 }
    }
}

/// What is known of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileMeta {
    /// Its name, for people. The shelf itself makes no use of it.
    pub filename: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
    /// Whose it is: nobody else gets it.
    pub owner: Caller,
    /// The task that it came from, and goes with.
    pub task_id: TaskId,
    /// Since when it counts as there.
    pub created_at: Timestamp,
}

/// A file that was put on the shelf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shelved {
    /// Its id: random.
    pub id: FileId,
    /// Its size, bytes.
    pub size: u64,
    /// All of it, if it is at most [`SMALL`].
    pub small: Option<Bytes>,
}

/// Why a file is not on the shelf. Nothing is left of it then.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// The disk failed.
    #[error("the file cannot be written")]
    Disk(#[source] io::Error),
    /// There is no room, even without all files that are complete.
    #[error("there is no room for the file")]
    Full,
    /// The stream failed.
    #[error("the file did not come")]
    Source(#[source] E),
    /// The file is larger than any may be.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// Largest file, bytes.
        limit: u64,
    },
}

/// Files that the gateway serves. Cloning it shares them; the last one dropped takes them all away.
#[derive(Clone, Debug)]
pub struct Shelf {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spool: Spool,
    max_file_bytes: u64,
    max_total_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By age, oldest first.
    entries: BTreeMap<u64, Arc<Entry>>,
    ages: HashMap<FileId, u64>,
    next_age: u64,
    /// Of all entries and of what is still coming.
    total_bytes: u64,
}

#[derive(Debug)]
struct Entry {
    id: FileId,
    meta: FileMeta,
    size: u64,
    file: Spooled,
}

impl State {
    fn insert(&mut self, entry: Entry) {
        let age = self.next_age;
        self.next_age += 1;
        self.ages.insert(entry.id.clone(), age);
        self.entries.insert(age, Arc::new(entry));
    }

    fn oldest(&mut self) -> Option<Arc<Entry>> {
        let (_, entry) = self.entries.pop_first()?;
        self.ages.remove(&entry.id);
        self.total_bytes = self.total_bytes.saturating_sub(entry.size);
        Some(entry)
    }

    fn take(&mut self, is_wanted: impl Fn(&FileMeta) -> bool) -> Vec<Arc<Entry>> {
        let taken: Vec<_> = self.entries.extract_if(.., |_, entry| is_wanted(&entry.meta)).collect();
        for (_, entry) in &taken {
            self.ages.remove(&entry.id);
            self.total_bytes = self.total_bytes.saturating_sub(entry.size);
        }
        taken.into_iter().map(|(_, entry)| entry).collect()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that a file takes up while it comes; given back when it does not.
struct Claim<'a> {
    inner: &'a Inner,
    bytes: u64,
}

impl Claim<'_> {
    /// Takes room for some more bytes; the oldest files make it.
    fn grow<E>(&mut self, by: usize) -> Result<(), PutError<E>> {
        let limit = self.inner.max_file_bytes;
        let by = u64::try_from(by).map_err(|_| PutError::TooLarge { limit })?;
        let bytes = self.bytes.checked_add(by).filter(|&bytes| bytes <= limit);
        let bytes = bytes.ok_or(PutError::TooLarge { limit })?;
        let mut made_way = Vec::new();
        let mut state = self.inner.state();
        while state.total_bytes.saturating_add(by) > self.inner.max_total_bytes {
            made_way.push(state.oldest().ok_or(PutError::Full)?);
        }
        state.total_bytes += by;
        self.bytes = bytes;
        Ok(())
    }

    /// The file is complete: its room is the entry's from now on.
    fn settle(mut self, meta: FileMeta, file: Spooled) -> (FileId, u64) {
        let (id, size) = (FileId::from(Uuid::new_v4().to_string()), self.bytes);
        let mut made_way = Vec::new();
        let mut state = self.inner.state();
        while state.entries.len() >= MAX_FILES {
            made_way.extend(state.oldest());
        }
        state.insert(Entry { id: id.clone(), meta, size, file });
        self.bytes = 0;
        (id, size)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let mut state = self.inner.state();
            state.total_bytes = state.total_bytes.saturating_sub(self.bytes);
        }
    }
}

impl Shelf {
    /// An empty shelf with a folder of its own.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(settings: ShelfSettings) -> io::Result<Self> {
        let inner = Inner {
            spool: Spool::new(settings.dir.as_deref())?,
            max_file_bytes: settings.max_file_bytes,
            max_total_bytes: settings.max_total_bytes,
            state: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Puts a file on the shelf, as it comes. Nothing is left of it on an error, or if the future is dropped.
    ///
    /// # Errors
    /// [`PutError`]; the stream is not read further then.
    pub async fn put<S, E>(&self, meta: FileMeta, bytes: S) -> Result<Shelved, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let mut bytes = std::pin::pin!(bytes);
        let mut claim = Claim { inner: &self.inner, bytes: 0 };
        let mut small = Some(BytesMut::new());
        let (spooled, mut file) = self.inner.spool.create().await.map_err(PutError::Disk)?;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(PutError::Source)?;
            claim.grow(chunk.len())?;
            if small.as_ref().is_some_and(|small| small.len() + chunk.len() > SMALL) {
                small = None;
            }
            if let Some(small) = &mut small {
                small.extend_from_slice(&chunk);
            }
            file.write_all(&chunk).await.map_err(PutError::Disk)?;
        }
        // What was written last is only now known to have arrived.
        file.flush().await.map_err(PutError::Disk)?;
        let (id, size) = claim.settle(meta, spooled);
        Ok(Shelved { id, size, small: small.map(BytesMut::freeze) })
    }

    /// The caller's file of this id, whatever tenant it is kept for: who fetches a file has no more than its address.
    /// Nothing if there is none, or if it is somebody else's.
    pub fn get(&self, id: &FileId, caller: &Caller) -> Option<FileEntry> {
        let state = self.inner.state();
        let entry = state.entries.get(state.ages.get(id)?)?;
        entry.meta.owner.is_same_as(caller).then(|| FileEntry(entry.clone()))
    }

    /// Takes away the files of a task; gives how many.
    pub fn forget_task(&self, task_id: &TaskId) -> usize {
        let taken = self.inner.state().take(|meta| meta.task_id == *task_id);
        taken.len()
    }

    /// Takes away the files that are as old as `ttl` or older; gives how many.
    pub fn sweep(&self, now: Timestamp, ttl: Duration) -> usize {
        // What no clock can count is never over.
        let Ok(ttl) = SignedDuration::try_from(ttl) else { return 0 };
        let taken = self.inner.state().take(|meta| now.duration_since(meta.created_at) >= ttl);
        taken.len()
    }
}

/// A file on the shelf. Who holds this can read it, even when it has left the shelf since.
#[derive(Clone, Debug)]
pub struct FileEntry(Arc<Entry>);

impl FileEntry {
    /// Its id.
    pub fn id(&self) -> &FileId {
        &self.0.id
    }

    /// What is known of it.
    pub fn meta(&self) -> &FileMeta {
        &self.0.meta
    }

    /// Its size, bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Opens it, at its beginning.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn open(&self) -> io::Result<File> {
        self.0.file.open().await
    }

    /// Its bytes, chunk by chunk. An error is the last item.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn stream(&self) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
        Ok(spool::read(self.open().await?))
    }
}
