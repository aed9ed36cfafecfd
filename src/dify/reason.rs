//! Dify's own words for a failure in, a short sentence fit for callers out.
//!
//! What Dify says may be a Python traceback, a validation dump that quotes the request, or a text of the model
//! provider with its address and part of its key. None of that may leave the gateway.

use std::net::IpAddr;

/// Longest reason, characters.
pub const MAX_REASON_CHARS: usize = 300;

/// The meaningful line of `raw` without addresses, keys, ids and paths, at most [`MAX_REASON_CHARS`] long. `None`
/// when nothing is left of it.
pub fn clean_reason(raw: &str) -> Option<String> {
    let raw = raw.strip_prefix("Run failed: ").unwrap_or(raw);
    let meaning = if raw.contains("validation error") && raw.contains("[type=") {
        validation_problems(raw)
    } else if raw.contains("Traceback (most recent call last)") {
        last_line_of_traceback(raw).to_owned()
    } else {
        raw.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    };
    // Routing appends its guesses to "not found" texts.
    let meaning = meaning.split(" You have requested this URI").next().unwrap_or_default();
    let text = redact(meaning);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| shorten(&text, MAX_REASON_CHARS))
}

/// `text`, cut to `limit` characters with a mark where it was cut.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The exception at the end of a Python traceback.
fn last_line_of_traceback(raw: &str) -> &str {
    raw.lines()
        .rev()
        .find(|line| !line.is_empty() && !line.starts_with(char::is_whitespace))
        .unwrap_or_default()
}

/// `field: problem` for the fields that pydantic complains of, without the input that it quotes.
fn validation_problems(raw: &str) -> String {
    let mut problems = Vec::new();
    let mut field = "";
    for line in raw.lines().skip(1) {
        if !line.starts_with(' ') {
            field = line.trim();
        } else if let Some((problem, _)) = line.split_once(" [type=") {
            problems.push(format!("{field}: {}", problem.trim()));
        }
    }
    problems.join("; ")
}

/// Replaces every word that could lead somewhere or open something.
fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut previous = "";
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.find(is_break).unwrap_or(rest.len());
        if rest.get(..end).is_some_and(|word| word.contains("://")) {
            end = rest.find(is_break_of_address).unwrap_or(rest.len());
        }
        let (word, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        clean.push_str(replacement(previous, word).unwrap_or(word));
        if !word.is_empty() {
            previous = word;
        }
        let mut chars = tail.chars();
        clean.extend(chars.next().map(|c| if c.is_control() { ' ' } else { c }));
        rest = chars.as_str();
    }
    clean
}

/// What stands between words. Not `:`, `.`, `/` and `-`, which addresses and keys have inside.
fn is_break(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`()[]{}<>,;=|".contains(c)
}

/// What ends an address, which may have much more inside than a word.
fn is_break_of_address(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'`()[]{}<>".contains(c)
}

fn replacement(previous: &str, word: &str) -> Option<&'static str> {
    let bare = word.trim_end_matches(['.', ':', '!', '?']);
    if bare.contains("://") || is_host(previous, bare) {
        Some("[address]")
    } else if previous.eq_ignore_ascii_case("bearer") || bare.split([':', '/']).any(is_key) {
        Some("[key]")
    } else if bare.split([':', '/']).any(is_opaque) {
        Some("[id]")
    } else if bare.starts_with('/') && bare.matches('/').count() > 1 {
        Some("[path]")
    } else {
        None
    }
}

fn is_key(word: &str) -> bool {
    ["app-", "dataset-", "sk-", "pk-", "rk-", "ak-", "xox", "ghp_", "AIza", "eyJ"].iter().any(|prefix| {
        word.strip_prefix(prefix).is_some_and(|secret| secret.len() >= 6 && !secret.contains(' '))
    })
}

/// Long and without sense for people: an id, a hash, a key of unknown make.
fn is_opaque(word: &str) -> bool {
    word.len() >= 24
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+'))
        && word.bytes().filter(u8::is_ascii_digit).count() >= 4
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_host(previous: &str, word: &str) -> bool {
    if word.parse::<IpAddr>().is_ok() {
        return true;
    }
    if previous.eq_ignore_ascii_case("host") {
        return !word.is_empty();
    }
    let authority = word.split('/').next().unwrap_or_default();
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !host.is_empty()
        && host.bytes().all(is_name)
        && port.parse::<u16>().is_ok()
        && (host.contains('.') || host == "localhost" || port.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, clean: &str) {
        assert_eq!(clean_reason(raw).as_deref(), Some(clean), "{raw}");
    }

    #[test]
    fn a_traceback_gives_its_exception() {
        check(
            "Run failed: Traceback (most recent call last):\n  File \"<stdin>\", line 15, in <module>\nValueError: boom: please fail\n",
            "ValueError: boom: please fail",
        );
    }

    #[test]
    fn a_validation_dump_gives_its_fields_and_not_the_request() {
        check(
            "2 validation errors for ChatRequestPayload\nquery\n  Field required [type=missing, input_value={'user': 'u'}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.12/v/missing\nuser\n  Input should be a valid string [type=string_type, input_value=7, input_type=int]",
            "query: Field required; user: Input should be a valid string",
        );
    }

    #[test]
    fn a_routing_guess_is_cut_off() {
        check(
            "Conversation Not Exists. You have requested this URI [/v1/chat-messages] but did you mean /v1/x ?",
            "Conversation Not Exists.",
        );
    }

    #[test]
    fn addresses_are_taken_out() {
        check("see https://api.example.com/v1?key=a for more", "see [address] for more");
        check("cannot connect to plugin_daemon:5002.", "cannot connect to [address].".trim_end_matches('.'));
        check("dial 10.0.0.7 failed", "dial [address] failed");
        check("dial 10.0.0.7:6379/0: refused", "dial [address] refused");
        check(
            "HTTPSConnectionPool(host='llm.corp.example', port=443): Max retries exceeded with url: /v1/chat/completions",
            "HTTPSConnectionPool(host='[address]', port=443): Max retries exceeded with url: [path]",
        );
        check("error at line:15, status:400", "error at line:15, status:400");
    }

    #[test]
    fn keys_and_ids_are_taken_out() {
        check("Incorrect API key provided: sk-abcd***wxyz.", "Incorrect API key provided: [key]");
        check("token app-fb3f7eff6a3a75c7 is bad", "token [key] is bad");
        check("Authorization: Bearer abc.def", "Authorization: Bearer [key]");
        check("api_key=sk-proj-123456 rejected", "api_key=[key] rejected");
        check("run 912c7ca3-91d5-4c7e-8b0e-d3c1a8a8f5cb failed", "run [id] failed");
        check("the app-level setting is off", "the app-level setting is off");
    }

    #[test]
    fn a_long_reason_is_cut_and_an_empty_one_is_none() {
        let cut = clean_reason(&"é ".repeat(500)).unwrap();
        assert_eq!(cut.chars().count(), MAX_REASON_CHARS);
        assert!(cut.ends_with('…'));
        assert_eq!(clean_reason(" \n\t"), None);
        assert_eq!(clean_reason(""), None);
    }

    #[test]
    fn control_characters_do_not_pass() {
        check("a\u{1b}[31mb\u{0}c", "a [31mb c");
    }
}
