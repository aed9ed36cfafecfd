//! JSON as text: written straight into a byte buffer, read without building trees.
//!
//! JSON that belongs to users (data parts, metadata) is never turned into numbers and maps of ours. It
//! stays the text it arrived in, so `1.0`, `9007199254740993` and `1e400` leave as they came.

mod depth;
mod read;
mod write;

pub use depth::{MAX_DEPTH, within_depth};
pub use read::{Field, Members, read_params, same_name};
pub use write::{
    ObjectWriter, write_base64, write_list, write_raw, write_str, write_str_body, write_timestamp,
};
