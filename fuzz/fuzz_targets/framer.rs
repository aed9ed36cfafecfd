//! Bytes to blocks to data: the same however the bytes are chopped, and the same as the HTML standard says.
#![no_main]

use dify_a2a::dify::framing::{Framer, TooLarge};
use dify_a2a::dify::sse;
use libfuzzer_sys::fuzz_target;
use support::{chop::chop, standard};

fuzz_target!(|data: &[u8]| {
    // A limit, the lengths of three pieces, and the stream.
    let Some(([limit, cuts @ ..], stream)) = data.split_first_chunk::<4>() else { return };
    let generous = run(&[stream], usize::MAX);
    assert_eq!(run(&chop(stream, cuts), usize::MAX), generous, "in other pieces");
    assert_eq!(run(&chop(stream, &[0]), usize::MAX), generous, "byte by byte");
    against_the_standard(stream, &generous);

    let limit = usize::from(*limit);
    let strict = run(&[stream], limit);
    assert_eq!(run(&chop(stream, cuts), limit).blocks, strict.blocks, "in other pieces, with a limit");
    assert!(generous.blocks.starts_with(&strict.blocks), "a limit changes no block");
    assert!(strict.error.is_some() || strict == generous, "a limit that is not reached changes nothing");
});

#[derive(Debug, Eq, PartialEq)]
struct Run {
    blocks: Vec<String>,
    error: Option<TooLarge>,
    is_inside_block: bool,
}

fn run(chunks: &[&[u8]], limit: usize) -> Run {
    let mut framer = Framer::new(limit);
    let mut blocks = Vec::new();
    for chunk in chunks {
        framer.push(chunk);
        loop {
            match framer.next_block() {
                Ok(Some(block)) => blocks.push(block.into_owned()),
                Ok(None) => break,
                Err(error) => return Run { blocks, error: Some(error), is_inside_block: true },
            }
        }
    }
    Run { blocks, error: None, is_inside_block: framer.is_inside_block() }
}

fn against_the_standard(stream: &[u8], run: &Run) {
    let expected = standard::blocks(stream);
    let found: Vec<Vec<String>> = run.blocks.iter().map(|block| lines(block)).collect();
    assert_eq!(found, expected);
    for (block, lines) in run.blocks.iter().zip(&expected) {
        let data = sse::data(block).expect("every block can be parsed");
        let event = standard::event(lines).filter(|event| event.name != "ping" && !event.data.is_empty());
        assert_eq!(data.as_deref(), event.as_ref().map(|event| event.data.as_str()), "{block:?}");
    }
}

fn lines(block: &str) -> Vec<String> {
    block.split(['\r', '\n']).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
