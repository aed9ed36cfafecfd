//! Cuts a byte stream into whole server-sent-event blocks: chunks of any size go in, the text between two blank
//! lines comes out.
//!
//! Follows "Parsing an event stream" of the HTML standard: one leading BOM is dropped, LF, CR and CRLF (and nothing
//! else, so not U+2028) end a line, bytes that are not UTF-8 become U+FFFD. Every byte is looked at once, memory
//! stays below the limit for one event plus one chunk, and a line end may be split over chunks anywhere.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// The usual limit for one event, bytes. Dify puts whole prompts and node outputs into its frames, so hundreds of
/// kilobytes are normal; beyond this nobody is served by going on.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// What a buffer may keep allocated once a large event has gone through it, bytes.
const KEPT_CAPACITY: usize = 64 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One event is larger than the limit. The stream cannot be read further.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("one event of the stream is larger than {limit} bytes")]
pub struct TooLarge {
    /// The limit, bytes.
    pub limit: usize,
}

/// The cutter. [`push`](Self::push) a chunk, then take blocks until there are no more.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Largest size of a block, bytes.
    limit: usize,
    /// Whether a BOM may still come.
    at_start: bool,
    /// Whether the byte before `scanned` is a CR, so that an LF right there belongs to it.
    after_cr: bool,
    /// Where the current block begins.
    block: usize,
    /// Where the current line begins.
    line: usize,
    /// Up to where line ends have been looked for.
    scanned: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }
}

