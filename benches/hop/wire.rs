//! A bare HTTP/1.1 client that reads answers as fast as they come and looks at them later.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How much is read at once, bytes.
const READ: usize = 256 * 1024;

/// A connection that has been idle for longer is not used again: servers close such, the gateway after 30 s.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// Longest head of an answer, bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The body of one answer, and when it came.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The bytes, without chunk sizes.
    pub bytes: Vec<u8>,
    /// How many bytes were there at which moment, in order.
    pub marks: Vec<(usize, Instant)>,
}

/// One connection, used again and again.
pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    buffer: Vec<u8>,
    last_used: Instant,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, buffer: vec![0; READ], last_used: Instant::now() })
    }

    /// Whether the other side can be expected to have it still open.
    pub(crate) fn is_fresh(&self) -> bool {
        self.last_used.elapsed() < MAX_IDLE
    }

    /// Posts JSON and reads the answer to its end. `expected` is about how long it will be.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &str,
        json: &str,
        expected: usize,
    ) -> Result<Body> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
            self.address,
            json.len()
        );
        self.stream.write_all(&[head.as_bytes(), json.as_bytes()].concat()).await?;
        let mut body = Body { bytes: Vec::with_capacity(expected), marks: Vec::with_capacity(1024) };
        let mut head = Vec::new();
        let mut decoder = loop {
            let read = self.read().await?;
            head.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
            if let Some(at) = memmem::find(&head, b"\r\n\r\n") {
                let rest = head.split_off(at + 4);
                let mut decoder = Decoder::of(&head)?;
                decoder.feed(&rest, &mut body.bytes)?;
                break decoder;
            }
            if head.len() > MAX_HEAD {
                bail!("the answer's head is too long");
            }
        };
        body.marks.push((body.bytes.len(), Instant::now()));
        while !decoder.is_done() {
            let read = self.read().await?;
            decoder.feed(self.buffer.get(..read).unwrap_or_default(), &mut body.bytes)?;
            body.marks.push((body.bytes.len(), Instant::now()));
        }
        self.last_used = Instant::now();
        if !String::from_utf8_lossy(&head).starts_with("HTTP/1.1 200 ") {
            bail!("{}{}", String::from_utf8_lossy(&head), String::from_utf8_lossy(&body.bytes));
        }
        Ok(body)
    }

    async fn read(&mut self) -> Result<usize> {
        match self.stream.read(&mut self.buffer).await? {
            0 => bail!("{} has closed the connection in the middle of an answer", self.address),
            read => Ok(read),
        }
    }
}

/// Takes the framing off a body.
enum Decoder {
    /// So many bytes are to come.
    Length(usize),
    /// Chunks are to come.
    Chunked { state: Chunk, size: usize },
}

enum Chunk {
    Size,
    Data,
    DataEnd,
    /// After the last chunk, in a line of so many bytes.
    Trailer(usize),
    Done,
}

impl Decoder {
    fn of(head: &[u8]) -> Result<Self> {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        if head.contains("\r\ntransfer-encoding: chunked\r\n") {
            return Ok(Self::Chunked { state: Chunk::Size, size: 0 });
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        Ok(Self::Length(length.context("the answer has no length")?.trim().parse()?))
    }

    fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked { state: Chunk::Done, .. })
    }

    fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Length(left) => {
                if input.len() > *left {
                    bail!("the answer is longer than it said");
                }
                out.extend_from_slice(input);
                *left -= input.len();
            }
            Self::Chunked { state, size } => {
                while let [first, rest @ ..] = input {
                    input = rest;
                    match state {
                        Chunk::Size => match first {
                            b'\r' => {}
                            b'\n' if *size == 0 => *state = Chunk::Trailer(0),
                            b'\n' => *state = Chunk::Data,
                            digit => *size = *size * 16 + hex(*digit)?,
                        },
                        Chunk::Data => {
                            out.push(*first);
                            *size -= 1;
                            let (data, after) = rest.split_at((*size).min(rest.len()));
                            out.extend_from_slice(data);
                            input = after;
                            *size -= data.len();
                            if *size == 0 {
                                *state = Chunk::DataEnd;
                            }
                        }
                        Chunk::DataEnd if *first == b'\n' => *state = Chunk::Size,
                        Chunk::DataEnd if *first == b'\r' => {}
                        Chunk::DataEnd => bail!("a chunk does not end where it should"),
                        Chunk::Trailer(0) if *first == b'\n' => *state = Chunk::Done,
                        Chunk::Trailer(length) => match first {
                            b'\r' => {}
                            b'\n' => *length = 0,
                            _ => *length += 1,
                        },
                        Chunk::Done => bail!("there are bytes after the end of the answer"),
                    }
                }
            }
        }
        Ok(())
    }
}

fn hex(digit: u8) -> Result<usize> {
    let value = char::from(digit).to_digit(16).context("a chunk's size is not a number")?;
    Ok(usize::try_from(value)?)
}
