//! Thoughts and what only looks like them, whole and chopped.

use proptest::prelude::*;

use super::*;

fn split<'a>(mode: ThinkMode, pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
    let mut splitter = Splitter::new(mode);
    let mut split = Split::default();
    for piece in pieces {
        splitter.push(piece, &mut |side, text| {
            assert!(!text.is_empty());
            split.take(side, text);
        });
    }
    splitter.finish(&mut |side, text| split.take(side, text));
    (split.answer, split.reasoning)
}

#[track_caller]
fn check(text: &str, answer: &str, reasoning: &str) {
    let whole = split(ThinkMode::Metadata, [text]);
    assert_eq!(whole, (answer.to_owned(), reasoning.to_owned()), "{text:?}");
    let chars: Vec<String> = text.chars().map(String::from).collect();
    assert_eq!(split(ThinkMode::Metadata, chars.iter().map(String::as_str)), whole, "{text:?}");
}

#[test]
fn a_thought_is_taken_out_with_the_white_space_of_its_tags() {
    check("<think>\nweighing it\n</think>\nDone thinking.", "Done thinking.", "weighing it");
    check("<think>\r\na\r\n\r\nb\r\n</think>\r\n\r\n  Done.\n", "Done.\n", "a\r\n\r\nb");
    check("<think></think>yes", "yes", "");
    check("<think>\n\n</think>\n\nyes", "yes", "");
    check("\n<think>a</think>\nyes", "\nyes", "a");
}

#[test]
fn white_space_after_a_thought_stays_when_the_answer_has_begun() {
    check("So: <think>\na</think>\nyes", "So: \nyes", "a");
    check("one<think>\r\na</think> two<think>\nb\n</think> three", "one two three", "a\n\nb");
}

#[test]
fn what_only_looks_like_a_tag_is_text() {
    for text in ["a < b <thin> <<think <thinking> </think> c", "<", "<think", "x<thi", "</think>"] {
        check(text, text, "");
    }
    check("<<think>\na</think>b", "<b", "a");
    check("<think>a </thin </think >\n< b</think>c", "c", "a </thin </think >\n< b");
    check("<think>a <think> b<think>\n</think>c", "c", "a <think> b<think>");
}

#[test]
fn a_tag_in_the_middle_needs_a_line_end_behind_it() {
    for text in [
        "Use the <think> tag in HTML like this",
        "a<think></think>b",
        "a<think>\r",
        "a<think>\r\rb",
        "a<think>\r<think>",
        "a<think><think> \n",
        "a <think>",
    ] {
        check(text, text, "");
    }
    check("a<think>\r<think>\r\nb\n</think>", "a<think>\r", "b");
    check("a<think>\n</think>b", "ab", "");
    check(" \t<think>a</think> <think>b</think> c <think>d", " \tc <think>d", "a\n\nb");
    check("<thin<think>\na", "<thin", "a");
}

#[test]
fn each_part_has_a_beginning_of_its_own() {
    let mut splitter = Splitter::new(ThinkMode::Metadata);
    let mut split = Split::default();
    splitter.push("one <think>", &mut |side, text| split.take(side, text));
    splitter.begin_part(&mut |side, text| split.take(side, text));
    splitter.push("\n<think>a</think>two <think>", &mut |side, text| split.take(side, text));
    splitter.finish(&mut |side, text| split.take(side, text));
    assert_eq!((split.answer.as_str(), split.reasoning.as_str()), ("one <think>\ntwo <think>", "a"));
}

#[test]
fn an_unfinished_thought_loses_nothing() {
    check("<think>a\n\n</thi", "", "a\n\n</thi");
    check("<think>a\n", "", "a\n");
}

#[test]
fn thoughts_can_be_kept_or_dropped() {
    let text = "<think>\na\n</think>\nb";
    assert_eq!(split(ThinkMode::Keep, [text]), (text.to_owned(), String::new()));
    assert_eq!(split(ThinkMode::Drop, [text]), ("b".to_owned(), String::new()));
}

#[test]
fn text_before_a_tag_is_not_held_back() {
    let mut splitter = Splitter::new(ThinkMode::Metadata);
    let mut said = String::new();
    splitter.push("Hello <thi", &mut |_, text| said.push_str(text));
    assert_eq!(said, "Hello ");
    splitter.push("s", &mut |_, text| said.push_str(text));
    assert_eq!(said, "Hello <this");
}

/// The text without white space, and without what is or could be a tag.
fn bare(text: &str) -> String {
    let mut bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    loop {
        let less = bare.replace(OPEN, "").replace(CLOSE, "");
        if less.len() == bare.len() {
            return bare;
        }
        bare = less;
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "<think>",
        "<think>\n",
        "</think>",
        "<",
        "</",
        "thi",
        "nk>",
        "\n",
        "\r",
        "\r\n",
        " ",
        "a",
        "中",
        ">",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chopping_changes_nothing(text in any_text(), cuts in prop::collection::vec(1usize..5, 1..30)) {
        let chars: Vec<char> = text.chars().collect();
        let mut chunks = Vec::new();
        let mut rest = chars.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            chunks.push(head.iter().collect::<String>());
            rest = tail;
        }
        for mode in [ThinkMode::Metadata, ThinkMode::Keep, ThinkMode::Drop] {
            let chopped = split(mode, chunks.iter().map(String::as_str));
            prop_assert_eq!(chopped, split(mode, [text.as_str()]));
        }
    }

    #[test]
    fn nothing_but_tags_and_white_space_is_lost(text in any_text()) {
        let mut splitter = Splitter::new(ThinkMode::Metadata);
        let mut all = String::new();
        splitter.push(&text, &mut |_, piece| all.push_str(piece));
        splitter.finish(&mut |_, piece| all.push_str(piece));
        prop_assert_eq!(bare(&all), bare(&text));
    }

    #[test]
    fn an_answer_that_speaks_of_the_tag_stays_as_it_is(text in any_text()) {
        let text = format!("a{}", text.replace("<think>\n", "").replace("<think>\r\n", ""));
        prop_assume!(!text.contains("<think>\n") && !text.contains("<think>\r\n"));
        prop_assert_eq!(split(ThinkMode::Metadata, [text.as_str()]), (text, String::new()));
    }
}
