//! Which of the times that have come are run, and which were missed.

use super::{Timetable, invalid};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use time::{Duration, OffsetDateTime};

/// How late a time may be and still be on time.
pub const LATE: Duration = Duration::seconds(60);
/// Most times that are made up for one by one; what is older is missed.
pub const MAX_CAUGHT_UP: usize = 10_000;
/// Most times that are counted as missed.
const MAX_COUNTED: usize = 100_000;

/// What becomes of times that went by while no server was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Nothing.
    Skip,
    /// One run for all of them, under the last.
    #[default]
    Once,
    /// A run for each of them.
    All,
}

impl CatchUp {
    /// As it is stored, and named in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

impl FromStr for CatchUp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Skip, Self::Once, Self::All]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| invalid(format!("`{text}` is not one of `skip`, `once` and `all`")))
    }
}

/// What is to be done about a schedule that is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Times to be run now, in order.
    pub run: Vec<OffsetDateTime>,
    /// How many times went by without a run.
    pub missed: u64,
    /// The last of them.
    pub last_missed: Option<OffsetDateTime>,
    /// When it is due next.
    pub next: Option<OffsetDateTime>,
}

impl Timetable {
    /// What is to be done about the time `due`, and those after it up to `now`.
    #[must_use]
    pub fn plan(&self, catch_up: CatchUp, due: OffsetDateTime, now: OffsetDateTime) -> Plan {
        if due > now {
            return Plan {
                next: Some(due),
                ..Plan::default()
            };
        }
        let mut come = std::collections::VecDeque::from([due]);
        let mut forgotten = 0;
        let mut next = self.next_after(due);
        while let Some(at) = next.filter(|at| *at <= now) {
            if come.len() + forgotten >= MAX_COUNTED {
                // Longer than anybody counts: go on from here.
                come.pop_front();
                come.push_back(at);
                next = self.next_after(now);
                break;
            }
            if come.len() >= MAX_CAUGHT_UP {
                come.pop_front();
                forgotten += 1;
            }
            come.push_back(at);
            next = self.next_after(at);
        }
        let mut plan = Plan {
            next,
            missed: forgotten as u64,
            ..Plan::default()
        };
        let last = come.pop_back().unwrap_or(due);
        let on_time = now - last <= LATE;
        match catch_up {
            CatchUp::All => {
                plan.run.extend(come);
                plan.run.push(last);
            }
            CatchUp::Once => {
                plan.run.push(last);
                plan.miss(come);
            }
            CatchUp::Skip if on_time => {
                plan.run.push(last);
                plan.miss(come);
            }
            CatchUp::Skip => {
                come.push_back(last);
                plan.miss(come);
            }
        }
        plan
    }
}

impl Plan {
    /// Nothing is run: all of it was missed.
    pub fn miss_all(&mut self) {
        let times = std::mem::take(&mut self.run);
        self.miss(times);
    }

    /// Counts times as missed, which are in order.
    pub fn miss(&mut self, times: impl IntoIterator<Item = OffsetDateTime>) {
        for at in times {
            self.missed += 1;
            self.last_missed = self.last_missed.max(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use time::macros::datetime;

    const DUE: OffsetDateTime = datetime!(2026-06-01 00:00 UTC);

    fn plan(expression: &str, catch_up: CatchUp, now: OffsetDateTime) -> Plan {
        Timetable::new(expression, "UTC")
            .unwrap()
            .plan(catch_up, DUE, now)
    }

    #[test]
    fn what_is_on_time_runs_under_each_policy() {
        for policy in [CatchUp::Skip, CatchUp::Once, CatchUp::All] {
            let plan = plan("0 * * * *", policy, DUE + Duration::milliseconds(20));
            assert_eq!((plan.run, plan.missed), (vec![DUE], 0));
            assert_eq!(plan.next, Some(DUE + Duration::hours(1)));
        }
    }

    #[test]
    fn three_days_down_are_made_up_for_as_asked() {
        // 72 hours and the one that is due: 73 times, the last 10 minutes ago.
        let now = DUE + Duration::hours(72) + Duration::minutes(10);
        let last = DUE + Duration::hours(72);
        let next = Some(DUE + Duration::hours(73));

        let skipped = plan("0 * * * *", CatchUp::Skip, now);
        assert_eq!((skipped.run, skipped.missed), (vec![], 73));
        assert_eq!((skipped.last_missed, skipped.next), (Some(last), next));

        let once = plan("0 * * * *", CatchUp::Once, now);
        assert_eq!((once.run, once.missed), (vec![last], 72));
        assert_eq!(once.last_missed, Some(last - Duration::hours(1)));
        assert_eq!(once.next, next);

        let all = plan("0 * * * *", CatchUp::All, now);
        assert_eq!((all.run.len(), all.missed, all.next), (73, 0, next));
        assert_eq!((all.run.first(), all.run.last()), (Some(&DUE), Some(&last)));
        assert!(all.run.is_sorted());
    }

    #[test]
    fn a_server_that_comes_back_on_the_minute_is_on_time() {
        let now = DUE + Duration::hours(72) + Duration::seconds(59);
        let skipped = plan("0 * * * *", CatchUp::Skip, now);
        assert_eq!(skipped.run, [DUE + Duration::hours(72)]);
        assert_eq!(skipped.missed, 72);
    }

    #[test]
    fn what_is_made_up_for_is_bounded() {
        let now = DUE + Duration::days(365);
        let all = plan("* * * * * *", CatchUp::All, now);
        assert_eq!(
            (all.run.len(), all.run.last()),
            (MAX_CAUGHT_UP, all.run.iter().max())
        );
        assert!(all.missed >= 80_000);
        assert!(all.next.unwrap() > now);
    }

    #[test]
    fn a_clock_that_goes_forward_and_back_repeats_nothing() {
        // An hour forward: two times have come, as if nobody had been there.
        let forward = DUE + Duration::minutes(75);
        let once = plan("0 * * * *", CatchUp::Once, forward);
        assert_eq!(once.run, [DUE + Duration::hours(1)]);
        let next = once.next.unwrap();
        // An hour back: what is due next lies ahead, and nothing runs.
        let timetable = Timetable::new("0 * * * *", "UTC").unwrap();
        let back = timetable.plan(CatchUp::All, next, forward - Duration::hours(1));
        assert!(back.run.is_empty());
        assert_eq!(back.next, Some(next));
    }
}
