//! East Africa Time, in which Daraja writes all its times: three hours ahead of
//! UTC the whole year.

use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset, macros::format_description};

/// Now, in Nairobi.
pub(crate) fn now() -> OffsetDateTime {
    let offset = UtcOffset::from_hms(3, 0, 0).unwrap_or(UtcOffset::UTC);
    OffsetDateTime::now_utc().to_offset(offset)
}

/// `yyyyMMddHHmmss`.
pub(crate) fn compact(at: OffsetDateTime) -> String {
    let format = format_description!("[year][month][day][hour][minute][second]");
    at.format(&format).unwrap_or_default()
}

/// `dd.MM.yyyy HH:mm:ss`, as results of B2C have it.
pub(crate) fn dotted(at: OffsetDateTime) -> String {
    let format = format_description!("[day].[month].[year] [hour]:[minute]:[second]");
    at.format(&format).unwrap_or_default()
}

/// `yyyy-MM-dd HH:mm:ss`, as the answers to pulls have it.
pub(crate) fn written(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.format(&format).unwrap_or_default()
}

/// A time of that kind.
pub(crate) fn read(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let at = PrimitiveDateTime::parse(text, &format).ok()?;
    Some(at.assume_offset(UtcOffset::from_hms(3, 0, 0).ok()?))
}

/// Whether a text is a time of that kind.
pub(crate) fn is_compact(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    text.len() == 14
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && digits(4..6).is_some_and(|month| (1..=12).contains(&month))
        && digits(6..8).is_some_and(|day| (1..=31).contains(&day))
        && digits(8..10).is_some_and(|hour| hour < 24)
        && digits(10..12).is_some_and(|minute| minute < 60)
        && digits(12..14).is_some_and(|second| second < 60)
}
