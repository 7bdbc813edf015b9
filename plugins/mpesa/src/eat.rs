//! East Africa Time, in which the other side writes: three hours ahead of UTC
//! the whole year. From milliseconds since 1970, of whoever's clock.

use time::{
    Date, Duration, OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::well_known::Rfc3339, macros::format_description,
};

fn in_nairobi(milliseconds: i64) -> Option<OffsetDateTime> {
    let offset = UtcOffset::from_hms(3, 0, 0).ok()?;
    let seconds = milliseconds.div_euclid(1_000);
    Some(
        OffsetDateTime::from_unix_timestamp(seconds)
            .ok()?
            .to_offset(offset),
    )
}

/// `yyyyMMddHHmmss`.
#[must_use]
pub fn compact(milliseconds: i64) -> String {
    let format = format_description!("[year][month][day][hour][minute][second]");
    in_nairobi(milliseconds)
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}

/// `2026-01-31`.
#[must_use]
pub fn day(milliseconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day]");
    in_nairobi(milliseconds)
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}

/// `2026-01-31 08:00:00`.
pub(crate) fn written(milliseconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    in_nairobi(milliseconds)
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}

/// The other way of [`compact`].
pub(crate) fn read_compact(text: &str) -> Option<i64> {
    let offset = UtcOffset::from_hms(3, 0, 0).ok()?;
    let format = format_description!("[year][month][day][hour][minute][second]");
    let at = PrimitiveDateTime::parse(text.trim(), &format).ok()?;
    Some(at.assume_offset(offset).unix_timestamp() * 1_000)
}

/// When something ended, as results name it: `20260131080000`, or
/// `31.01.2026 08:00:00`.
pub(crate) fn read_end(text: &str) -> Option<i64> {
    let offset = UtcOffset::from_hms(3, 0, 0).ok()?;
    let format = format_description!("[day].[month].[year] [hour]:[minute]:[second]");
    read_compact(text).or_else(|| {
        let at = PrimitiveDateTime::parse(text.trim(), &format).ok()?;
        Some(at.assume_offset(offset).unix_timestamp() * 1_000)
    })
}

/// What a time as the other side writes it can be, in milliseconds, the likelier
/// first: with a zone, or without one in its own. It also writes its own with a
/// `Z` behind: what would lie ahead of `now` is that.
pub(crate) fn read(text: &str, now: i64) -> Option<(i64, Option<i64>)> {
    let offset = UtcOffset::from_hms(3, 0, 0).ok()?;
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let text = text.trim();
    if let Ok(at) = PrimitiveDateTime::parse(text, &format) {
        return Some((at.assume_offset(offset).unix_timestamp() * 1_000, None));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let milliseconds = at.unix_timestamp() * 1_000;
    let in_its_own = milliseconds - 3 * 3_600_000;
    Some(match at.offset().is_utc() {
        true if milliseconds > now => (in_its_own, None),
        true => (milliseconds, Some(in_its_own)),
        false => (milliseconds, None),
    })
}

/// The milliseconds in which a day begins and ends; none for what is no day.
pub(crate) fn bounds(day: &str) -> Option<(i64, i64)> {
    let format = format_description!("[year]-[month]-[day]");
    let date = Date::parse(day, &format).ok()?;
    let offset = UtcOffset::from_hms(3, 0, 0).ok()?;
    let start = date.midnight().assume_offset(offset);
    let end = start.checked_add(Duration::DAY)?;
    Some((start.unix_timestamp() * 1_000, end.unix_timestamp() * 1_000))
}
