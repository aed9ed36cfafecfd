//! JSON laid out for people: JSON text in, the same members in the same order and spelling out, one a line.

/// How far each level is indented.
const INDENT: &str = "  ";

/// Lays valid JSON out. Numbers and strings stay as they are written, and empty lists and objects on their line.
pub(super) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut letters = json.chars().peekable();
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&INDENT.repeat(depth));
    };
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                out.push(letter);
                while let Some(inner) = letters.next() {
                    out.push(inner);
                    match inner {
                        '"' => break,
                        '\\' => out.extend(letters.next()),
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                match letters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth = depth.saturating_add(1);
                        newline(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn order_and_spelling_stay() {
        assert_eq!(
            pretty(r#"{"b": 1.0,"a":[ ],"c":{ },"d":["x,\"y\\",{"é:{":null}]}"#),
            "{\n  \"b\": 1.0,\n  \"a\": [],\n  \"c\": {},\n  \"d\": [\n    \"x,\\\"y\\\\\",\n    {\n      \"é:{\": null\n    }\n  ]\n}"
        );
    }

    #[test]
    fn it_is_laid_out_as_others_do() {
        let value = json!({"a": [1, [2, {"b": "]"}], []], "c": {"d": {"e": "\n\u{1}"}}, "f": true});
        assert_eq!(pretty(&value.to_string()), serde_json::to_string_pretty(&value).unwrap());
        let again: Value = serde_json::from_str(&pretty(&value.to_string())).unwrap();
        assert_eq!(again, value);
    }
}
