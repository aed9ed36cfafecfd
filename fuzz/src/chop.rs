//! The same bytes in different pieces.

/// Cuts `bytes` into pieces whose lengths `cuts` tells, over and over; none is empty.
pub fn chop<'a>(mut bytes: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut lengths = cuts.iter().map(|cut| usize::from(*cut) + 1).cycle();
    while !bytes.is_empty() {
        let length = lengths.next().unwrap_or(usize::MAX).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
