//! Times as SQLite keeps them: text of one length, which sorts like time and
//! is what the default `now` of a column makes. They are exact to the
//! millisecond there, and shown as Postgres shows them.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A point in time in UTC, `2026-02-28T09:30:00.500Z`. Reads RFC 3339;
/// also with a blank for the `T`, without a time, or without an offset,
/// which then is UTC.
#[must_use]
pub fn instant(text: &str) -> Option<String> {
    let text = text.trim();
    let (date, time) = text.split_at_checked(10)?;
    let time = match time.strip_prefix(['T', 't', ' ']) {
        None if time.is_empty() => "00:00:00Z".to_owned(),
        None => return None,
        Some(time) => with_offset(time),
    };
    let at = OffsetDateTime::parse(&format!("{date}T{time}"), &Rfc3339).ok()?;
    let at = at.checked_to_offset(UtcOffset::UTC)?;
    Some(format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        at.date(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    ))
}

/// The time with an offset of hours and minutes.
fn with_offset(time: &str) -> String {
    let Some(at) = time.rfind(['Z', 'z', '+', '-']) else {
        return format!("{time}Z");
    };
    let offset = time.get(at + 1..).unwrap_or_default();
    match offset.len() {
        // `+02`, as Postgres writes it outside of JSON.
        2 => format!("{time}:00"),
        4 if !offset.contains(':') => {
            let (start, minutes) = time.split_at_checked(time.len() - 2).unwrap_or((time, ""));
            format!("{start}:{minutes}")
        }
        _ => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_text_of_one_length() {
        for (text, expected) in [
            ("2026-02-28T09:30:00Z", "2026-02-28T09:30:00.000Z"),
            ("2026-02-28 09:30:00.500+02", "2026-02-28T07:30:00.500Z"),
            ("2026-02-28T09:30:00+0230", "2026-02-28T07:00:00.000Z"),
            ("2026-02-28T09:30:00.123456", "2026-02-28T09:30:00.123Z"),
            ("2026-02-28", "2026-02-28T00:00:00.000Z"),
        ] {
            assert_eq!(instant(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "now",
            "2026-02-30",
            "2026-02-28x",
            "2026-02-28T25:00:00Z",
            "äää26-02-28",
        ] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn they_sort_like_time() {
        let times = ["00:00:00", "00:00:00.5", "00:00:00.51", "00:00:01"]
            .map(|time| instant(&format!("2026-01-01T{time}Z")));
        assert!(times.is_sorted());
    }
}
