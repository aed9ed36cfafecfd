//! The shelf, on a real disk.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use super::shelf::{MAX_FILES, SMALL};
use super::*;
use crate::core::ids::{Caller, FileId, TaskId};

/// A shelf in a folder that can be looked into.
struct Stage {
    shelf: Shelf,
    parent: TempDir,
}

fn stage(max_file_bytes: u64, max_total_bytes: u64) -> Stage {
    let parent = tempfile::tempdir().unwrap();
    let dir = Some(parent.path().to_owned());
    Stage { shelf: Shelf::new(ShelfSettings { dir, max_file_bytes, max_total_bytes }).unwrap(), parent }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

impl Stage {
    fn folder(&self) -> PathBuf {
        let folders = files_in(self.parent.path());
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].clone()
    }

    /// Waits until so many files are on disk: they go in the background.
    async fn on_disk(&self, count: usize) {
        let begun = Instant::now();
        loop {
            let files = files_in(&self.folder());
            if files.len() == count {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{count} expected: {files:?}");
            tokio::task::yield_now().await;
        }
    }

    async fn put(&self, task: &str, text: &str) -> FileId {
        self.shelf.put(meta(task), pieces(&[text])).await.unwrap().id
    }

    async fn text(&self, id: &FileId) -> Option<String> {
        let entry = self.shelf.get(id, &Caller::anonymous())?;
        Some(String::from_utf8(whole(&entry).await).unwrap())
    }
}

fn meta(task: &str) -> FileMeta {
    FileMeta {
        filename: Some("../../a.txt".to_owned()),
        media_type: Some("text/plain".to_owned()),
        owner: Caller::anonymous(),
        task_id: TaskId::from(task),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn pieces(texts: &[&str]) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let texts: Vec<_> = texts.iter().map(|text| Ok(Bytes::copy_from_slice(text.as_bytes()))).collect();
    stream::iter(texts)
}

async fn whole(entry: &FileEntry) -> Vec<u8> {
    let chunks: Vec<Bytes> = entry.stream().await.unwrap().try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test]
async fn what_is_put_comes_back() {
    let stage = stage(100, 1000);
    let shelved = stage.shelf.put(meta("t"), pieces(&["one ", "", "two"])).await.unwrap();
    assert_eq!((shelved.size, shelved.small.as_deref()), (7, Some(&b"one two"[..])));
    assert_eq!(uuid::Uuid::parse_str(shelved.id.as_str()).unwrap().get_version_num(), 4);
    let entry = stage.shelf.get(&shelved.id, &Caller::anonymous()).unwrap();
    assert_eq!((entry.id(), entry.size(), entry.meta()), (&shelved.id, 7, &meta("t")));
    assert_eq!(whole(&entry).await, b"one two");
    assert_eq!(whole(&entry).await, b"one two");

    let empty = stage.shelf.put(meta("t"), pieces(&[])).await.unwrap();
    assert_eq!((empty.size, empty.small.as_deref()), (0, Some(&b""[..])));
    assert_eq!(stage.text(&empty.id).await.as_deref(), Some(""));
}

#[tokio::test]
async fn large_files_are_not_given_back() {
    let stage = stage(10_000_000, 10_000_000);
    for (size, is_small) in [(SMALL, true), (SMALL + 1, false), (1_000_000, false)] {
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        let chunks: Vec<_> =
            bytes.chunks(7777).map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk))).collect();
        let shelved = stage.shelf.put(meta("t"), stream::iter(chunks)).await.unwrap();
        assert_eq!(shelved.small.is_some(), is_small, "{size}");
        let entry = stage.shelf.get(&shelved.id, &Caller::anonymous()).unwrap();
        assert!(whole(&entry).await == bytes, "{size} bytes come back as they were");
    }
}

#[tokio::test]
async fn a_file_that_grows_too_large_leaves_nothing() {
    let stage = stage(10, 1000);
    let mut taken = 0;
    let endless = stream::repeat_with(|| {
        taken += 1;
        Ok::<_, Infallible>(Bytes::from_static(b"1234"))
    });
    let error = stage.shelf.put(meta("t"), endless).await.expect_err("too large");
    assert!(matches!(error, PutError::TooLarge { limit: 10 }), "{error:?}");
    assert_eq!(taken, 3);
    stage.on_disk(0).await;
    assert_eq!(stage.shelf.put(meta("t"), pieces(&["12345", "67890"])).await.unwrap().size, 10);
}

