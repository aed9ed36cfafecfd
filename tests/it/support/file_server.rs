//! A server of files whose every byte is scripted, and which counts who comes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Step;

type Files = Box<dyn Fn(&str) -> Vec<Step> + Send + Sync>;

/// The server, listening until it is dropped.
pub struct FileServer {
    pub addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl FileServer {
    /// Gives each path what `files` says, as it stands: heads too, see [`file`].
    pub async fn start(files: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1", files).await
    }

    /// The same at an address of this machine.
    pub async fn at(host: &str, files: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (connections, paths) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (files, count, told): (Arc<Files>, _, _) =
            (Arc::new(Box::new(files)), Arc::clone(&connections), Arc::clone(&paths));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                open.spawn(serve(stream, Arc::clone(&files), Arc::clone(&told)));
            }
        });
        Self { addr, connections, paths, _serving: serving }
    }

    /// The address of a file.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What was asked for.
    pub fn paths(&self) -> Vec<String> {
        self.paths.lock().expect("no panic").clone()
    }
}

async fn serve(mut stream: TcpStream, files: Arc<Files>, paths: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let steps = files(&path);
    paths.lock().expect("no panic").push(path);
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Wait(gate) => gate.notified().await,
            Step::Hang => std::future::pending().await,
            Step::Cut | Step::Relay(_) | Step::WaitForStop(_) => return,
        }
    }
}

/// A whole answer with a file.
pub fn file(media_type: &str, bytes: &[u8]) -> Vec<Step> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    vec![Step::Send(head.into_bytes()), Step::Send(bytes.to_vec())]
}

/// An answer without a body.
pub fn bare(status: &str, headers: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
    vec![Step::Send(head.into_bytes())]
}
