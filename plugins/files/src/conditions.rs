//! Conditional and partial requests (RFC 9110 §13 and §14).

use crate::record::etag;
use atlashub_sdk::{lists_etag as lists, prelude::*};
use std::{
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What a client has to know of the bytes to ask under conditions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// With its quotes.
    pub(crate) etag: &'a str,
    /// Whole seconds since 1970, as HTTP counts time.
    pub(crate) modified: u64,
}

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200 with all bytes.
    Whole,
    /// 206 with these bytes.
    Part(Range<u64>),
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 416.
    Unsatisfiable,
}

/// Weighs the request's conditions, in the order of RFC 9110 §13.2.2.
pub(crate) fn weigh(headers: &Headers, validators: Validators<'_>, size: u64) -> Answer {
    let Validators { etag, modified } = validators;
    if let Some(wanted) = headers.get("if-match") {
        if !lists(wanted, etag, false) {
            return Answer::Failed;
        }
    } else if date(headers, "if-unmodified-since").is_some_and(|since| modified > since) {
        return Answer::Failed;
    }
    if let Some(known) = headers.get("if-none-match") {
        if lists(known, etag, true) {
            return Answer::NotModified;
        }
    } else if date(headers, "if-modified-since").is_some_and(|since| modified <= since) {
        return Answer::NotModified;
    }
    let Some(wanted) = headers.get("range") else {
        return Answer::Whole;
    };
    let still_the_same = match headers.get("if-range") {
        None => true,
        Some(tag) if tag.starts_with('"') => tag == etag,
        Some(_) => date(headers, "if-range") == Some(modified),
    };
    if still_the_same {
        part(wanted, size)
    } else {
        Answer::Whole
    }
}

/// Whether a change is meant for what is there: a file with these bytes, or
/// none.
///
/// # Errors
/// 412 `precondition_failed`.
pub(crate) fn check(expected: &Precondition, sha256: Option<&str>) -> Result<()> {
    expected.check(sha256.map(etag).as_deref())
}

fn date(headers: &Headers, name: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(headers.get(name)?).ok()?;
    time.duration_since(UNIX_EPOCH)
        .ok()
        .map(|elapsed| elapsed.as_secs())
}

/// A date as HTTP writes it.
pub(crate) fn http_date(seconds: u64) -> String {
    let time = UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(SystemTime::UNIX_EPOCH);
    httpdate::fmt_http_date(time)
}

/// One range of bytes. Several at once, other units and what cannot be read
/// are answered with the whole, as RFC 9110 §14.2 allows.
fn part(wanted: &str, size: u64) -> Answer {
    let range = wanted
        .get(..6)
        .filter(|unit| unit.eq_ignore_ascii_case("bytes="))
        .and_then(|_| wanted.get(6..))
        .and_then(|range| range.trim().split_once('-'));
    let Some((first, last)) = range else {
        return Answer::Whole;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) || (first.is_empty() && last.is_empty()) {
        return Answer::Whole;
    }
    // Digits beyond 64 bits are beyond every file.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    let (start, end) = if first.is_empty() {
        (size.saturating_sub(number(last)), size)
    } else if last.is_empty() {
        (number(first), size)
    } else if number(first) > number(last) {
        return Answer::Whole;
    } else {
        (number(first), number(last).saturating_add(1).min(size))
    };
    if start >= end {
        Answer::Unsatisfiable
    } else {
        Answer::Part(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: &[(&str, &str)]) -> Answer {
        let headers: Headers = fields.iter().map(|(name, value)| (*name, *value)).collect();
        weigh(
            &headers,
            Validators {
                etag: "\"abc\"",
                modified: 784_111_777,
            },
            10,
        )
    }

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn ranges_are_exact() {
        let range = |text| answer(&[("range", text)]);
        assert_eq!(range("bytes=0-0"), Answer::Part(0..1));
        assert_eq!(range("bytes=2-5"), Answer::Part(2..6));
        assert_eq!(range("bytes=5-"), Answer::Part(5..10));
        assert_eq!(range("bytes=-3"), Answer::Part(7..10));
        assert_eq!(range("bytes=-99"), Answer::Part(0..10));
        assert_eq!(range("bytes=9-99"), Answer::Part(9..10));
        assert_eq!(range("bytes=10-"), Answer::Unsatisfiable);
        assert_eq!(range("bytes=-0"), Answer::Unsatisfiable);
        assert_eq!(
            range("bytes=99999999999999999999999-"),
            Answer::Unsatisfiable
        );
        for other in [
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=-",
            "bytes=a-b",
            "lines=0-1",
            "bytes",
            "bytes=+1-2",
        ] {
            assert_eq!(range(other), Answer::Whole, "{other}");
        }
    }

    #[test]
    fn a_range_holds_only_for_the_same_bytes() {
        let range = |value| answer(&[("range", "bytes=0-1"), ("if-range", value)]);
        assert_eq!(range("\"abc\""), Answer::Part(0..2));
        assert_eq!(range(DATE), Answer::Part(0..2));
        for other in ["\"other\"", "W/\"abc\"", BEFORE, "x"] {
            assert_eq!(range(other), Answer::Whole, "{other}");
        }
    }

    #[test]
    fn conditions_are_weighed_in_order() {
        assert_eq!(
            answer(&[("if-none-match", "\"x\", W/\"abc\"")]),
            Answer::NotModified
        );
        assert_eq!(answer(&[("if-none-match", "*")]), Answer::NotModified);
        assert_eq!(
            answer(&[("if-none-match", "\"x\""), ("if-modified-since", DATE)]),
            Answer::Whole
        );
        assert_eq!(answer(&[("if-modified-since", DATE)]), Answer::NotModified);
        assert_eq!(answer(&[("if-modified-since", BEFORE)]), Answer::Whole);
        assert_eq!(answer(&[("if-match", "W/\"abc\"")]), Answer::Failed);
        assert_eq!(
            answer(&[("if-match", "\"abc\""), ("if-unmodified-since", BEFORE)]),
            Answer::Whole
        );
        assert_eq!(answer(&[("if-unmodified-since", BEFORE)]), Answer::Failed);
    }
}
