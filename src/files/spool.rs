//! Files on disk: bytes come in, bytes go out, and the file goes when nobody holds it any more. All that may wait for
//! the disk is done where it blocks nobody.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream;
use tempfile::{TempDir, TempPath};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// How much is read at once, bytes: what makes the trip to the disk worth it.
const CHUNK: usize = 64 * 1024;

/// A private folder, which goes with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Spool {
    folder: Arc<TempDir>,
}

impl Spool {
    /// A new folder in `parent`, or where the system has its temporary files. Nobody else may look into it.
    ///
    /// # Errors
    /// When it cannot be made. A parent that is named must be there.
    pub fn new(parent: Option<&Path>) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("dify-a2a-files-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = match parent {
            Some(parent) => builder.tempdir_in(parent)?,
            None => builder.tempdir()?,
        };
        Ok(Self { folder: Arc::new(folder) })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A new, empty file and the handle to write it. If the future is dropped, the file goes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create(&self) -> io::Result<(Spooled, File)> {
        // One piece, so that the file has an owner from the moment it is there, in a folder that stays until then.
        let folder = self.folder.clone();
        let made = spawn_blocking(move || {
            let (file, path) = tempfile::Builder::new().prefix("").tempfile_in(folder.path())?.into_parts();
            Ok::<_, io::Error>((Spooled(Some(path)), file))
        });
        let (spooled, file) = made.await.map_err(io::Error::other)??;
        Ok((spooled, File::from_std(file)))
    }
}

/// A file on disk. It goes when this is dropped; who has it open can read on.
#[derive(Debug)]
pub struct Spooled(Option<TempPath>);

impl Spooled {
    /// Opens it for reading, from its beginning.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(&self) -> io::Result<File> {
        match &self.0 {
            Some(path) => File::open(path).await,
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        let path = self.0.take();
        match Handle::try_current() {
            // Where no runtime takes it, or one that ends, the file goes here and now.
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(path))),
            Err(_) => drop(path),
        }
    }
}

/// The bytes of a file from where it stands. An error is the last item.
pub fn read(file: File) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold(file, |mut file| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let count = file.read_buf(&mut chunk).await?;
        Ok((count > 0).then(|| (chunk.freeze(), file)))
    })
}
