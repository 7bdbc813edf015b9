//! The part of an object that is asked for.

use atlashub_core::Result;
use std::ops::Range;

/// The bytes asked for, checked against the object's size; without a range
/// all of them.
///
/// # Errors
/// `invalid_range` when it ends before it starts, or beyond the object.
pub(crate) fn within(range: Option<Range<u64>>, size: u64) -> Result<Range<u64>> {
    match range {
        None => Ok(0..size),
        Some(range) if range.start <= range.end && range.end <= size => Ok(range),
        Some(_) => Err(crate::error::invalid_range(Some(size))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ranges_stay_within_the_object() {
        assert_eq!(within(None, 5).unwrap(), 0..5);
        assert_eq!(within(Some(1..5), 5).unwrap(), 1..5);
        assert_eq!(within(Some(5..5), 5).unwrap(), 5..5);
        assert!(within(Some(0..6), 5).is_err());
        assert!(within(Some(6..6), 5).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "the very thing to refuse")]
        let reversed = within(Some(3..2), 5);
        assert!(reversed.is_err());
    }
}