impl Framer {
    /// A cutter that takes events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit, at_start: true, after_cr: false, block: 0, line: 0, scanned: 0 }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.forget_consumed();
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole block, with its line ends, if one is there. Stray blank lines are no blocks.
    ///
    /// # Errors
    /// [`TooLarge`] when the block, complete or not, is larger than the limit.
    pub fn next_block(&mut self) -> Result<Option<Cow<'_, str>>, TooLarge> {
        let Some(range) = self.find()? else { return Ok(None) };
        Ok(self.buffer.get(range).map(text))
    }

    /// Whether bytes are left over that no blank line has closed: a stream that ends now was cut.
    pub fn is_inside_block(&self) -> bool {
        self.block < self.buffer.len()
    }

    fn find(&mut self) -> Result<Option<Range<usize>>, TooLarge> {
        if self.at_start && !self.skip_bom() {
            return Ok(None);
        }
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(offset) = memchr2(b'\n', b'\r', unseen) else {
                self.after_cr &= unseen.is_empty();
                self.scanned = self.buffer.len();
                self.check(self.scanned)?;
                return Ok(None);
            };
            let at = self.scanned + offset;
            let is_lf = unseen.get(offset) == Some(&b'\n');
            let closes_crlf = is_lf && self.after_cr && offset == 0;
            let is_blank = self.line == at;
            self.after_cr = !is_lf;
            self.scanned = at + 1;
            self.line = at + 1;
            if closes_crlf {
                // The CR has already ended the line, and perhaps the block.
                if self.block == at {
                    self.block = at + 1;
                }
                continue;
            }
            if !is_blank {
                continue;
            }
            self.check(at)?;
            let range = self.block..at + 1;
            self.block = at + 1;
            if range.len() > 1 {
                return Ok(Some(range));
            }
        }
    }

    /// Drops a leading BOM. `false` while it cannot be told yet whether there is one.
    fn skip_bom(&mut self) -> bool {
        if self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer) {
            return false;
        }
        if self.buffer.starts_with(BOM) {
            self.block = BOM.len();
            self.line = BOM.len();
            self.scanned = BOM.len();
        }
        self.at_start = false;
        true
    }

    fn check(&self, end: usize) -> Result<(), TooLarge> {
        if end.saturating_sub(self.block) > self.limit { Err(TooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn forget_consumed(&mut self) {
        self.buffer.drain(..self.block);
        self.line -= self.block;
        self.scanned -= self.block;
        self.block = 0;
        if self.buffer.len() < KEPT_CAPACITY && self.buffer.capacity() > 4 * KEPT_CAPACITY {
            self.buffer.shrink_to(KEPT_CAPACITY);
        }
    }
}

/// The bytes as text. The lossy way looks at every byte by itself; hardly ever is it needed.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks_of<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
        let mut framer = Framer::default();
        let mut blocks = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            while let Some(block) = framer.next_block().unwrap() {
                blocks.push(block.into_owned());
            }
        }
        (blocks, framer.is_inside_block())
    }

    fn bytewise(stream: &[u8]) -> (Vec<String>, bool) {
        blocks_of(stream.chunks(1))
    }

    /// What a block says, whatever ends its lines.
    fn lines(block: &str) -> Vec<&str> {
        block.split(['\r', '\n']).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn every_kind_of_line_end_closes_a_block_however_it_is_split() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = format!("data: a{end}data: b{end}{end}{end}event: ping{end}{end}data: c{end}{end}");
            for (blocks, inside) in [blocks_of([stream.as_bytes()]), bytewise(stream.as_bytes())] {
                let said: Vec<_> = blocks.iter().map(|block| lines(block)).collect();
                assert_eq!(said, [vec!["data: a", "data: b"], vec!["event: ping"], vec!["data: c"]]);
                assert!(!inside, "{end:?}");
            }
        }
    }

    #[test]
    fn a_block_is_given_as_soon_as_its_blank_line_is_there() {
        let mut framer = Framer::default();
        framer.push(b"data: a\r\n\r");
        assert!(framer.next_block().unwrap().is_some());
        framer.push(b"\ndata: b\r\n\r\n");
        assert_eq!(framer.next_block().unwrap().as_deref(), Some("data: b\r\n\r"));
        assert_eq!(framer.next_block().unwrap(), None);
        assert!(!framer.is_inside_block());
    }

    #[test]
    fn one_bom_is_dropped_and_only_at_the_beginning() {
        let stream = "\u{feff}data: a\n\n\u{feff}data: b\n\n".as_bytes();
        for (blocks, _) in [blocks_of([stream]), bytewise(stream)] {
            assert_eq!(blocks, ["data: a\n\n", "\u{feff}data: b\n\n"]);
        }
    }

    #[test]
    fn unicode_line_separators_do_not_end_lines() {
        let (blocks, _) = bytewise("data: a\u{2028}b\u{85}\u{2029}\n\n".as_bytes());
        assert_eq!(blocks, ["data: a\u{2028}b\u{85}\u{2029}\n\n"]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_cost_only_themselves() {
        let (blocks, _) = bytewise(b"data: a\xFFb\n\ndata: \xE4\xB8\xAD\n\n");
        assert_eq!(blocks, ["data: a\u{FFFD}b\n\n", "data: 中\n\n"]);
    }

    #[test]
    fn a_stream_that_is_cut_says_so() {
        for cut in [&b"data: a\n\ndata: b"[..], b"data: a\n", b"\xEF\xBB", b"data: a\n\ndata: \xE4\xB8"] {
            assert!(bytewise(cut).1, "{cut:?}");
        }
        assert!(!bytewise(b"").1);
    }

    #[test]
    fn an_event_over_the_limit_is_an_error_before_and_after_its_end() {
        let mut framer = Framer::new(16);
        framer.push(b"data: short\n\n");
        assert!(framer.next_block().unwrap().is_some());
        framer.push(b"data: 12345678901234567");
        assert_eq!(framer.next_block(), Err(TooLarge { limit: 16 }));

        let mut framer = Framer::new(16);
        framer.push(b"data: 12345678901234567\n\n");
        assert_eq!(framer.next_block(), Err(TooLarge { limit: 16 }));
    }

    #[test]
    fn a_frame_of_two_megabytes_in_small_chunks_comes_out_whole_and_its_memory_goes() {
        let stream = format!("data: {}\n\n", "x".repeat(2 << 20));
        let mut framer = Framer::default();
        for chunk in stream.as_bytes().chunks(1000) {
            framer.push(chunk);
        }
        assert_eq!(framer.next_block().unwrap().as_deref(), Some(stream.as_str()));
        framer.push(b"data: a\n\n");
        assert!(framer.buffer.capacity() <= 4 * KEPT_CAPACITY);
    }

    proptest! {
        #[test]
        fn chopping_changes_nothing(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["\n", "\r", "\r\n", "data: ", "\u{feff}", "中", ":", "event: ping", "x"]),
                0..40,
            ),
            cuts in prop::collection::vec(1usize..9, 1..40),
        ) {
            let stream: Vec<u8> = pieces.concat().into_bytes();
            let mut chunks = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            prop_assert_eq!(blocks_of(chunks), blocks_of([stream.as_slice()]));
        }
    }
}
