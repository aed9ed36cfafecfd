//! A caller's message in, its text for Dify out.

use crate::core::error::Error;
use crate::core::message::{Content, Message};

/// What a message says as text: its text parts with an empty line between them; blank if there is none. Other parts are
/// not looked at.
///
/// # Errors
/// [`Error::ContentTypeNotSupported`] for a text part whose media type is not of text.
pub fn text(message: &Message) -> Result<String, Error> {
    let mut whole = String::new();
    for part in &message.parts {
        let Content::Text(text) = &part.content else { continue };
        if let Some(kind) = part.media_type.as_deref().filter(|kind| !is_text(kind)) {
            return Err(Error::ContentTypeNotSupported(format!(
                "incompatible content type: a text part of the media type {kind} is not supported by this agent"
            )));
        }
        if text.is_empty() {
            continue;
        }
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        // Dify's database cannot keep NUL characters.
        whole.extend(text.split('\0'));
    }
    Ok(whole)
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
    use crate::core::message::{Part, Role};

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
        assert_eq!(text(&message(parts)).unwrap(), " one \n\ntwo\n\n\n三");
    }

    #[test]
    fn any_kind_of_text_is_text() {
        for kind in ["text/plain", "TEXT/Markdown; charset=utf-8", ""] {
            let parts = vec![part(Content::Text("hi".to_owned()), Some(kind))];
            assert_eq!(text(&message(parts)).unwrap(), "hi", "{kind}");
        }
    }

    #[test]
    fn a_message_without_text_is_blank() {
        for parts in [vec![], vec![Part::text("")], vec![Part::text(" \n\0"), Part::text("\t")]] {
            assert!(text(&message(parts)).unwrap().trim().is_empty());
        }
        let file = part(Content::Raw(Bytes::from_static(b"x")), Some("image/png"));
        assert_eq!(text(&message(vec![Part::text("hi"), file])).unwrap(), "hi");
    }

    #[test]
    fn a_text_of_another_type_is_refused_by_name() {
        for (content, media_type) in [("{}", "application/json"), ("x", "tex")] {
            let part = part(Content::Text(content.to_owned()), Some(media_type));
            let error = text(&message(vec![Part::text("hi"), part])).unwrap_err();
            let Error::ContentTypeNotSupported(sentence) = error else { panic!("{error:?}") };
            assert!(sentence.contains(media_type), "{sentence}");
        }
    }
}
