//! A caller's message in, the `query` of a chat app out.

use crate::core::error::Error;
use crate::core::message::{Content, Message, Part};

/// The text to ask Dify: the text parts with an empty line between them.
///
/// # Errors
/// [`Error::ContentTypeNotSupported`] for a part that is not text, [`Error::InvalidParams`] when there is no text.
pub fn query(message: &Message) -> Result<String, Error> {
    let mut query = String::new();
    for part in &message.parts {
        let text = text(part)?;
        if text.is_empty() {
            continue;
        }
        if !query.is_empty() {
            query.push_str("\n\n");
        }
        // Dify's database cannot keep NUL characters.
        query.extend(text.split('\0'));
    }
    if query.trim().is_empty() {
        return Err(Error::invalid("message.parts", "must have a text part that is not empty"));
    }
    Ok(query)
}

fn text(part: &Part) -> Result<&str, Error> {
    let refuse = |what: &str| {
        let name = part.filename.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        Err(Error::ContentTypeNotSupported(format!(
            "incompatible content type: {what}{name} is not supported by this agent; it takes text parts"
        )))
    };
    match &part.content {
        Content::Text(text) => match part.media_type.as_deref() {
            Some(kind) if !is_text(kind) => refuse(&format!("a text part of the media type {kind}")),
            Some(_) | None => Ok(text),
        },
        Content::Data(_) => refuse("a data part"),
        Content::Raw(_) | Content::Served(_) | Content::Url(_) => refuse("a file part"),
    }
}

fn is_text(media_type: &str) -> bool {
    media_type.trim_start().get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case("text/"))
        || media_type.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::core::ids::MessageId;
    use crate::core::message::Role;

    fn message(parts: Vec<Part>) -> Message {
        Message {
            id: MessageId::from("m"),
            role: Role::User,
            parts,
            context_id: None,
            task_id: None,
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        }
    }

    fn part(content: Content, media_type: Option<&str>) -> Part {
        Part { content, filename: None, media_type: media_type.map(str::to_owned), metadata: None }
    }

    #[test]
    fn text_parts_are_joined_as_they_are() {
        let parts = vec![Part::text(" one\0 "), Part::text(""), Part::text("two\n"), Part::text("三")];
        assert_eq!(query(&message(parts)).unwrap(), " one \n\ntwo\n\n\n三");
    }

    #[test]
    fn any_kind_of_text_is_text() {
        for kind in ["text/plain", "TEXT/Markdown; charset=utf-8", ""] {
            let parts = vec![part(Content::Text("hi".to_owned()), Some(kind))];
            assert_eq!(query(&message(parts)).unwrap(), "hi", "{kind}");
        }
    }

    #[test]
    fn a_message_without_text_is_invalid() {
        for parts in [vec![], vec![Part::text("")], vec![Part::text(" \n\0"), Part::text("\t")]] {
            let error = query(&message(parts)).unwrap_err();
            assert!(
                matches!(error, Error::InvalidParams(violations) if violations[0].field == "message.parts")
            );
        }
    }

    #[test]
    fn what_is_not_text_is_refused_by_name() {
        let json = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
        for (content, media_type, what) in [
            (Content::Raw(Bytes::from_static(b"x")), Some("image/png"), "a file part"),
            (Content::Url("https://h/f".to_owned()), None, "a file part"),
            (Content::Data(json.into()), None, "a data part"),
            (Content::Text("{}".to_owned()), Some("application/json"), "the media type application/json"),
            (Content::Text("x".to_owned()), Some("tex"), "the media type tex"),
        ] {
            let error = query(&message(vec![Part::text("hi"), part(content, media_type)])).unwrap_err();
            let Error::ContentTypeNotSupported(sentence) = error else { panic!("{error:?}") };
            assert!(sentence.contains(what), "{sentence}");
        }
        let named = Part { filename: Some("a.pdf".to_owned()), ..part(Content::Raw(Bytes::new()), None) };
        assert!(query(&message(vec![named])).unwrap_err().to_string().contains("a.pdf"));
    }
}
