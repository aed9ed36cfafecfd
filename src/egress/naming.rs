//! What a file is called and what it is: response headers and a URL come in, a name that can stand in a listing and a
//! media type go out. Pure.

use percent_encoding::percent_decode;
use url::Url;

/// Longest name that is kept, bytes; what file systems take.
pub const MAX_NAME: usize = 255;

/// Longest ending (`.tar.gz` is one of seven) that survives when a name is cut, bytes.
const MAX_ENDING: usize = 16;

/// Longest media type that is kept, bytes (RFC 6838 §4.2 has 127 for each half).
const MAX_MEDIA_TYPE: usize = 255;

/// A file's name: what `Content-Disposition` says (RFC 6266; `filename*` before `filename`), else the last segment of
/// the URL's path. Nothing when neither gives a name.
pub fn filename(disposition: Option<&[u8]>, url: &Url) -> Option<String> {
    disposition.and_then(from_disposition).or_else(|| {
        let last = url.path_segments()?.next_back()?;
        safe_name(&decoded(percent_decode(last.as_bytes()).collect()))
    })
}

/// The media type without its parameters, lower case. Nothing when it is not one.
pub fn media_type(content_type: Option<&[u8]>) -> Option<String> {
    let text = std::str::from_utf8(content_type?).ok()?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let is_token = |half: &str| !half.is_empty() && half.bytes().all(is_token_byte);
    (essence.len() <= MAX_MEDIA_TYPE && is_token(kind) && is_token(subtype)).then_some(essence)
}

/// The name made harmless: the part behind the last slash of either kind, without control characters and those that
/// turn the direction of writing, at most [`MAX_NAME`] bytes with its ending kept. Nothing when nothing is left.
pub fn safe_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?;
    let clean: String = last.chars().filter(|&c| !c.is_control() && !turns_direction(c)).collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.bytes().all(|byte| byte == b'.') {
        return None;
    }
    if clean.len() <= MAX_NAME {
        return Some(clean.to_owned());
    }
    let ending = clean.rfind('.').and_then(|at| clean.get(at..)).filter(|ending| ending.len() <= MAX_ENDING);
    let ending = ending.unwrap_or("");
    let stem = clean.get(..clean.floor_char_boundary(MAX_NAME - ending.len())).unwrap_or("");
    Some(format!("{stem}{ending}"))
}

/// Marks and overrides of direction, with which a name can pretend to have another ending.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn from_disposition(header: &[u8]) -> Option<String> {
    let mut plain = None;
    let mut extended = None;
    for (name, value) in parameters(header) {
        if name.eq_ignore_ascii_case(b"filename") {
            plain = plain.or_else(|| safe_name(&decoded(value)));
        } else if name.eq_ignore_ascii_case(b"filename*") {
            extended = extended.or_else(|| from_extended(&value));
        }
    }
    extended.or(plain)
}

/// RFC 8187 §3.2: `charset'language'percent-encoded`.
fn from_extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode(text).collect();
    if charset.eq_ignore_ascii_case(b"utf-8") {
        safe_name(&String::from_utf8(bytes).ok()?)
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        safe_name(&latin1(&bytes))
    } else {
        None
    }
}

/// The parameters of a header value, in order, quotes and escapes undone. What cannot be read ends it.
fn parameters(header: &[u8]) -> Vec<(&[u8], Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = behind(header, b';');
    while let Some(equals) = rest.iter().position(|&byte| byte == b'=') {
        let (name, value) = rest.split_at(equals);
        // A parameter without a value: the name is behind it.
        let name = name.rsplit(|&byte| byte == b';').next().unwrap_or(name).trim_ascii();
        let value = value.get(1..).unwrap_or_default().trim_ascii_start();
        if let Some(quoted) = value.strip_prefix(b"\"") {
            let (text, after) = unquoted(quoted);
            found.push((name, text));
            rest = behind(after, b';');
        } else {
            let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
            let (text, after) = value.split_at(end);
            found.push((name, text.trim_ascii_end().to_vec()));
            rest = behind(after, b';');
        }
    }
    found
}

/// What stands behind the first such byte.
fn behind(text: &[u8], byte: u8) -> &[u8] {
    text.iter().position(|&it| it == byte).and_then(|at| text.get(at + 1..)).unwrap_or_default()
}

/// A quoted string up to its closing quote, and what is behind that.
fn unquoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => out.extend(bytes.next()),
            _ => out.push(byte),
        }
    }
    (out, bytes.as_slice())
}

