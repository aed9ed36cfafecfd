//! What Dify tells beside the text, as the core's facts: usage, citations, time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::core::facts::{Citation, FactsUpdate, Usage};
use crate::dify::event::MessageEnd;
use crate::dify::mend;
use crate::dify::reason::shorten;

/// How much of a cited passage is kept, characters.
const MAX_EXCERPT_CHARS: usize = 300;

/// Most citations that are kept of one answer.
const MAX_CITATIONS: usize = 100;

/// What the end of a message tells, in the order in which it is reported. The model's time is left out of graphs,
/// where the run has its own.
pub fn of_message_end(end: &MessageEnd<'_>, is_graph: bool) -> Vec<FactsUpdate> {
    let mut facts = Vec::new();
    if let Some(usage) = end.usage.and_then(usage) {
        if let Some(elapsed) = usage.latency.filter(|_| !is_graph).and_then(elapsed) {
            facts.push(elapsed);
        }
        facts.push(FactsUpdate::Usage(usage.usage));
    }
    let citations = end.retriever_resources.map(citations).unwrap_or_default();
    if !citations.is_empty() {
        facts.push(FactsUpdate::Citations(citations));
    }
    if end.annotated {
        facts.push(FactsUpdate::Annotated);
    }
    facts
}

/// The tokens of a whole run, which is all that a workflow tells of its usage. A run without a model used none.
pub fn of_tokens(total: u64) -> Option<FactsUpdate> {
    let json = serde_json::value::to_raw_value(&BTreeMap::from([("totalTokens", total)])).ok()?;
    let usage =
        Usage { json: json.into(), prompt_tokens: None, completion_tokens: None, total_tokens: Some(total) };
    (total > 0).then_some(FactsUpdate::Usage(usage))
}

/// A time that Dify gives in seconds.
pub fn elapsed(seconds: f64) -> Option<FactsUpdate> {
    millis(seconds).map(FactsUpdate::ElapsedMs)
}

/// The same in milliseconds.
pub(super) fn millis(seconds: f64) -> Option<u64> {
    u64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_millis()).ok()
}

struct TimedUsage {
    usage: Usage,
    /// How long Dify worked, seconds.
    latency: Option<f64>,
}

fn usage(raw: &RawValue) -> Option<TimedUsage> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(default, borrow)]
        prompt_tokens: Option<&'a RawValue>,
        #[serde(default, borrow)]
        completion_tokens: Option<&'a RawValue>,
        #[serde(default, borrow)]
        total_tokens: Option<&'a RawValue>,
        #[serde(default, borrow)]
        latency: Option<&'a RawValue>,
    }
    if !raw.get().starts_with('{') {
        return None;
    }
    let wire: Wire<'_> = serde_json::from_str(raw.get()).ok()?;
    Some(TimedUsage {
        latency: number(wire.latency),
        usage: Usage {
            json: Arc::from(named_as_a2a_does(raw)?),
            prompt_tokens: number(wire.prompt_tokens),
            completion_tokens: number(wire.completion_tokens),
            total_tokens: number(wire.total_tokens),
        },
    })
}

/// An object of Dify with its members renamed from `snake_case` to `camelCase` (A2A 1.0 §5.5), and their values to
/// the letter: money is in decimal strings, and nobody rounds it.
fn named_as_a2a_does(object: &RawValue) -> Option<Box<RawValue>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object.get()).ok()?;
    let renamed: BTreeMap<String, &RawValue> =
        members.into_iter().map(|(name, value)| (camel_case(&name), value)).collect();
    serde_json::value::to_raw_value(&renamed).ok()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

fn citations(raw: &RawValue) -> Vec<Citation> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(default, borrow)]
        position: Option<&'a RawValue>,
        #[serde(default, borrow)]
        dataset_name: Option<&'a RawValue>,
        #[serde(default, borrow)]
        document_name: Option<&'a RawValue>,
        #[serde(default, borrow)]
        content: Option<&'a RawValue>,
        #[serde(default, borrow)]
        score: Option<&'a RawValue>,
    }
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    let wires = items.iter().filter(|item| item.get().starts_with('{'));
    let wires = wires.filter_map(|item| serde_json::from_str::<Wire<'_>>(item.get()).ok());
    let citations = wires.map(|wire| Citation {
        position: number(wire.position),
        dataset_name: text(wire.dataset_name).map(Cow::into_owned),
        document_name: text(wire.document_name).map(Cow::into_owned),
        excerpt: text(wire.content).map(|content| shorten(&content, MAX_EXCERPT_CHARS)),
        score: number(wire.score),
    });
    citations.take(MAX_CITATIONS).collect()
}

fn number<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let text: String = mend::read(raw?.get())?;
    (!text.is_empty()).then_some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::event::{DifyEvent, Frame};

    fn facts(metadata: &str, is_graph: bool) -> Vec<FactsUpdate> {
        let data = format!(r#"{{"event":"message_end","metadata":{metadata}}}"#);
        match Frame::decode(&data).unwrap().event {
            DifyEvent::MessageEnd(end) => of_message_end(&end, is_graph),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn usage_keeps_its_values_to_the_letter_and_its_time_counts_outside_graphs() {
        let metadata = r#"{"usage":{"prompt_tokens":13,"completion_tokens":6,"total_tokens":19,"total_price":"0E-7","latency":1.5}}"#;
        let [FactsUpdate::ElapsedMs(1500), FactsUpdate::Usage(usage)] = &facts(metadata, false)[..] else {
            panic!("{:?}", facts(metadata, false))
        };
        assert_eq!(
            usage.json.get(),
            r#"{"completionTokens":6,"latency":1.5,"promptTokens":13,"totalPrice":"0E-7","totalTokens":19}"#
        );
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
            (Some(13), Some(6), Some(19))
        );
        assert!(matches!(&facts(metadata, true)[..], [FactsUpdate::Usage(_)]));
    }

    #[test]
    fn citations_are_cut_and_survive_odd_values() {
        let long = format!("\\ud800{}", "x".repeat(1000));
        let metadata = format!(
            r#"{{"retriever_resources":[{{"position":1,"dataset_name":"d","document_name":"f.md","content":"{long}","score":0.5,"hit_count":3}},{{"position":null,"score":"high","content":7}},null,[1]]}}"#
        );
        let [FactsUpdate::Citations(citations)] = &facts(&metadata, true)[..] else { panic!("no citations") };
        assert_eq!(citations.len(), 2);
        let excerpt = citations[0].excerpt.as_ref().unwrap();
        assert!(excerpt.starts_with("\u{fffd}x") && excerpt.chars().count() == MAX_EXCERPT_CHARS);
        assert_eq!((citations[0].position, citations[0].score), (Some(1), Some(0.5)));
        assert_eq!(citations[1], Citation::default());
    }

    #[test]
    fn nothing_told_is_nothing_reported() {
        for metadata in [
            "null",
            "{}",
            r#"{"usage":null,"retriever_resources":[],"annotation_reply":null}"#,
            r#"{"usage":[]}"#,
        ] {
            assert!(facts(metadata, false).is_empty(), "{metadata}");
        }
    }

    #[test]
    fn times_that_make_no_sense_are_left_out() {
        assert!(elapsed(-1.0).is_none() && elapsed(f64::NAN).is_none() && elapsed(f64::INFINITY).is_none());
        assert!(matches!(elapsed(0.0), Some(FactsUpdate::ElapsedMs(0))));
    }
}
