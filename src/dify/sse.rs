//! One server-sent-event block in, the data it carries out.
//!
//! Dify's blocks are a single `data:` line; those are sliced where they stand. Whatever else the format allows goes
//! to `eventsource-stream`, which gets one whole, valid block at a time, line by line: fed like that it can neither
//! grow without bound nor be slow, and it never meets the BOM that would make it panic.

use std::borrow::Cow;
use std::convert::Infallible;
use std::iter;

use eventsource_stream::EventStream;
use futures_util::{FutureExt, StreamExt, stream};
use memchr::memchr2;

/// The block is no server-sent event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the block is not a server-sent event")]
pub struct Malformed;

/// The data of a block from [`super::framing::Framer`]. `None` for a ping, a comment or an empty event, which are
/// only signs of life.
///
/// # Errors
/// [`Malformed`] when the block cannot be parsed.
pub fn data(block: &str) -> Result<Option<Cow<'_, str>>, Malformed> {
    let data = match only_data_line(block) {
        Some(line) => Some(Cow::Borrowed(line)),
        None => parse(block)?.map(Cow::Owned),
    };
    Ok(data.filter(|data| !data.is_empty()))
}

/// The value of the block's `data:` line, if the block is just that line.
fn only_data_line(block: &str) -> Option<&str> {
    let value = block.strip_prefix("data:")?;
    let (line, ends) = value.split_at_checked(memchr2(b'\n', b'\r', value.as_bytes())?)?;
    ends.bytes().all(|byte| matches!(byte, b'\n' | b'\r')).then(|| line.strip_prefix(' ').unwrap_or(line))
}

fn parse(block: &str) -> Result<Option<String>, Malformed> {
    // A blank line before the block keeps a BOM in it from being the parser's first character; those behind it
    // close a block whose last line end was a CR.
    let lines = iter::once("\n").chain(block.split_inclusive(['\n', '\r'])).chain(iter::once("\n\n"));
    let mut events = EventStream::new(stream::iter(lines.map(Ok::<_, Infallible>)));
    match events.next().now_or_never().flatten() {
        Some(Ok(event)) => Ok((event.event != "ping").then_some(event.data)),
        Some(Err(_)) => Err(Malformed),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dify::event::Frame;
    use crate::dify::framing::Framer;

    proptest! {
        #[test]
        fn no_bytes_at_all_can_break_the_way_from_stream_to_event(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..6),
                    prop::sample::select(vec!["\u{feff}", "data: ", "data", ":", "event: ping", "id:\0", "retry: x", "{}"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                    prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                ],
                0..60,
            ),
        ) {
            let mut framer = Framer::default();
            for piece in pieces {
                framer.push(&piece);
                while let Some(block) = framer.next_block().unwrap() {
                    if let Some(data) = data(&block).unwrap() {
                        let _ = Frame::decode(&data);
                    }
                }
            }
        }
    }

    #[test]
    fn a_single_data_line_is_sliced_without_a_copy() {
        for (block, value) in [
            ("data: {\"a\":1}\n\n", "{\"a\":1}"),
            ("data:x\r\n\r", "x"),
            ("data:  two\r\r", " two"),
            ("data: a\u{2028}b\n\n", "a\u{2028}b"),
        ] {
            assert!(matches!(data(block), Ok(Some(Cow::Borrowed(found))) if found == value), "{block:?}");
        }
    }

    #[test]
    fn the_rest_of_the_format_is_understood() {
        for (block, value) in [
            ("data: a\ndata: b\n\n", "a\nb"),
            ("event: message\ndata: a\n\n", "a"),
            (": hello\r\nid: 7\r\ndata: a\r\n\r", "a"),
            ("data: a\rdata\rretry: 5\r\r", "a\n"),
            ("data\ndata: b\n\n", "\nb"),
        ] {
            assert_eq!(data(block).unwrap().as_deref(), Some(value), "{block:?}");
        }
    }

    #[test]
    fn pings_comments_and_empty_events_carry_nothing() {
        for block in ["event: ping\n\n", "event: ping\r\n\r", ": keep-alive\n\n", "data:\n\n", "id: 1\n\n"] {
            assert_eq!(data(block), Ok(None), "{block:?}");
        }
        assert_eq!(data("event: ping\ndata: {}\n\n"), Ok(None));
    }

    #[test]
    fn a_bom_inside_the_stream_is_part_of_an_unknown_field() {
        assert_eq!(data("\u{feff}data: a\n\n"), Ok(None));
        assert_eq!(data("\u{feff}\ndata: a\n\n").unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn a_block_of_very_many_lines_takes_linear_time() {
        let block = "data: x\n".repeat(50_000) + "\n";
        assert_eq!(data(&block).unwrap().map(|data| data.len()), Some(2 * 50_000 - 1));
    }
}
