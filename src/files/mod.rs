//! The shelf: files that the gateway serves itself. Streams of bytes come in with what is known of them, and go out
//! again to the caller they belong to. Bytes are on disk, all else is in memory; nothing survives the program.
//!
//! | module | what |
//! | --- | --- |
//! | [`shelf`] | what stands there, for whom, and what has to make room |
//! | [`spool`] | the files on disk |

pub mod shelf;
pub mod spool;

pub use shelf::{FileEntry, FileMeta, PutError, Shelf, ShelfSettings, Shelved};

#[cfg(test)]
mod tests;
