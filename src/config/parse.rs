//! Turns one configured value into a type that cannot be wrong, or says what is wrong and what is allowed.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::{Num, Value};
use url::Url;

use crate::egress::EgressPolicy;

/// Why a value cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wrong {
    /// What is wrong; quotes the value only where it cannot be a secret.
    pub(super) what: String,
    /// What is allowed.
    pub(super) mend: String,
}

impl Wrong {
    /// A value that is `what`, with the way out.
    pub(super) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }
}

/// Longest piece of a wrong value that is repeated to the operator, in characters.
const SHOWN_CHARS: usize = 60;

/// The value as it may be shown: cut, and hidden when it could hold a key or a password.
pub(super) fn shown(value: &str) -> String {
    let secret_like = value.contains('@') || ["app-", "bearer ", "sk-"].iter().any(|mark| has(value, mark));
    if secret_like {
        return "the value (hidden, it may hold a secret)".to_owned();
    }
    let mut cut: String = value.chars().take(SHOWN_CHARS).collect();
    if cut.len() < value.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

fn has(value: &str, mark: &str) -> bool {
    value.to_ascii_lowercase().contains(mark)
}

/// A text; numbers and booleans of TOML are taken as they are spelled. Surrounding space is dropped.
pub(super) fn text(value: &Value) -> Result<String, Wrong> {
    match value {
        Value::String(_, text) => Ok(text.trim().to_owned()),
        Value::Char(_, letter) => Ok(letter.to_string()),
        Value::Bool(_, flag) => Ok(flag.to_string()),
        Value::Num(_, num) => Ok(number_text(*num)),
        Value::Empty(..) => Err(Wrong::new("there is no value", "give one value")),
        Value::Array(..) => Err(Wrong::new("a list is given", "give one value, without [ ]")),
        Value::Dict(..) => Err(Wrong::new("a table is given", "give one value")),
    }
}

fn number_text(num: Num) -> String {
    match (num.to_i128(), num.to_u128(), num.to_f64()) {
        (Some(whole), _, _) => whole.to_string(),
        (None, Some(whole), _) => whole.to_string(),
        (None, None, Some(real)) => real.to_string(),
        (None, None, None) => String::new(),
    }
}

/// Texts: a TOML list, a JSON list in a string, or with commas between them. None of them is empty.
pub(super) fn list(value: &Value, allowed: &str) -> Result<Vec<String>, Wrong> {
    let texts: Vec<String> = match value {
        Value::Array(_, items) => items.iter().map(text).collect::<Result<_, _>>()?,
        Value::String(_, text) if text.trim_start().starts_with('[') => serde_json::from_str(text)
            .map_err(|error| Wrong::new(format!("is not a JSON list of strings: {error}"), allowed))?,
        Value::String(_, text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        Value::Bool(..) | Value::Char(..) | Value::Dict(..) | Value::Empty(..) | Value::Num(..) => {
            return Err(Wrong::new("is not a list", allowed));
        }
    };
    match texts.iter().any(|text| text.trim().is_empty()) {
        true => Err(Wrong::new("has an empty entry", allowed)),
        false => Ok(texts),
    }
}

/// One of a closed list of names.
pub(super) fn one_of<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Result<T, Wrong> {
    let text = text(value)?;
    choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text)).map(|(_, choice)| *choice).ok_or_else(
        || {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            Wrong::new(format!("{} is not known", shown(&text)), format!("allowed: {}", names.join(", ")))
        },
    )
}

/// A whole number within `range`.
pub(super) fn count<T>(value: &Value, range: RangeInclusive<T>) -> Result<T, Wrong>
where
    T: Copy + Display + PartialOrd + TryFrom<u64>,
{
    let text = text(value)?;
    let allowed = || format!("allowed: a whole number from {} to {}", range.start(), range.end());
    let number: u64 = digits(&text)
        .ok_or_else(|| Wrong::new(format!("{} is not a whole number", shown(&text)), allowed()))?;
    T::try_from(number)
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| Wrong::new(format!("{number} is out of range"), allowed()))
}

/// A size in bytes within `range`: a whole number, or one with a unit such as `32MiB` or `10MB`.
pub(super) fn size(value: &Value, range: RangeInclusive<usize>) -> Result<usize, Wrong> {
    let text = text(value)?;
    let allowed = || {
        let (from, to) = (range.start(), range.end());
        format!("allowed: {from} to {to} bytes, as 33554432 or 32MiB (units B, KB, MB, GB, KiB, MiB, GiB)")
    };
    let (number, unit) =
        split_unit(&text).ok_or_else(|| Wrong::new(format!("{} is not a size", shown(&text)), allowed()))?;
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return Err(Wrong::new(format!("{} has an unknown unit", shown(&text)), allowed())),
    };
    number
        .checked_mul(scale)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| range.contains(bytes))
        .ok_or_else(|| Wrong::new(format!("{} is out of range", shown(&text)), allowed()))
}

/// A length of time within `range`: `250ms`, `10s`, `30m`, `24h`, `7d`; a plain number is seconds.
pub(super) fn duration(value: &Value, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let text = text(value)?;
    let allowed = || {
        let (from, to) = (spell(*range.start()), spell(*range.end()));
        format!("allowed: {from} to {to}, as 250ms, 10s, 30m, 24h or 7d; a plain number is seconds")
    };
    let (number, unit) = split_unit(&text)
        .ok_or_else(|| Wrong::new(format!("{} is not a length of time", shown(&text)), allowed()))?;
    let scale: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(Wrong::new(format!("{} has an unknown unit", shown(&text)), allowed())),
    };
    number
        .checked_mul(scale)
        .map(Duration::from_millis)
        .filter(|length| range.contains(length))
        .ok_or_else(|| Wrong::new(format!("{} is out of range", shown(&text)), allowed()))
}

