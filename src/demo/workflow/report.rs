//! What the report says: the values of the form come in, a text of about so many words and its keywords go out.

use super::inputs::Inputs;

/// Words of a report unless somebody asks for another number.
const USUAL_WORDS: u64 = 60;
/// Bounds of what may be asked for, so that it is a report and ends.
const FEWEST_WORDS: u64 = 20;
const MOST_WORDS: u64 = 2_000;
/// Keywords at most.
const KEYWORDS: usize = 5;
/// A word of the topic with fewer letters is no keyword.
const KEYWORD_LETTERS: usize = 3;

/// A report, not yet told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Report {
    /// Its text in the pieces it is streamed in: words, each with the space behind it.
    pub(super) pieces: Vec<String>,
    /// How many words its sentences have; a heading does not count.
    pub(super) words: usize,
    /// What it is about.
    pub(super) keywords: Vec<String>,
    /// How it is told.
    pub(super) tone: &'static str,
}

impl Report {
    /// Writes one.
    pub(super) fn write(inputs: &Inputs) -> Self {
        let topic = inputs.topic.trim();
        let tone = inputs.tone.unwrap_or("formal");
        let asked = inputs.words.as_ref().map(whole);
        let most = asked.unwrap_or(USUAL_WORDS).clamp(FEWEST_WORDS, MOST_WORDS);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let opening = if tone == "casual" {
            format!("So, {topic}: here is the short of it.")
        } else {
            format!("This report gives an account of {topic}.")
        };
        let mut sentences = vec![opening];
        if let Some(source) = &inputs.source {
            let size = match source.size {
                Some(1) => "1 byte".to_owned(),
                Some(size) => format!("{size} bytes"),
                None => "size unknown".to_owned(),
            };
            sentences.push(format!("It rests on {} ({size}).", source.name));
        }
        let mut words: usize = sentences.iter().map(|sentence| count(sentence)).sum();
        let more = if tone == "casual" { CASUAL } else { FORMAL };
        for sentence in more.iter().cycle().map(|sentence| sentence.replace("{topic}", topic)) {
            words += count(&sentence);
            if words > most {
                words -= count(&sentence);
                break;
            }
            sentences.push(sentence);
        }
        let text = format!("# Report: {topic}\n\n{}\n", sentences.join(" "));
        Self {
            pieces: text.split_inclusive(' ').map(str::to_owned).collect(),
            words,
            keywords: keywords(topic),
            tone,
        }
    }

    /// Its whole text.
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

const FORMAL: &[&str] = &[
    "The subject has been looked at from several sides.",
    "What is known about {topic} was weighed against what is merely believed.",
    "Most sources agree on the essentials.",
    "Where they differ, the older ones were preferred.",
    "Further work on {topic} would be worth its cost.",
];

const CASUAL: &[&str] = &[
    "People have opinions about {topic}, and you will hear all of them.",
    "Some of them are even right.",
    "Ask around and you learn more than from any book.",
    "In the end {topic} is what you make of it.",
];

/// The whole part of a number; nothing below zero, and no more than fits.
fn whole(number: &serde_json::Number) -> u64 {
    let rounded = || number.as_f64().and_then(|number| number.max(0.0).trunc().to_string().parse().ok());
    number.as_u64().or_else(rounded).unwrap_or(u64::MAX)
}

fn count(sentence: &str) -> usize {
    sentence.split_whitespace().count()
}

fn keywords(topic: &str) -> Vec<String> {
    let mut keywords: Vec<String> = Vec::new();
    for word in topic.split(|letter: char| !letter.is_alphanumeric()) {
        let word = word.to_lowercase();
        if word.chars().count() >= KEYWORD_LETTERS && !keywords.contains(&word) {
            keywords.push(word);
        }
    }
    keywords.truncate(KEYWORDS);
    if keywords.is_empty() {
        keywords.push("report".to_owned());
    }
    keywords
}

#[cfg(test)]
mod tests {
    use super::super::inputs::Source;
    use super::*;
    use crate::demo::wire::Object;

    fn inputs(topic: &str, words: Option<u64>) -> Inputs {
        Inputs { topic: topic.to_owned(), words: words.map(Into::into), ..Inputs::default() }
    }

    #[test]
    fn a_report_has_at_most_the_words_asked_for() {
        for (asked, most) in [(Some(50), 50), (None, 60), (Some(0), 20), (Some(u64::MAX), 2_000)] {
            let report = Report::write(&inputs("tea", asked));
            let body = report.text().split_once("\n\n").unwrap().1.to_owned();
            assert_eq!(count(&body), report.words);
            assert!(report.words <= most && report.words + 12 > most, "{} of {most}", report.words);
        }
        assert_eq!(Report::write(&inputs("tea", Some(50))), Report::write(&inputs("tea", Some(50))));
    }

    #[test]
    fn any_number_is_a_number_of_words() {
        for (number, expected) in [("50", 50), ("50.9", 50), ("-3", 0), ("1e3", 1_000), ("1e300", u64::MAX)] {
            assert_eq!(whole(&number.parse().unwrap()), expected, "{number}");
        }
    }

    #[test]
    fn it_names_its_source() {
        let source = |size| Source { name: "notes.txt".to_owned(), size, object: Object::new() };
        for (size, said) in [(Some(11), "11 bytes"), (Some(1), "1 byte"), (None, "size unknown")] {
            let inputs = Inputs { source: Some(source(size)), tone: Some("casual"), ..inputs("tea", None) };
            let report = Report::write(&inputs);
            assert!(
                report.text().contains(&format!("It rests on notes.txt ({said}). ")),
                "{}",
                report.text()
            );
            assert_eq!(report.tone, "casual");
        }
    }

    #[test]
    fn keywords_are_the_longer_words_of_the_topic() {
        assert_eq!(keywords("The tea of the Ming era, tea!"), ["the", "tea", "ming", "era"]);
        assert_eq!(keywords("42"), ["report"]);
        assert_eq!(keywords("one two three four five six").len(), 5);
    }
}
