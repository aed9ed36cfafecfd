//! How long a caller wants to wait: `grpc-timeout`. What it asked for goes on without it.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

/// Until when the answer must be there; never, if the caller does not say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Reads the deadline of a request that has just come. A header that is none is as good as absent.
    pub fn read(headers: &HeaderMap) -> Self {
        let given = headers.get("grpc-timeout").and_then(|value| value.to_str().ok());
        Self(given.and_then(timeout).and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// The moment.
    pub fn at(self) -> Option<Instant> {
        self.0
    }

    /// Waits until it has passed.
    pub async fn passed(self) {
        match self.0 {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

/// At most eight digits and a unit (the protocol of gRPC over HTTP/2).
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    match unit {
        "H" => Some(Duration::from_secs(count.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(count.saturating_mul(60))),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("1H", 3600.0), ("2M", 120.0), ("3S", 3.0), ("4m", 4e-3), ("5u", 5e-6), ("6n", 6e-9)]
        {
            assert_eq!(timeout(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        assert!(timeout("99999999H").is_some());
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", "1 S", "5é", "٣S"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
