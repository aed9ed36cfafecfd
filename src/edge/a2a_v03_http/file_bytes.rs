//! How clients write the bytes of files, and read them.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::edge::json::write_base64;

/// One way to write the bytes of files.
pub trait FileBytes: Debug + Send + Sync + 'static {
    /// The file, of what `fileWithBytes` stands for.
    fn read(sent: Bytes) -> Bytes;

    /// What `fileWithBytes` stands for, of the file.
    fn pack(file: Bytes) -> Bytes;

    /// Appends the value of `fileWithBytes`.
    fn write(buf: &mut Vec<u8>, file: &Bytes) {
        write_base64(buf, &Self::pack(file.clone()));
    }
}

/// As they are meant: the bytes of the file, in JSON as base64.
#[derive(Clone, Copy, Debug)]
pub struct Once;

/// As the official Python client has it, both ways: the base64 of the file, in JSON as base64 once more. It breaks off
/// at any other.
#[derive(Clone, Copy, Debug)]
pub struct Twice;

impl FileBytes for Once {
    fn read(sent: Bytes) -> Bytes {
        sent
    }

    fn pack(file: Bytes) -> Bytes {
        file
    }
}

impl FileBytes for Twice {
    /// The client may be put right one day, and others carry its name; so what is no base64 is the file itself.
    fn read(sent: Bytes) -> Bytes {
        if sent.is_empty() {
            return sent;
        }
        STANDARD.decode(&sent).map_or(sent, Bytes::from)
    }

    fn pack(file: Bytes) -> Bytes {
        STANDARD.encode(file).into()
    }
}
