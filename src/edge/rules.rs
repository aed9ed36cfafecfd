//! What the values of requests must be like, whatever wire form they come in. What is wrong with one is said in words
//! for its sender; where it is, the wire form knows.

use std::borrow::Cow;

use super::page;
use crate::core::command::PageStart;

/// Longest identifier a client may choose, in bytes. UUIDs have 36; 512 leaves room for composed ones and
/// keeps keys of stores small.
pub const MAX_ID_BYTES: usize = 512;

/// Most parts of one message. Dify takes far fewer files; more than this is no message but an attack.
pub const MAX_PARTS: usize = 100;

/// Most elements of any other list in a request, such as `extensions`.
pub const MAX_LIST: usize = 100;

/// Page size when a request names none, and the largest one (A2A 1.0 §3.1.4).
pub const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: i32 = 100;

/// What is wrong with a part that does not have one content (A2A 1.0 §4.1.6).
pub const ONE_CONTENT: &str = "must have exactly one of text, raw, url, data";

/// What is wrong with a field that must be there and is not.
pub const REQUIRED: &str = "is required";

/// A value that is as it must be, or what is wrong with it.
pub type Ruled<T> = Result<T, Cow<'static, str>>;

/// An identifier: not empty, not too long, no control characters.
///
/// # Errors
/// What is wrong.
pub fn identifier(text: String) -> Ruled<String> {
    if text.is_empty() {
        Err("must not be empty".into())
    } else if text.len() > MAX_ID_BYTES {
        Err(format!("must not be longer than {MAX_ID_BYTES} bytes").into())
    } else if text.chars().any(char::is_control) {
        Err("must not contain control characters".into())
    } else {
        Ok(text)
    }
}

/// A text that says something.
///
/// # Errors
/// When it is empty.
pub fn some_text(text: String) -> Ruled<String> {
    if text.is_empty() { Err("must not be empty".into()) } else { Ok(text) }
}

/// A list of `count` elements that may have `most`.
///
/// # Errors
/// When it has more.
pub fn at_most(most: usize, count: usize) -> Ruled<()> {
    if count > most { Err(format!("must not have more than {most} elements").into()) } else { Ok(()) }
}

/// The parts of a message, as many as `count`.
///
/// # Errors
/// When there are none, or too many.
pub fn parts(count: usize) -> Ruled<()> {
    at_most(MAX_PARTS, count)?;
    if count == 0 { Err("at least one part is required".into()) } else { Ok(()) }
}

/// `historyLength` (A2A 1.0 §3.2.4): not negative.
///
/// # Errors
/// When it is.
pub fn history_length(length: i32) -> Ruled<u32> {
    u32::try_from(length).map_err(|_| "must not be negative".into())
}

/// `pageSize` (A2A 1.0 §3.1.4).
///
/// # Errors
/// When it is too small or too large.
pub fn page_size(size: i32) -> Ruled<usize> {
    let allowed = (1..=MAX_PAGE).contains(&size).then_some(size);
    let size = allowed.and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| format!("must be from 1 to {MAX_PAGE}").into())
}

/// `pageToken` (A2A 1.0 §3.1.4).
///
/// # Errors
/// When it is not one of ours.
pub fn page_start(token: &str) -> Ruled<PageStart> {
    page::read_token(token).ok_or_else(|| "is not a token of this agent".into())
}