/// UTF-8, which most servers send, else Latin-1, which the old rules say.
fn decoded(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| latin1(error.as_bytes()))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(disposition: &[u8]) -> Option<String> {
        filename(Some(disposition), &Url::parse("https://h.example/from-url.txt").unwrap())
    }

    #[test]
    fn names_come_from_the_disposition_first() {
        for (header, name) in [
            (&b"attachment; filename=\"report.pdf\""[..], "report.pdf"),
            (b"attachment; filename=report.pdf", "report.pdf"),
            (b"attachment;filename = report.pdf ; x=y", "report.pdf"),
            (b"inline; FileName=\"a; b=c.txt\"", "a; b=c.txt"),
            (b"attachment; filename=\"say \\\"hi\\\".txt\"", "say \"hi\".txt"),
            (
                b"attachment; filename=\"plain.txt\"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt",
                "naïve €.txt",
            ),
            (b"attachment; filename*=utf-8'de'%C3%BC.txt; filename=u.txt", "ü.txt"),
            (b"attachment; filename*=ISO-8859-1''%FC.txt", "ü.txt"),
            (b"attachment; filename*=UTF-8''%FF.txt; filename=ok.txt", "ok.txt"),
            (b"attachment; filename*=KOI8-R''%C1.txt; filename=ok.txt", "ok.txt"),
            (b"attachment; filename*=broken; filename=ok.txt", "ok.txt"),
            (b"attachment; flag; filename=ok.txt", "ok.txt"),
            ("attachment; filename=\"grün.txt\"".as_bytes(), "grün.txt"),
            (b"attachment; filename=\"gr\xfcn.txt\"", "grün.txt"),
            (b"attachment; filename=\"../../etc/passwd\"", "passwd"),
            (b"attachment; filename*=UTF-8''..%2F..%2Fetc%2Fshadow", "shadow"),
            (b"attachment; filename=\"C:\\\\temp\\\\x.doc\"", "x.doc"),
            (b"attachment; filename*=UTF-8''a%00b%0D%0Ac.txt", "abc.txt"),
            (b"attachment; filename*=UTF-8''gpj%E2%80%AE.exe", "gpj.exe"),
            (b"attachment; filename=\"open", "open"),
            // Those that say nothing leave it to the URL.
            (b"attachment", "from-url.txt"),
            (b"", "from-url.txt"),
            (b"attachment; filename=\"\"", "from-url.txt"),
            (b"attachment; filename=\"..\"", "from-url.txt"),
            (b"attachment; filename=\"dir/\"", "from-url.txt"),
            (b"attachment; filename", "from-url.txt"),
        ] {
            assert_eq!(named(header).as_deref(), Some(name), "{}", String::from_utf8_lossy(header));
        }
    }

    #[test]
    fn names_come_from_the_path_else() {
        for (url, name) in [
            ("https://h.example/a/b.txt?sign=/x", Some("b.txt")),
            ("https://h.example/a%20b%C3%BC.txt", Some("a bü.txt")),
            ("https://h.example/a%2F..%2Fb.txt", Some("b.txt")),
            ("https://h.example/a%5Cb.txt", Some("b.txt")),
            ("https://h.example/%FF.txt", Some("ÿ.txt")),
            ("https://h.example/a/", None),
            ("https://h.example", None),
            ("https://h.example/%2E%2E%2E", None),
        ] {
            assert_eq!(filename(None, &Url::parse(url).unwrap()).as_deref(), name, "{url}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = safe_name(&format!("{}.tar", "ü".repeat(300))).unwrap();
        assert_eq!(name, format!("{}.tar", "ü".repeat(125)));
        let name = safe_name(&format!("a.{}", "x".repeat(300))).unwrap();
        assert_eq!(name, format!("a.{}", "x".repeat(253)));
    }

    #[test]
    fn media_types_lose_their_parameters() {
        for (header, kind) in [
            (&b"text/plain"[..], Some("text/plain")),
            (b" Text/HTML ; charset=utf-8", Some("text/html")),
            (b"application/vnd.x+json", Some("application/vnd.x+json")),
            (b"text", None),
            (b"", None),
            (b"text/", None),
            (b"a b/c", None),
            (b"text/pl\xe4in", None),
            (b"a/b/c", None),
        ] {
            assert_eq!(media_type(Some(header)).as_deref(), kind, "{}", String::from_utf8_lossy(header));
        }
    }

    proptest! {
        #[test]
        fn every_name_is_harmless(header in prop::collection::vec(any::<u8>(), 0..600), text in ".{0,400}") {
            let written = format!("x; filename=\"{text}\"");
            for header in [&header[..], written.as_bytes()] {
                if let Some(name) = from_disposition(header) {
                    prop_assert!(!name.is_empty() && name.len() <= MAX_NAME);
                    prop_assert!(!name.contains(['/', '\\']) && !name.chars().any(char::is_control));
                    prop_assert!(name != "." && name != "..");
                }
            }
        }
    }
}
