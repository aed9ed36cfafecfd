//! The output modes that a caller accepts: media types, as loosely written as clients write them.

/// Media ranges of one request; an empty list accepts everything (A2A 1.0 `acceptedOutputModes`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Accepted(Vec<String>);

/// The media type of the texts that an agent gives.
pub const TEXT: &str = "text/plain";

/// The media type of data parts.
pub const JSON: &str = "application/json";

impl Accepted {
    /// Everything.
    pub const fn anything() -> Self {
        Self(Vec::new())
    }

    /// Reads a request's list. Parameters (`; charset=utf-8`) are left out, case does not count, and the kinds of parts
    /// of older clients (`text`, `data`, `file`) are taken as what they mean.
    pub fn new(modes: impl IntoIterator<Item = String>) -> Self {
        let ranges = modes.into_iter().filter_map(|mode| {
            let range = mode.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match range.as_str() {
                "" => None,
                "*" | "any" => Some("*/*".to_owned()),
                "text" => Some("text/*".to_owned()),
                "data" | "json" => Some(JSON.to_owned()),
                _ => Some(range),
            }
        });
        Self(ranges.collect())
    }

    /// Whether the caller has not said what it accepts.
    pub fn is_unsaid(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the agent's text may go out: Markdown is text to everybody, so any wish for text is met by it.
    pub fn takes_text(&self) -> bool {
        self.is_unsaid() || self.0.iter().any(|range| range == "*/*" || range.starts_with("text/"))
    }

    /// Whether data may go out.
    pub fn takes_data(&self) -> bool {
        self.is_unsaid()
            || self.0.iter().any(|range| matches!(range.as_str(), "*/*" | "application/*" | JSON))
    }

    /// Whether a file of this media type may go out. Of a file of unknown type nobody can say that it may not.
    pub fn takes_file(&self, media_type: Option<&str>) -> bool {
        self.is_unsaid() || self.0.iter().any(|range| range == "*/*" || range == "file") || {
            media_type.is_none_or(|media_type| self.names(media_type))
        }
    }

    /// Whether the caller asks for this media type by name or by its family, and not just for everything.
    pub fn names(&self, media_type: &str) -> bool {
        let wanted = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let family = wanted.split('/').next().unwrap_or_default();
        self.0.iter().any(|range| match range.strip_suffix("/*") {
            Some(of_range) => of_range == family && of_range != "*",
            None => *range == wanted,
        })
    }

    /// Whether any file could be meant by it: a range that is neither text nor data alone.
    pub fn may_take_files(&self) -> bool {
        let is_file = |range: &String| {
            range == "file" || (range.contains('/') && !range.starts_with("text/") && range != JSON)
        };
        self.is_unsaid() || self.0.iter().any(is_file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(modes: &[&str]) -> Accepted {
        Accepted::new(modes.iter().map(|mode| (*mode).to_owned()))
    }

    #[test]
    fn nothing_said_accepts_everything_and_names_nothing() {
        let all = accepted(&[]);
        assert!(all.is_unsaid() && all.takes_text() && all.takes_data() && all.takes_file(Some("image/png")));
        assert!(!all.names("image/png"));
        assert_eq!(accepted(&["", " "]), all);
    }

    #[test]
    fn ranges_are_read_loosely() {
        for (modes, text, data, image) in [
            (&["text/plain"][..], true, false, false),
            (&["text"], true, false, false),
            (&["TEXT/Markdown; charset=utf-8"], true, false, false),
            (&["application/json"], false, true, false),
            (&["text/plain", "application/json"], true, true, false),
            (&["image/png"], false, false, true),
            (&["image/*"], false, false, true),
            (&["*/*"], true, true, true),
            (&["file"], false, false, true),
            (&["application/pdf"], false, false, false),
        ] {
            let accepted = accepted(modes);
            let found =
                (accepted.takes_text(), accepted.takes_data(), accepted.takes_file(Some("image/png")));
            assert_eq!(found, (text, data, image), "{modes:?}");
        }
    }

    #[test]
    fn a_file_is_named_by_its_type_or_family_and_not_by_everything() {
        assert!(accepted(&["image/png"]).names("IMAGE/PNG"));
        assert!(accepted(&["image/*"]).names("image/png"));
        assert!(!accepted(&["*/*"]).names("image/png"));
        assert!(!accepted(&["audio/*"]).names("image/png"));
        assert!(accepted(&["audio/mpeg"]).may_take_files());
        assert!(!accepted(&["text/plain", "application/json"]).may_take_files());
    }
}
