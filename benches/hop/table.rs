//! Numbers as people read them.

use std::time::Duration;

/// The least, the middle and the greatest of some numbers.
pub(crate) struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    pub(crate) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let at = |place: usize| numbers.get(place).copied().unwrap_or(f64::NAN);
        let (low, high) = (numbers.len().saturating_sub(1) / 2, numbers.len() / 2);
        Self {
            min: at(0),
            median: f64::midpoint(at(low), at(high)),
            max: at(numbers.len().saturating_sub(1)),
        }
    }
}

/// The time under which `share` of the sorted times lie.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let place = (last as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let grouped = digits.bytes().rev().enumerate().flat_map(|(place, digit)| {
        let comma = (place > 0 && place % 3 == 0).then_some(b',');
        comma.into_iter().chain([digit])
    });
    grouped.collect::<Vec<u8>>().into_iter().rev().map(char::from).collect()
}

/// Whether a target is met. It is told, and no more: times depend on the machine.
pub(crate) fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "NOT met" }
}
