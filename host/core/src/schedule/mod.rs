//! Times that come round: cron expressions in named zones, and which of the
//! times that have gone by are made up for.
//!
//! The rule of daylight: a local time that does not exist is taken as the next
//! that does, and one that comes twice counts when it comes first. Several
//! times that fall on the same moment are one. The zones are those that came
//! with the binary, so that all nodes reckon alike.

mod catch_up;
mod expression;

pub use catch_up::{CatchUp, LATE, MAX_CAUGHT_UP, Plan};
pub use expression::Expression;

use crate::{Error, Result};
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use std::sync::LazyLock;
use time::OffsetDateTime;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An expression in a zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    expression: Expression,
    zone: TimeZone,
    name: String,
}

impl Timetable {
    /// Reads an expression of five or six fields and the name of a zone.
    ///
    /// # Errors
    /// `invalid_schedule` that says what is wrong, also when the expression
    /// never comes.
    pub fn new(expression: &str, zone: &str) -> Result<Self> {
        let expression: Expression = expression.parse()?;
        let found = ZONES
            .get(zone)
            .map_err(|_| invalid(format!("`{zone}` is not a zone that the IANA names")))?;
        let name = found.iana_name().unwrap_or("UTC").to_owned();
        Ok(Self {
            expression,
            zone: found,
            name,
        })
    }

    /// The expression, with six fields.
    #[must_use]
    pub fn expression(&self) -> String {
        self.expression.to_string()
    }

    /// The zone's name, as the IANA writes it.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.name
    }

    /// The first time after `after`, if there is one.
    #[must_use]
    pub fn next_after(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        let after = Timestamp::from_second(after.unix_timestamp()).ok()?;
        // What is earlier or the same on the local clock is not later in time.
        let mut local = self.zone.to_datetime(after);
        loop {
            local = self.expression.next_after(local)?;
            let at = self.moment(local)?;
            if at > after {
                return OffsetDateTime::from_unix_timestamp(at.as_second()).ok();
            }
        }
    }

    /// The next times after `after`.
    pub fn times_after(&self, after: OffsetDateTime) -> impl Iterator<Item = OffsetDateTime> + '_ {
        std::iter::successors(self.next_after(after), |last| self.next_after(*last))
    }

    /// When a local time is.
    fn moment(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                // By the old clock it lies after the change, or upon it.
                let shifted = before.to_timestamp(local).ok()?;
                let after = Timestamp::from_second(shifted.as_second() + 1).ok()?;
                let change = self.zone.preceding(after).next()?;
                Some(change.timestamp())
            }
        }
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_schedule", message.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use time::format_description::well_known::Rfc3339;

    fn at(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    /// The next times, in UTC.
    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let timetable = Timetable::new(expression, zone).unwrap();
        timetable
            .times_after(at(after))
            .take(count)
            .map(|at| at.format(&Rfc3339).unwrap())
            .collect()
    }

    #[test]
    fn a_time_that_berlin_leaves_out_comes_at_the_next_that_there_is() {
        // 2026-03-29 goes from 02:00 to 03:00, which is 01:00 in UTC.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z"
            ]
        );
    }

    #[test]
    fn times_that_are_left_out_together_come_once() {
        assert_eq!(
            times("*/20 2,3 * * *", "Europe/Berlin", "2026-03-28T22:00:00Z", 4),
            [
                "2026-03-29T01:00:00Z",
                "2026-03-29T01:20:00Z",
                "2026-03-29T01:40:00Z",
                "2026-03-30T00:00:00Z"
            ]
        );
    }

    #[test]
    fn a_time_that_comes_twice_in_berlin_counts_once() {
        // 2026-10-25 goes from 03:00 back to 02:00, at 01:00 in UTC.
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // Asked in the hour that comes again, the next is after it.
        assert_eq!(
            times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 2),
            ["2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"]
        );
        assert_eq!(
            times("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
            ["2026-10-25T02:00:00Z"]
        );
    }

    #[test]
    fn new_york_changes_at_its_own_time() {
        // 2026-03-08 02:00 to 03:00, at 07:00 in UTC; 2026-11-01 back at 06:00.
        assert_eq!(
            times("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
            ["2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"]
        );
        assert_eq!(
            times("15 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
            ["2026-11-01T05:15:00Z", "2026-11-02T06:15:00Z"]
        );
    }

    #[test]
    fn lord_howe_changes_by_half_an_hour() {
        // 2026-10-04 02:00 to 02:30, at 15:30 in UTC of the day before.
        assert_eq!(
            times(
                "15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-03T00:00:00Z",
                2
            ),
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
        );
        // 2026-04-05 02:00 back to 01:30, at 15:00 in UTC of the day before.
        assert_eq!(
            times(
                "45 1 * * *",
                "Australia/Lord_Howe",
                "2026-04-04T00:00:00Z",
                2
            ),
            ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]
        );
        assert_eq!(
            times(
                "*/15 * * * *",
                "Australia/Lord_Howe",
                "2026-04-04T14:30:00Z",
                3
            ),
            [
                "2026-04-04T14:45:00Z",
                "2026-04-04T15:30:00Z",
                "2026-04-04T15:45:00Z"
            ]
        );
    }

    #[test]
    fn nairobi_never_changes() {
        for (after, next) in [
            ("2026-03-28T23:30:00Z", "2026-03-29T23:30:00Z"),
            ("2026-10-24T23:30:00Z", "2026-10-25T23:30:00Z"),
        ] {
            assert_eq!(times("30 2 * * *", "Africa/Nairobi", after, 1), [next]);
        }
    }

    #[test]
    fn each_time_of_two_years_is_after_the_one_before_and_on_the_clock() {
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Africa/Nairobi",
            "Pacific/Apia",
            "UTC",
        ] {
            let timetable = Timetable::new("*/7 */3 * * *", zone).unwrap();
            let mut last = at("2026-01-01T00:00:00Z");
            for next in timetable.times_after(last).take(2 * 365 * 8 * 9) {
                assert!(next > last, "{zone} {next}");
                assert!(next - last < time::Duration::hours(5), "{zone} {next}");
                last = next;
            }
            assert!(last > at("2027-12-01T00:00:00Z"), "{zone} {last}");
        }
    }

    #[test]
    fn a_day_that_a_zone_skipped_comes_at_the_change() {
        // Samoa went over the date line: there was no 30 December 2011.
        assert_eq!(
            times("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", 1),
            ["2011-12-30T10:00:00Z"]
        );
    }

    #[test]
    fn zones_are_known_by_their_names() {
        let zone = |name: &str| Timetable::new("* * * * *", name).map(|it| it.zone().to_owned());
        assert_eq!(zone("europe/berlin").unwrap(), "Europe/Berlin");
        assert_eq!(zone("UTC").unwrap(), "UTC");
        for bad in ["", "Berlin", "Europe/Nowhere", "../etc/passwd"] {
            assert_eq!(zone(bad).unwrap_err().code(), "invalid_schedule", "{bad}");
        }
    }
}