/// A duration in its largest whole unit, such as `90s` or `24h`.
pub(super) fn spell(length: Duration) -> String {
    let millis = length.as_millis();
    [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")]
        .into_iter()
        .find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit))
        .map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

/// An absolute `http` or `https` address without a name, password, query or fragment; no slash at its end
/// unless it has no path.
pub(super) fn http_url(value: &Value) -> Result<Url, Wrong> {
    const ALLOWED: &str = "allowed: an absolute address such as https://host/path, http or https";
    let text = text(value)?;
    let mut url = Url::parse(&text)
        .map_err(|error| Wrong::new(format!("{} is not a URL: {error}", shown(&text)), ALLOWED))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Wrong::new(format!("{} is neither http nor https", shown(&text)), ALLOWED));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new("the URL carries a name or a password", "leave them out of the URL"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new(
            "the URL carries a query or a fragment",
            "give the URL up to its path only, without ? and #",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The path of a file that must exist.
pub(super) fn existing_file(value: &Value, working_dir: &std::path::Path) -> Result<PathBuf, Wrong> {
    let text = text(value)?;
    let path = working_dir.join(&text);
    if path.is_file() {
        return Ok(path);
    }
    let what = if path.exists() { "is not a file" } else { "does not exist" };
    Err(Wrong::new(
        format!("{} {what}", shown(&text)),
        format!("give the path of a readable file; relative paths start at {}", working_dir.display()),
    ))
}

/// The path of a folder that must exist.
pub(super) fn existing_folder(value: &Value, working_dir: &std::path::Path) -> Result<PathBuf, Wrong> {
    let text = text(value)?;
    let path = working_dir.join(&text);
    if path.is_dir() {
        return Ok(path);
    }
    let what = if path.exists() { "is not a folder" } else { "does not exist" };
    Err(Wrong::new(
        format!("{} {what}", shown(&text)),
        format!(
            "give the path of a folder that can be written to; relative paths start at {}",
            working_dir.display()
        ),
    ))
}

/// An address to listen on: an IP address (`[::1]` loses its brackets) or a host name.
pub(super) fn host(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&text);
    let is_ip = bare.parse::<IpAddr>().is_ok();
    let is_name = !bare.is_empty()
        && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if is_ip || (is_name && bare == text) {
        return Ok(bare.to_owned());
    }
    Err(Wrong::new(
        format!("{} is not an address to listen on", shown(&text)),
        "allowed: an IP address such as 0.0.0.0, 127.0.0.1 or ::, or a host name; the port has its own setting",
    ))
}

/// Names of hosts, addresses and blocks of addresses.
pub(super) fn egress_allow(value: &Value) -> Result<EgressPolicy, Wrong> {
    const ALLOWED: &str = "allowed: host names such as files.example.com or *.example.com, addresses such as 10.1.2.3, \
                           and blocks such as 10.0.0.0/8, as a JSON list or with commas between them";
    EgressPolicy::parse(&list(value, ALLOWED)?)
        .map_err(|bad| Wrong::new(format!("{} {}", shown(&bad.entry), bad.problem), ALLOWED))
}

/// The number and the unit behind it. The number has digits only; `_` between them is allowed.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((digits(number)?, unit.trim_start()))
}

fn digits(text: &str) -> Option<u64> {
    let plain: String = text.chars().filter(|letter| *letter != '_').collect();
    if plain.starts_with('+') { None } else { plain.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn time(text: &str) -> Result<Duration, Wrong> {
        duration(&Value::from(text), Duration::ZERO..=DAY)
    }

    #[test]
    fn lengths_of_time_have_units_and_plain_numbers_are_seconds() {
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("30 m"), Ok(Duration::from_secs(1_800)));
        assert_eq!(time("24h"), Ok(DAY));
        assert_eq!(duration(&Value::from(5), Duration::ZERO..=DAY), Ok(Duration::from_secs(5)));
        for bad in
            ["", "s", "-1s", "+1s", "1.5s", "1y", "25h", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert!(time("25h").unwrap_err().mend.contains("0ms to 1d"));
    }

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        let size = |text: &str| size(&Value::from(text), 1..=1 << 40);
        assert_eq!(size("33554432"), Ok(33_554_432));
        assert_eq!(size("32MiB"), Ok(33_554_432));
        assert_eq!(size("10 MB"), Ok(10_000_000));
        assert_eq!(size("1_000"), Ok(1_000));
        for bad in ["0", "32M", "MiB", "-1", "1e6", "99999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_http_without_credentials_or_queries() {
        let url = |text: &str| http_url(&Value::from(text)).map(String::from);
        assert_eq!(url("https://h/a/"), Ok("https://h/a".to_owned()));
        assert_eq!(url(" http://h:80 "), Ok("http://h/".to_owned()));
        for bad in ["", "h/a", "ftp://h", "https://u:p@h/", "https://h/?a=1", "https://h/#x", "http://"] {
            assert!(url(bad).is_err(), "{bad}");
        }
        let wrong = http_url(&Value::from("htp://me:hunter2@h")).unwrap_err();
        assert!(!format!("{wrong:?}").contains("hunter2"));
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        let host = |text: &str| host(&Value::from(text));
        assert_eq!(host("[::1]"), Ok("::1".to_owned()));
        assert_eq!(host("localhost"), Ok("localhost".to_owned()));
        for bad in ["", "127.0.0.1:80", "http://h", "[localhost]", "a b"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for secret in ["app-123", "Bearer x", "postgres://u:p@h/db"] {
            assert!(!shown(secret).contains(secret));
        }
        assert_eq!(shown("plain"), "\"plain\"");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN_CHARS + 3);
    }
}
