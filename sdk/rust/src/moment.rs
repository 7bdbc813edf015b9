//! Points in time, as plugins keep and show them: milliseconds since 1970 in
//! tables, RFC 3339 in UTC in answers.

use std::time::{SystemTime, UNIX_EPOCH};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const NANOS_OF_A_MILLISECOND: i128 = 1_000_000;

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
    #[cfg(not(target_family = "wasm"))]
    let now = now.saturating_add(crate::host::ahead_ms());
    now
}

/// Milliseconds since 1970 as RFC 3339 in UTC; nothing for a year that has
/// not four digits.
#[must_use]
pub fn rfc3339(milliseconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(
        i128::from(milliseconds).saturating_mul(NANOS_OF_A_MILLISECOND),
    )
    .ok()
    .and_then(|at| at.format(&Rfc3339).ok())
    .unwrap_or_default()
}

/// A time in RFC 3339 in milliseconds since 1970, rounded down; none for what
/// is no such time.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let nanos = at.unix_timestamp_nanos();
    i64::try_from(nanos.div_euclid(NANOS_OF_A_MILLISECOND)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T12:00:00.25Z", 1_709_208_000_250),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(parse(text), Some(milliseconds), "{text}");
            assert_eq!(rfc3339(milliseconds), text);
        }
        assert_eq!(
            parse("2024-02-29T14:00:00.2509+02:00"),
            Some(1_709_208_000_250)
        );
        for bad in ["", "today", "2024-02-30T00:00:00Z", "2024-02-29"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(rfc3339(i64::MAX), "");
    }
}
