//! The answer spoken: pieces of an MP3 in Base64 go in, one file comes out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::files::Files;

/// Most speech that is kept of a turn, bytes: some hours of Dify's voices. What is more is left out.
const MAX_SPEECH: usize = 16 * 1024 * 1024;

/// The name of the file.
const NAME: &str = "speech.mp3";

/// What Dify's speech is, whatever the model: the pieces are parts of one MP3.
const MEDIA_TYPE: &str = "audio/mpeg";

/// What has been spoken so far.
#[derive(Debug)]
pub(super) struct Speech {
    audio: Vec<u8>,
    /// Whether any more is wanted.
    is_open: bool,
}

impl Speech {
    /// Nothing yet, and perhaps never.
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { audio: Vec::new(), is_open: is_wanted }
    }

    /// Takes a piece. One that cannot be read is left out.
    pub(super) fn hear(&mut self, piece: &str) {
        if !self.is_open {
            return;
        }
        if let Ok(bytes) = STANDARD.decode(piece.trim()) {
            let room = MAX_SPEECH.saturating_sub(self.audio.len()).min(bytes.len());
            self.audio.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    /// Whether some has come and the end has not.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_open && !self.audio.is_empty()
    }

    /// That was all.
    pub(super) fn end(&mut self, files: &mut Files) {
        if self.is_under_way() {
            files.take_bytes(NAME, MEDIA_TYPE, Bytes::from(std::mem::take(&mut self.audio)));
        }
        self.is_open = false;
    }

    /// Forgets all of it, and what may come.
    pub(super) fn drop_all(&mut self) {
        *self = Self::new(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::files::FoundSource;

    #[test]
    fn pieces_make_one_bounded_file() {
        let (mut speech, mut files) = (Speech::new(true), Files::default());
        for piece in ["SUQz", "", "b@d", " BAA= ", "A"] {
            speech.hear(piece);
        }
        speech.end(&mut files);
        speech.hear("SUQz");
        speech.end(&mut files);
        let found = files.found();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].source, FoundSource::Bytes(Bytes::from_static(b"ID3\x04\0")));
        assert_eq!((found[0].name.as_str(), found[0].size), ("speech.mp3", Some(5)));

        let (mut speech, mut files) = (Speech::new(true), Files::default());
        let piece = STANDARD.encode(vec![7; 5 << 20]);
        for _ in 0..5 {
            speech.hear(&piece);
        }
        speech.end(&mut files);
        assert_eq!(files.found()[0].size, Some(16 << 20));
    }

    #[test]
    fn what_is_not_wanted_is_not_kept() {
        let (mut speech, mut files) = (Speech::new(false), Files::default());
        speech.hear("SUQz");
        assert!(!speech.is_under_way());
        speech.end(&mut files);
        let mut taken_back = Speech::new(true);
        taken_back.hear("SUQz");
        taken_back.drop_all();
        taken_back.hear("SUQz");
        taken_back.end(&mut files);
        assert!(files.found().is_empty());
    }
}
