//! What guards a connection against clients that hold it and do nothing: the one that never begins, and the one
//! that stopped reading. Neither is a slow client: as long as a byte moves now and then, nothing happens.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take for its first bytes.
pub const OPENING: Duration = Duration::from_secs(30);

/// How many bytes those are: as many as it takes to tell HTTP/1 from HTTP/2 (RFC 9113 §3.4). From then on the
/// protocol has limits of its own.
const OPENING_BYTES: usize = 24;

/// How much the system may hold of what a client has not read, bytes (it takes twice that with its own data). It
/// bounds what a client that does not read costs, and how long a slow one is not seen to move: the system asks for
/// more only when a third of this is gone, which is some three minutes at 1 KiB/s.
const SEND_BUFFER: usize = 256 * 1024;

/// How long a client may take nothing of what is written to it.
pub const STALL: Duration = Duration::from_secs(600);

/// Puts every accepted connection under guard.
#[derive(Clone, Copy, Debug)]
pub struct Guard;

impl<S> Accept<TcpStream, S> for Guard {
    type Stream = Guarded<TcpStream>;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        std::future::ready(tune(&stream).map(|()| (Guarded::new(stream, OPENING, STALL), service)))
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    // Small events must not wait for one another.
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)
}

/// A connection under guard.
#[derive(Debug)]
pub struct Guarded<T> {
    stream: T,
    /// Until when the first bytes must be there; nothing once they are.
    opening: Option<Pin<Box<Sleep>>>,
    opening_bytes: usize,
    stall: Duration,
    /// Until when something that waits to be written must move; made when something waits for the first time.
    stalled: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl<T> Guarded<T> {
    /// Guards `stream` with these limits.
    pub fn new(stream: T, opening: Duration, stall: Duration) -> Self {
        let opening = Some(Box::pin(sleep(opening)));
        Self { stream, opening, opening_bytes: 0, stall, stalled: None, is_waiting: false }
    }

    /// Passes on how a write went, unless nothing has moved for too long.
    fn watch<R>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        // A client that is written to has begun.
        self.opening = None;
        if wrote.is_ready() {
            self.is_waiting = false;
            return wrote;
        }
        let stall = self.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        if !self.is_waiting {
            self.is_waiting = true;
            stalled.as_mut().reset(Instant::now() + stall);
        }
        stalled.as_mut().poll(cx).map(|()| Err(too_long("the client stopped reading")))
    }
}

fn too_long(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(opening) = &mut self.opening else { return read };
        if read.is_pending() {
            return opening.as_mut().poll(cx).map(|()| Err(too_long("the client never began")));
        }
        self.opening_bytes += buf.filled().len() - before;
        if self.opening_bytes >= OPENING_BYTES {
            self.opening = None;
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_begins_is_let_go() {
        let (mut client, server) = duplex(64);
        let mut server = Guarded::new(server, 30 * SECOND, 600 * SECOND);
        client.write_all(b"PRI * HTTP").await.expect("written");
        let mut all = Vec::new();
        let error = server.read_to_end(&mut all).await.expect_err("too slow");
        assert_eq!((error.kind(), all.as_slice()), (io::ErrorKind::TimedOut, &b"PRI * HTTP"[..]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_begun_may_be_silent() {
        let (mut client, server) = duplex(64);
        let mut server = Guarded::new(server, 30 * SECOND, 600 * SECOND);
        client.write_all(&[b'x'; OPENING_BYTES]).await.expect("written");
        let mut buf = [0; OPENING_BYTES];
        server.read_exact(&mut buf).await.expect("read");
        let silence = tokio::time::timeout(3600 * SECOND, server.read_u8()).await;
        assert!(silence.is_err(), "{silence:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stopped_reading_is_let_go_and_a_slow_one_is_not() {
        let (mut client, server) = duplex(8);
        let mut server = Guarded::new(server, 30 * SECOND, 600 * SECOND);
        let writing = tokio::spawn(async move { server.write_all(&[b'x'; 64]).await });
        for _ in 0..5 {
            sleep(500 * SECOND).await; // ok: time is paused
            client.read_exact(&mut [0; 8]).await.expect("read");
        }
        let error = writing.await.expect("no panic").expect_err("stalled");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