#[tokio::test]
async fn a_stream_that_fails_leaves_nothing() {
    let stage = stage(100, 100);
    let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err("broken")]);
    let error = stage.shelf.put(meta("t"), broken).await.expect_err("broken");
    assert!(matches!(error, PutError::Source("broken")), "{error:?}");
    stage.on_disk(0).await;
    // Its room is free again.
    let all = "x".repeat(100);
    assert_eq!(stage.put("t", &all).await.as_str().len(), 36);
}

#[tokio::test]
async fn a_put_that_is_dropped_leaves_nothing() {
    let stage = stage(100, 100);
    let hanging = pieces(&["some", "more"]).chain(stream::pending());
    let mut put = Box::pin(stage.shelf.put(meta("t"), hanging));
    // Dropped at every point up to the wait for more, and there.
    let begun = Instant::now();
    while files_in(&stage.folder()).iter().all(|file| std::fs::metadata(file).unwrap().len() < 8) {
        assert!(futures_util::poll!(put.as_mut()).is_pending());
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    drop(put);
    stage.on_disk(0).await;
    for polls in 0..20 {
        let hanging = pieces(&["some", "more"]).chain(stream::pending());
        let mut put = Box::pin(stage.shelf.put(meta("t"), hanging));
        for _ in 0..polls {
            assert!(futures_util::poll!(put.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        drop(put);
    }
    // Whatever was about to be made is made and taken away in the background before this is.
    let all = "x".repeat(100);
    let id = stage.put("t", &all).await;
    stage.on_disk(1).await;
    assert_eq!(stage.text(&id).await, Some(all));
}

#[tokio::test]
async fn the_oldest_make_room() {
    let stage = stage(10, 20);
    let first = stage.put("t", "11111111").await;
    let second = stage.put("t", "22222222").await;
    let held = stage.shelf.get(&first, &Caller::anonymous()).unwrap();
    let mut open = held.open().await.unwrap();
    drop(held);
    let third = stage.put("t", "33333333").await;
    assert_eq!(stage.text(&first).await, None);
    assert_eq!(stage.text(&second).await.as_deref(), Some("22222222"));
    assert_eq!(stage.text(&third).await.as_deref(), Some("33333333"));
    stage.on_disk(2).await;
    // Who has it open reads on.
    let mut text = String::new();
    open.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "11111111");

    // One that is being read is there for its reader, though it has made way.
    let held = stage.shelf.get(&second, &Caller::anonymous()).unwrap();
    stage.put("t", "44444444").await;
    assert_eq!(stage.text(&second).await, None);
    assert_eq!(whole(&held).await, b"22222222");
    drop(held);
    stage.on_disk(2).await;
}

#[tokio::test]
async fn what_is_still_coming_makes_no_room() {
    let stage = stage(10, 12);
    let (sender, receiver) = channel();
    let shelf = stage.shelf.clone();
    let coming = tokio::spawn(async move { shelf.put(meta("t"), receiver).await });
    sender.send(Bytes::from_static(b"12345678")).await.unwrap();
    sender.reserve_many(2).await.unwrap();
    // Taken from the channel; the claim on the room follows when the put goes on.
    let begun = Instant::now();
    let error = loop {
        match stage.shelf.put(meta("t"), pieces(&["12345"])).await {
            Err(error) => break error,
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(10)),
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(error, PutError::Full), "{error:?}");
    drop(sender);
    assert_eq!(coming.await.unwrap().unwrap().size, 8);
}

#[tokio::test]
async fn small_files_make_room_too() {
    let stage = stage(10, 10);
    let first = stage.put("t", "").await;
    let second = stage.put("t", "").await;
    for _ in 0..MAX_FILES - 1 {
        stage.put("t", "").await;
    }
    assert_eq!(stage.text(&first).await, None);
    assert_eq!(stage.text(&second).await.as_deref(), Some(""));
    stage.on_disk(MAX_FILES).await;
}

type Chunks = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Infallible>> + Send>>;

fn channel() -> (tokio::sync::mpsc::Sender<Bytes>, Chunks) {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        let chunk: Bytes = receiver.recv().await?;
        Some((Ok(chunk), receiver))
    });
    (sender, chunks.boxed())
}

#[tokio::test]
async fn other_callers_get_nothing() {
    let stage = stage(100, 100);
    let owner = Caller::named("ann");
    let owned = FileMeta { owner: owner.clone(), ..meta("t") };
    let id = stage.shelf.put(owned, pieces(&["hers"])).await.unwrap().id;
    assert!(stage.shelf.get(&id, &owner).is_some());
    for other in [Caller::anonymous(), Caller::named("bob"), Caller::named("")] {
        assert!(stage.shelf.get(&id, &other).is_none(), "{other:?}");
    }
    assert!(stage.shelf.get(&FileId::from("../x"), &owner).is_none());

    let of_a_tenant = FileMeta { owner: owner.clone().in_tenant("acme"), ..meta("t") };
    let id = stage.shelf.put(of_a_tenant, pieces(&["theirs"])).await.unwrap().id;
    assert!(stage.shelf.get(&id, &owner).is_some());
    assert!(stage.shelf.get(&id, &Caller::anonymous().in_tenant("acme")).is_none());
}

#[tokio::test]
async fn files_go_with_their_task() {
    let stage = stage(100, 20);
    let ids = [stage.put("one", "a").await, stage.put("two", "b").await, stage.put("one", "c").await];
    assert_eq!(stage.shelf.forget_task(&TaskId::from("one")), 2);
    assert_eq!(stage.shelf.forget_task(&TaskId::from("one")), 0);
    assert_eq!(stage.text(&ids[0]).await, None);
    assert_eq!(stage.text(&ids[1]).await.as_deref(), Some("b"));
    assert_eq!(stage.text(&ids[2]).await, None);
    stage.on_disk(1).await;
    // Their room is free again: this one fits beside the one that is left.
    stage.put("three", &"x".repeat(19)).await;
    assert_eq!(stage.text(&ids[1]).await.as_deref(), Some("b"));
}

#[tokio::test]
async fn old_files_are_swept() {
    let stage = stage(100, 100);
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let old = FileMeta { created_at: at(100), ..meta("t") };
    let young = FileMeta { created_at: at(101), ..meta("t") };
    let old = stage.shelf.put(old, pieces(&["old"])).await.unwrap().id;
    let young = stage.shelf.put(young, pieces(&["young"])).await.unwrap().id;
    let ttl = Duration::from_secs(60);
    assert_eq!(stage.shelf.sweep(at(159), ttl), 0);
    assert_eq!(stage.shelf.sweep(at(50), ttl), 0);
    assert_eq!(stage.shelf.sweep(at(10_000), Duration::MAX), 0);
    assert_eq!(stage.shelf.sweep(at(160), ttl), 1);
    assert_eq!(stage.text(&old).await, None);
    assert_eq!(stage.text(&young).await.as_deref(), Some("young"));
    stage.on_disk(1).await;
}

#[tokio::test]
async fn the_folder_is_private_and_goes_with_the_shelf() {
    let stage = stage(100, 100);
    let id = stage.put("t", "secret").await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&stage.folder()), 0o700);
        assert_eq!(files_in(&stage.folder()).iter().map(|file| mode(file)).collect::<Vec<_>>(), [0o600]);
    }
    let held = stage.shelf.get(&id, &Caller::anonymous()).unwrap();
    let mut open = held.open().await.unwrap();
    let Stage { shelf, parent } = stage;
    let other = shelf.clone();
    drop(shelf);
    assert_eq!(files_in(parent.path()).len(), 1);
    drop(other);
    assert_eq!(files_in(parent.path()), Vec::<PathBuf>::new());
    let mut text = String::new();
    open.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "secret");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told() {
    let dir = Some(PathBuf::from("/nonexistent/folder"));
    assert!(Shelf::new(ShelfSettings { dir, ..ShelfSettings::default() }).is_err());
}
