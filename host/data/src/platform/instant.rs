//! How times, sizes and JSON are stored: microseconds since 1970-01-01 UTC
//! and byte counts as 64-bit integers, JSON as text. Both engines compare and
//! order these alike.

use super::failure::corrupt;
use atlashub_core::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use time::OffsetDateTime;

/// A time as it is stored; finer digits are cut off.
pub(super) fn to_micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// A stored time.
pub(super) fn from_micros(micros: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .map_err(|error| corrupt("time")(error.into()))
}

/// A stored time that may be absent.
pub(super) fn from_micros_opt(micros: Option<i64>) -> Result<Option<OffsetDateTime>> {
    micros.map(from_micros).transpose()
}

/// The stored time `duration` after `micros`, at most the last one there is.
pub(super) fn later(micros: i64, duration: Duration) -> i64 {
    micros.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// The stored time `duration` before `micros`.
pub(super) fn earlier(micros: i64, duration: Duration) -> i64 {
    micros.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// A byte count as it is stored.
pub(super) fn to_bytes(bytes: u64) -> Result<i64> {
    i64::try_from(bytes)
        .map_err(|_| Error::invalid("invalid_size", "a size must be below 2^63 bytes"))
}

/// A stored count, which the schema keeps from being negative.
pub(super) fn from_bytes(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// A value as JSON text.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("write JSON", error))
}

/// JSON text that was stored.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| corrupt(what)(error.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_keep_their_microseconds_and_order() {
        let times = [
            datetime!(1969-12-31 23:59:59.999999 UTC),
            datetime!(2026-01-02 03:04:05.000001 UTC),
            datetime!(2026-01-02 03:04:05.000002 UTC),
        ];
        for time in times {
            assert_eq!(from_micros(to_micros(time)).unwrap(), time);
        }
        assert!(times.map(to_micros).is_sorted());
        assert_eq!(to_micros(datetime!(1969-12-31 23:59:59.9999999 UTC)), -1);
    }

    #[test]
    fn a_time_too_far_ahead_stays_the_last_one() {
        assert_eq!(later(1, Duration::MAX), i64::MAX);
        assert_eq!(earlier(i64::MIN, Duration::from_secs(1)), i64::MIN);
    }
}
