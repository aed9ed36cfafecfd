//! How deep JSON may nest.

/// Deepest nesting of arrays and objects in a request: what serde_json allows where it builds values. JSON
/// that is passed on unread is held to it too, so that no reader behind the gateway meets a depth it cannot
/// take.
pub const MAX_DEPTH: usize = 128;

/// Whether valid JSON `text` nests no deeper than [`MAX_DEPTH`]. Looks at each byte once, without recursion.
pub fn within_depth(text: &[u8]) -> bool {
    let mut depth: usize = 0;
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'"' => rest = after_string(tail),
            b'[' | b'{' if depth == MAX_DEPTH => return false,
            b'[' | b'{' => depth = depth.saturating_add(1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// What follows the string whose inside begins with `text`.
fn after_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        match rest.get(at..) {
            Some([b'"', tail @ ..]) => return tail,
            Some([b'\\', _, tail @ ..]) => rest = tail,
            _ => return &[],
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_strings_are_not_depth() {
        let text = format!("{{\"d\":\"{}\\\\\\\"{}\"}}", "[".repeat(500), "{".repeat(500));
        assert!(within_depth(text.as_bytes()));
    }

    #[test]
    fn the_limit_is_exact() {
        let most = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(within_depth(most.as_bytes()));
        assert!(within_depth(format!("{most}{most}").as_bytes()), "side by side is not deep");
        assert!(!within_depth(format!("[{most}]").as_bytes()));
    }
}
