//! A cron expression. The fields are read by the crate `cron`; what it does
//! in ways of its own is put right here: days of the week are numbered as
//! crontab does, either day is enough when both are restricted, and which
//! moment a local time is is not its business.

use super::invalid;
use crate::{Error, Result};
use cron::TimeUnitSpec;
use jiff::civil::{Date, DateTime, Time};
use std::{fmt, str::FromStr};

/// Longest expression, bytes.
const MAX_BYTES: usize = 200;
/// Days that are looked at: the 29th of February may be eight years away.
const HORIZON_DAYS: u32 = 366 * 9;
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Which local times it covers: of each unit, the bits of the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is 0.
    weekdays: u64,
    /// Whether both days are restricted, so that either is enough.
    either_day: bool,
}

impl FromStr for Expression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || " ,-*/\t".contains(c);
        if text.len() > MAX_BYTES || !text.chars().all(plain) {
            return Err(invalid(format!(
                "an expression has at most {MAX_BYTES} letters, digits, blanks, and `*`, `,`, `-`, `/`"
            )));
        }
        let given: Vec<&str> = text.split_whitespace().collect();
        let fields = match given.as_slice() {
            [minute, hour, day, month, weekday] => ["0", minute, hour, day, month, weekday],
            [second, minute, hour, day, month, weekday] => {
                [*second, minute, hour, day, month, weekday]
            }
            _ => {
                return Err(invalid(format!(
                    "`{text}` needs five fields, `minute hour day-of-month month day-of-week`, \
                     or six with the second before them"
                )));
            }
        };
        let [second, minute, hour, day, month, weekday] = fields;
        let weekdays = weekdays(weekday)
            .ok_or_else(|| invalid(format!("`{weekday}` names no days of the week")))?;
        let read = cron::Schedule::from_str(&format!("{second} {minute} {hour} {day} {month} *"))
            .map_err(|error| invalid(format!("`{text}` cannot be read: {error}")))?;
        let expression = Self {
            text: fields.join(" "),
            seconds: bits(read.seconds()),
            minutes: bits(read.minutes()),
            hours: bits(read.hours()),
            days: bits(read.days_of_month()),
            months: bits(read.months()),
            weekdays,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        // A leap year is among the years that follow.
        let begin = Date::constant(2024, 1, 1).at(0, 0, 0, 0);
        if expression.next_after(begin).is_none() {
            return Err(invalid(format!("`{text}` never comes")));
        }
        Ok(expression)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Expression {
    /// The first local time after `after`.
    pub(super) fn next_after(&self, after: DateTime) -> Option<DateTime> {
        let mut date = after.date();
        if self.covers(date)
            && let Some(time) = self.next_time(after.time())
        {
            return Some(date.to_datetime(time));
        }
        let first = Time::new(
            lowest(self.hours)?,
            lowest(self.minutes)?,
            lowest(self.seconds)?,
            0,
        );
        let first = first.ok()?;
        for _ in 0..HORIZON_DAYS {
            date = date.tomorrow().ok()?;
            if self.covers(date) {
                return Some(date.to_datetime(first));
            }
        }
        None
    }

    fn covers(&self, date: Date) -> bool {
        let by_day = has(self.days, date.day());
        let by_weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let is_day = if self.either_day {
            by_day || by_weekday
        } else {
            by_day && by_weekday
        };
        is_day && has(self.months, date.month())
    }

    /// The first time of a day after `after`.
    fn next_time(&self, after: Time) -> Option<Time> {
        let (hour, minute) = (after.hour(), after.minute());
        let (hour, minute, second) = if has(self.hours, hour) {
            let second = next(self.seconds, after.second() + 1);
            match (has(self.minutes, minute), second) {
                (true, Some(second)) => (hour, minute, second),
                _ => match next(self.minutes, minute + 1) {
                    Some(minute) => (hour, minute, lowest(self.seconds)?),
                    None => self.first_of_hour(hour + 1)?,
                },
            }
        } else {
            self.first_of_hour(hour + 1)?
        };
        Time::new(hour, minute, second, 0).ok()
    }

    fn first_of_hour(&self, from: i8) -> Option<(i8, i8, i8)> {
        let hour = next(self.hours, from)?;
        Some((hour, lowest(self.minutes)?, lowest(self.seconds)?))
    }
}

fn bits(unit: &impl TimeUnitSpec) -> u64 {
    unit.iter()
        .filter(|number| *number < 64)
        .fold(0, |bits, number| bits | 1 << number)
}

fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| bits.checked_shr(number).unwrap_or(0) & 1 == 1)
}

