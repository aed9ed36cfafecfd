//! What the demo app says: takes the words of a person and the name it knows them by, gives an answer in pieces.

/// How fast the pieces come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Speed {
    /// Without a pause.
    Rush,
    /// Slowly enough to interrupt.
    Slow,
    /// Like a model.
    Usual,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// In the middle, by an error of the model.
    Fails,
    /// Well.
    Well,
}

/// An answer, not yet said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Script {
    /// The text in the pieces it is streamed in.
    pub(super) pieces: Vec<String>,
    /// How fast they come.
    pub(super) speed: Speed,
    /// What follows the last one.
    pub(super) end: End,
}

/// Words of a slow answer: one a second gives time to cancel.
const SLOW_WORDS: usize = 20;
/// Words of a long answer.
const LONG_WORDS: usize = 4_000;
/// Longest name that is remembered, characters.
const NAME_CHARS: usize = 40;

const HINT: &str = "I am a small demo app. Tell me your name and ask me for it later, or put one of the words \
                    slow, long, think or fail into a message to see what happens.";

/// The name in a sentence such as "My name is Alice", if it is one.
pub(super) fn name_in(query: &str) -> Option<String> {
    let lower = query.to_ascii_lowercase();
    let rest = ["my name is ", "call me "].iter().find_map(|phrase| {
        let start = lower.find(phrase)? + phrase.len();
        query.get(start..)
    })?;
    let name: String = rest
        .trim_start()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '\''))
        .take(NAME_CHARS)
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The answer to `query` from somebody called `name`.
pub(super) fn answer(query: &str, name: Option<&str>) -> Script {
    if let Some(told) = name_in(query) {
        return usual(&format!("Nice to meet you, {told}."));
    }
    let lower = query.to_lowercase();
    let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
    let says = |word: &str| words.contains(&word);
    if asks_for_name(&lower) {
        return usual(&match name {
            Some(name) => format!("Your name is {name}."),
            None => "You have not told me your name yet.".to_owned(),
        });
    }
    if says("fail") {
        return Script { pieces: pieces("This goes well until"), speed: Speed::Usual, end: End::Fails };
    }
    if says("slow") || says("slowly") {
        return Script { pieces: counted(SLOW_WORDS), speed: Speed::Slow, end: End::Well };
    }
    if says("long") {
        return Script { pieces: counted(LONG_WORDS), speed: Speed::Rush, end: End::Well };
    }
    if says("think") {
        let mut script = usual("Done thinking.");
        let thought = pieces("The user wants to see me think, so I do.");
        let opened = std::iter::once("<think>\n".to_owned()).chain(thought);
        script.pieces.splice(..0, opened.chain(["\n</think>\n".to_owned()]));
        return script;
    }
    let greeted = ["hello", "hi", "hey"].into_iter().any(says);
    usual(&match (greeted, name) {
        (true, Some(name)) => format!("Hello {name}! {HINT}"),
        (true, None) => format!("Hello! {HINT}"),
        (false, _) => format!("You said: {query}\n\n{HINT}"),
    })
}

fn asks_for_name(lower: &str) -> bool {
    ["what is my name", "what's my name", "who am i", "do you know my name"]
        .iter()
        .any(|phrase| lower.contains(phrase))
}

fn usual(text: &str) -> Script {
    Script { pieces: pieces(text), speed: Speed::Usual, end: End::Well }
}

/// A text word by word, each with the space behind it.
fn pieces(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn counted(words: usize) -> Vec<String> {
    (1..=words).map(|number| format!("word{number}{}", if number == words { "." } else { " " })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(query: &str, name: Option<&str>) -> String {
        answer(query, name).pieces.concat()
    }

    #[test]
    fn names_are_heard_and_told() {
        assert_eq!(name_in("Hello, my name is Zoë, nice"), Some("Zoë".to_owned()));
        assert_eq!(name_in("ÄÖÜ call me Jean-Luc."), Some("Jean-Luc".to_owned()));
        assert_eq!(name_in("my name is "), None);
        assert_eq!(name_in("What is my name?"), None);
        assert_eq!(said("My name is Alice", None), "Nice to meet you, Alice.");
        assert_eq!(said("What is my name?", Some("Alice")), "Your name is Alice.");
        assert_eq!(said("What's my name?", None), "You have not told me your name yet.");
    }

    #[test]
    fn everything_else_is_greeted_or_echoed() {
        assert!(said("Hi there", Some("Alice")).starts_with("Hello Alice! "));
        assert!(said("Grüße 🎉", None).starts_with("You said: Grüße 🎉\n"));
        assert!(said("This", None).starts_with("You said: This"));
    }

    #[test]
    fn four_words_have_effects() {
        let slow = answer("slow please", None);
        assert_eq!((slow.pieces.len(), slow.speed), (SLOW_WORDS, Speed::Slow));
        let long = answer("a long one", None);
        assert_eq!((long.pieces.len(), long.speed), (LONG_WORDS, Speed::Rush));
        assert_eq!(answer("please fail!", None).end, End::Fails);
        assert_eq!(
            said("think", None),
            "<think>\nThe user wants to see me think, so I do.\n</think>\nDone thinking."
        );
        assert_eq!(answer("a longer failure", None).speed, Speed::Usual);
    }
}