/// The lowest number from `from` on.
fn next(bits: u64, from: i8) -> Option<i8> {
    let from = u32::try_from(from).ok()?;
    let rest = bits.checked_shr(from).unwrap_or(0);
    let number = (rest != 0).then(|| from + rest.trailing_zeros())?;
    i8::try_from(number).ok()
}

fn lowest(bits: u64) -> Option<i8> {
    next(bits, 0)
}

/// Days of the week as crontab has them: 0 and 7 are Sunday.
fn weekdays(field: &str) -> Option<u64> {
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            // A week may end with its Sunday.
            Some((from, to)) => match (weekday(from)?, weekday(to)?) {
                (from, 0) if from > 0 => (from, 7),
                both => both,
            },
            None if range == "*" => (0, 6),
            None if part.contains('/') => (weekday(range)?, 6),
            None => (weekday(range)?, weekday(range)?),
        };
        if from > to {
            return None;
        }
        for day in (from..=to).step_by(step) {
            bits |= 1 << (day % 7);
        }
    }
    Some(bits)
}

fn weekday(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let named = WEEKDAYS.iter().position(|name| *name == lower);
    match named {
        Some(at) => u32::try_from(at).ok(),
        None => text.parse().ok().filter(|number| *number <= 7),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn next_of(expression: &str, after: &str) -> String {
        let expression: Expression = expression.parse().unwrap();
        let after: DateTime = after.parse().unwrap();
        expression.next_after(after).unwrap().to_string()
    }

    #[test]
    fn five_fields_are_six_with_second_0() {
        let expression: Expression = " 5  4 * * 1 ".parse().unwrap();
        assert_eq!(expression.to_string(), "0 5 4 * * 1");
        assert_eq!(
            next_of("*/15 * * * * *", "2026-01-01T00:00:15"),
            "2026-01-01T00:00:30"
        );
        assert_eq!(
            next_of("59 59 23 * * *", "2026-12-31T23:59:59"),
            "2027-01-01T23:59:59"
        );
    }

    #[test]
    fn days_of_the_week_are_those_of_crontab() {
        // The 1st of January 2026 was a Thursday.
        for (field, day) in [
            ("0", "04"),
            ("7", "04"),
            ("SUN", "04"),
            ("1", "05"),
            ("Mon-Fri", "01"),
            ("5-7", "02"),
            ("SAT-SUN", "03"),
            ("*/2", "01"),
            ("1/2", "02"),
            ("1,6", "03"),
        ] {
            assert_eq!(
                next_of(&format!("0 0 * * {field}"), "2025-12-31T12:00:00"),
                format!("2026-01-{day}T00:00:00"),
                "{field}"
            );
        }
    }

    #[test]
    fn either_day_is_enough_when_both_are_restricted() {
        assert_eq!(
            next_of("0 0 13 * FRI", "2026-01-01T00:00:00"),
            "2026-01-02T00:00:00"
        );
        assert_eq!(
            next_of("0 0 13 * FRI", "2026-01-09T00:00:00"),
            "2026-01-13T00:00:00"
        );
        assert_eq!(
            next_of("0 0 13 * *", "2026-01-01T00:00:00"),
            "2026-01-13T00:00:00"
        );
    }

    #[test]
    fn rare_days_are_found() {
        assert_eq!(
            next_of("0 0 29 2 *", "2096-03-01T00:00:00"),
            "2104-02-29T00:00:00"
        );
        assert_eq!(
            next_of("0 0 31 JAN,MAR *", "2026-02-01T00:00:00"),
            "2026-03-31T00:00:00"
        );
    }

    #[test]
    fn doubtful_expressions_are_refused() {
        for bad in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * * 8",
            "* * * * MON-",
            "* * * * 5-2",
            "*/0 * * * *",
            "* * * * */0",
            "5-1 * * * *",
            "a * * * *",
            "@daily",
            "0 0 30 2 *",
            "0 0 31 4,6 *",
            "1,,2 * * * *",
            "-1 * * * *",
            "99999999999 * * * *",
            "é * * * *",
        ] {
            let read = bad.parse::<Expression>();
            assert_eq!(read.unwrap_err().code(), "invalid_schedule", "{bad}");
        }
        assert!("1,".repeat(200).parse::<Expression>().is_err());
    }
}
