//! The queue and the schedules of the host in memory. Every zone is taken as
//! UTC, and of an expression's fields numbers, `*`, lists, ranges and steps
//! are understood, and the English names of days and months.

use crate::{
    Job, Result,
    events::is_worth_retrying,
    host::{HostError, HostResult},
    jobs::{Enqueued, Options, Status},
    schedules::{Definition, Explanation, Schedule},
};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// Longest payload, bytes.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Attempts at a job.
const ATTEMPTS: u32 = 5;
/// The wait after the first attempt, which doubles.
const BACKOFF_MS: u64 = 1_000;
/// How far ahead a time is looked for.
const HORIZON_DAYS: u32 = 366 * 9;
const PLATFORM_JOBS: [&str; 3] = ["backup", "export", "cleanup"];

/// All that waits, runs or has ended.
#[derive(Default)]
pub(super) struct Queue {
    jobs: Vec<Kept>,
    schedules: BTreeMap<String, Schedule>,
    running: Option<String>,
}

struct Kept {
    status: Status,
    unique_key: Option<String>,
    ordering_key: Option<String>,
    idempotency_key: String,
}

impl Queue {
    pub(super) fn statuses(&self) -> Vec<Status> {
        self.jobs.iter().map(|kept| kept.status.clone()).collect()
    }

    pub(super) fn schedules(&self) -> Vec<Schedule> {
        self.schedules.values().cloned().collect()
    }

    pub(super) fn enqueue(
        &mut self,
        name: &str,
        payload: &str,
        platform: bool,
        options: &Options,
        now: u64,
    ) -> HostResult<Enqueued> {
        check_payload(payload)?;
        if platform {
            check_platform(name)?;
        }
        let unique_key = options
            .unique_key
            .as_ref()
            .map(|key| format!("{name} {key}"));
        let is_same = |kept: &&Kept| {
            unique_key.is_some() && kept.unique_key == unique_key && !kept.status.has_ended()
        };
        if let Some(kept) = self.jobs.iter().find(is_same) {
            return Ok(Enqueued {
                id: kept.status.id.clone(),
                existing: true,
            });
        }
        let id = format!("0190a6a8-0000-7000-a000-{:012x}", self.jobs.len() + 1);
        let delay = options.delay_ms.unwrap_or(0);
        let due_ms = options.run_at_ms.unwrap_or(now.saturating_add(delay));
        self.jobs.push(Kept {
            status: Status {
                id: id.clone(),
                name: name.to_owned(),
                platform,
                state: if due_ms > now { "scheduled" } else { "ready" }.to_owned(),
                payload: payload.to_owned(),
                max_attempts: options.max_attempts.unwrap_or(ATTEMPTS),
                priority: options.priority.unwrap_or(0),
                due_ms,
                created_ms: now,
                ..Status::default()
            },
            unique_key,
            ordering_key: options.ordering_key.clone(),
            idempotency_key: id.clone(),
        });
        Ok(Enqueued {
            id,
            existing: false,
        })
    }

    /// The next job that is due, and whether it is the platform's.
    pub(super) fn take(&mut self, now: u64) -> Option<(Job, bool)> {
        let mut lanes = Vec::new();
        let mut found: Option<usize> = None;
        for (at, kept) in self.jobs.iter().enumerate() {
            if kept.status.has_ended() {
                continue;
            }
            if let Some(key) = &kept.ordering_key {
                if lanes.contains(key) {
                    continue;
                }
                lanes.push(key.clone());
            }
            let before = |other: &Kept| {
                let rank = |kept: &Kept| (kept.status.priority, kept.status.due_ms);
                rank(other) <= rank(kept)
            };
            let later = found.and_then(|at| self.jobs.get(at)).is_some_and(before);
            if kept.status.due_ms <= now && kept.status.state != "running" && !later {
                found = Some(at);
            }
        }
        let kept = self.jobs.get_mut(found?)?;
        let status = &mut kept.status;
        status.attempt += 1;
        "running".clone_into(&mut status.state);
        status.started_ms = Some(now);
        (status.progress, status.progress_message) = (None, None);
        self.running = Some(status.id.clone());
        let job = Job {
            id: status.id.clone(),
            name: status.name.clone(),
            payload: status.payload.clone(),
            attempt: status.attempt,
            max_attempts: status.max_attempts,
            schedule: status.schedule.clone(),
            scheduled_ms: status.scheduled_ms,
            idempotency_key: kept.idempotency_key.clone(),
        };
        Some((job, status.platform))
    }

    pub(super) fn finish(&mut self, id: &str, outcome: Result<()>, now: u64) {
        self.running = None;
        let Some(status) = self.open(id) else { return };
        let state = match outcome {
            Ok(()) => {
                status.payload.clear();
                (status.error_code, status.error_message) = (None, None);
                "done"
            }
            Err(error) => {
                status.error_code = Some(error.code().to_owned());
                status.error_message = Some(error.detail().to_owned());
                if is_worth_retrying(&error) && status.attempt < status.max_attempts {
                    let doubled = 1 << status.attempt.saturating_sub(1).min(12);
                    status.due_ms = now.saturating_add(BACKOFF_MS * doubled);
                    "scheduled"
                } else {
                    "dead"
                }
            }
        };
        state.clone_into(&mut status.state);
        status.finished_ms = status.has_ended().then_some(now);
    }

    pub(super) fn cancel(&mut self, id: &str, now: u64) -> bool {
        let Some(status) = self.open(id) else {
            return false;
        };
        "cancelled".clone_into(&mut status.state);
        status.finished_ms = Some(now);
        true
    }

    pub(super) fn progress(&mut self, percent: u8, message: Option<&str>) -> HostResult<()> {
        let Some(id) = self.running.clone() else {
            let words = "only the function of a job can say how far it is";
            return Err(HostError::new("job_not_running", words));
        };
        let Some(status) = self.open(&id) else {
            return Err(HostError::new("job_lost", "the job was cancelled"));
        };
        status.progress = Some(percent.min(100));
        status.progress_message = message.map(str::to_owned);
        Ok(())
    }

    fn open(&mut self, id: &str) -> Option<&mut Status> {
        let mut statuses = self.jobs.iter_mut().map(|kept| &mut kept.status);
        statuses.find(|status| status.id == id && !status.has_ended())
    }

    pub(super) fn put(
        &mut self,
        name: &str,
        definition: &Definition,
        now: u64,
    ) -> HostResult<Schedule> {
        check_payload(&definition.payload)?;
        if let Some(action) = definition.job.strip_prefix("platform:") {
            check_platform(action)?;
        }
        let next = explain(&definition.expression, &definition.zone, now, 1)?;
        let before = self.schedules.get(name);
        let schedule = Schedule {
            name: name.to_owned(),
            definition: definition.clone(),
            fixed: false,
            paused: false,
            next_ms: next.next_ms.first().copied().filter(|_| definition.enabled),
            last_due_ms: before.and_then(|before| before.last_due_ms),
            last_job: before.and_then(|before| before.last_job.clone()),
            missed: before.map_or(0, |before| before.missed),
            last_missed_ms: before.and_then(|before| before.last_missed_ms),
            created_ms: before.map_or(now, |before| before.created_ms),
            updated_ms: now,
        };
        self.schedules.insert(name.to_owned(), schedule.clone());
        Ok(schedule)
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.schedules.remove(name).is_some()
    }

    pub(super) fn run_now(&mut self, name: &str, now: u64) -> HostResult<Enqueued> {
        let Some(schedule) = self.schedules.get(name).cloned() else {
            return Err(HostError::new("not_found", "the schedule was not found"));
        };
        self.add(&schedule, now, now)
    }

    /// Adds the jobs of the schedules that are due.
    pub(super) fn tick(&mut self, now: u64) -> usize {
        let is_due = |schedule: &&Schedule| schedule.next_ms.is_some_and(|next| next <= now);
        let due: Vec<Schedule> = self.schedules.values().filter(is_due).cloned().collect();
        let mut added = 0;
        for schedule in due {
            let at = schedule.next_ms.unwrap_or(now);
            let made = self.add(&schedule, at, now);
            added += usize::from(made.is_ok_and(|made| !made.existing));
            let definition = &schedule.definition;
            let next = explain(&definition.expression, &definition.zone, now, 1);
            if let Some(schedule) = self.schedules.get_mut(&schedule.name) {
                schedule.next_ms = next.ok().and_then(|next| next.next_ms.first().copied());
            }
        }
        added
    }

    fn add(&mut self, schedule: &Schedule, due: u64, now: u64) -> HostResult<Enqueued> {
        let definition = &schedule.definition;
        let options = Options {
            unique_key: (!definition.overlap).then(|| format!("schedule {}", schedule.name)),
            ..Options::default()
        };
        let (platform, name) = match definition.job.strip_prefix("platform:") {
            Some(action) => (true, action),
            None => (false, definition.job.as_str()),
        };
        let added = self.enqueue(name, &definition.payload, platform, &options, now)?;
        if added.existing {
            return Ok(added);
        }
        if let Some(kept) = self.jobs.last_mut() {
            kept.status.schedule = Some(schedule.name.clone());
            kept.status.scheduled_ms = Some(due);
            kept.idempotency_key = format!("{}/{due}", schedule.name);
        }
        if let Some(schedule) = self.schedules.get_mut(&schedule.name) {
            schedule.last_due_ms = Some(due);
            schedule.last_job = Some(added.id.clone());
        }
        Ok(added)
    }
}

fn check_payload(payload: &str) -> HostResult<()> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        let words = "a job's payload has at most 65536 bytes";
        return Err(HostError::new("job_too_large", words));
    }
    serde_json::from_str::<serde::de::IgnoredAny>(payload)
        .map_err(|error| HostError::new("invalid_job", format!("the payload: {error}")))?;
    Ok(())
}

fn check_platform(action: &str) -> HostResult<()> {
    if PLATFORM_JOBS.contains(&action) {
        return Ok(());
    }
    let words = format!("the platform has no job `{action}`");
    Err(HostError::new("platform_job_unknown", words))
}

/// The next times of an expression, all zones being UTC.
pub(super) fn explain(
    expression: &str,
    zone: &str,
    after_ms: u64,
    count: u32,
) -> HostResult<Explanation> {
    let invalid = |why: &str| HostError::new("invalid_schedule", format!("`{expression}` {why}"));
    if zone.is_empty() {
        return Err(invalid("needs a zone"));
    }
    let given: Vec<&str> = expression.split_whitespace().collect();
    let fields = match given.as_slice() {
        [minute, hour, day, month, weekday] => ["0", minute, hour, day, month, weekday],
        [second, minute, hour, day, month, weekday] => [*second, minute, hour, day, month, weekday],
        _ => return Err(invalid("needs five fields, or six with the second first")),
    };
    let bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let mut sets = Vec::with_capacity(6);
    for (field, (low, high)) in fields.iter().zip(bounds) {
        sets.push(numbers(field, low, high).ok_or_else(|| invalid("has a field that is none"))?);
    }
    let [seconds, minutes, hours, days, months, weekdays] = sets.as_slice() else {
        return Err(invalid("needs six fields"));
    };
    let [.., day_field, _, weekday_field] = fields;
    let after = i64::try_from(after_ms / 1_000).unwrap_or(i64::MAX);
    let begin =
        OffsetDateTime::from_unix_timestamp(after).map_err(|_| invalid("begins too late"))?;
    let mut next_ms = Vec::new();
    let mut date = begin.date();
    for _ in 0..HORIZON_DAYS {
        let by_day = days.contains(&u32::from(date.day()));
        let weekday = u32::from(date.weekday().number_days_from_sunday());
        let by_weekday = weekdays.iter().any(|day| day % 7 == weekday);
        let is_day = match (day_field.starts_with('*'), weekday_field.starts_with('*')) {
            (false, false) => by_day || by_weekday,
            _ => by_day && by_weekday,
        };
        if is_day && months.contains(&u32::from(u8::from(date.month()))) {
            for second in times(hours, minutes, seconds) {
                let at = date.midnight().assume_utc() + Duration::seconds(second);
                if at > begin {
                    let at = u64::try_from(at.unix_timestamp()).unwrap_or(0);
                    next_ms.push(at * 1_000);
                }
                if next_ms.len() >= usize::try_from(count.min(100)).unwrap_or(100) {
                    return Ok(Explanation {
                        expression: fields.join(" "),
                        next_ms,
                    });
                }
            }
        }
        let Some(tomorrow) = date.next_day() else {
            break;
        };
        date = tomorrow;
    }
    if next_ms.is_empty() {
        return Err(invalid("never comes"));
    }
    Ok(Explanation {
        expression: fields.join(" "),
        next_ms,
    })
}

/// Seconds of a day, in their order.
fn times<'a>(
    hours: &'a [u32],
    minutes: &'a [u32],
    seconds: &'a [u32],
) -> impl Iterator<Item = i64> + 'a {
    hours.iter().flat_map(move |hour| {
        minutes.iter().flat_map(move |minute| {
            let before = i64::from(hour * 3_600 + minute * 60);
            seconds
                .iter()
                .map(move |second| before + i64::from(*second))
        })
    })
}

/// What a field covers, in order.
fn numbers(field: &str, low: u32, high: u32) -> Option<Vec<u32>> {
    let mut covered = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (low, high),
            None if part.contains('/') => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if from > to || from < low || to > high {
            return None;
        }
        covered.extend((from..=to).step_by(step));
    }
    covered.sort_unstable();
    covered.dedup();
    Some(covered)
}

fn number(text: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let lower = text.to_ascii_lowercase();
    let place = |names: &[&str]| names.iter().position(|name| *name == lower);
    let named = place(&DAYS).or_else(|| place(&MONTHS).map(|at| at + 1));
    let named = named.and_then(|at| u32::try_from(at).ok());
    named.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use crate::{prelude::*, testing::TestHost};
    use std::time::Duration;

    #[test]
    fn jobs_run_in_their_order_and_again_after_failures() {
        let host = TestHost::new("a");
        let work = Jobs::new()
            .on("good", || ())
            .on("bad", || Err::<(), _>(Error::internal("no")))
            .on("useless", || Err::<(), _>(Error::bad_request("b", "no")));
        jobs::enqueue("bad", &1).unwrap();
        jobs::enqueue("useless", &1).unwrap();
        let first = jobs::New::new("good", &1).unwrap().priority(-1);
        let id = first.enqueue().unwrap().id;
        let later = jobs::New::new("good", &1).unwrap();
        later.after(Duration::from_secs(60)).enqueue().unwrap();
        assert_eq!(host.run_jobs(&work), 3);
        let states = |host: &TestHost| -> Vec<String> {
            host.jobs().into_iter().map(|job| job.state).collect()
        };
        assert_eq!(states(&host), ["scheduled", "dead", "done", "scheduled"]);
        assert_eq!(jobs::get(&id).unwrap().unwrap().attempt, 1);
        host.advance(Duration::from_secs(60));
        assert_eq!(host.run_jobs(&work), 2);
        for _ in 0..5 {
            host.advance(Duration::from_secs(60));
            host.run_jobs(&work);
        }
        assert_eq!(states(&host), ["dead", "dead", "done", "done"]);
    }

    #[test]
    fn a_key_is_taken_until_its_job_has_ended() {
        let host = TestHost::new("a");
        let add = || jobs::New::new("one", &1).unwrap().unique("k").enqueue();
        let first = add().unwrap();
        let second = add().unwrap();
        assert_eq!((second.id == first.id, second.existing), (true, true));
        assert!(jobs::cancel(&first.id).unwrap());
        assert!(!jobs::cancel(&first.id).unwrap());
        assert!(!add().unwrap().existing);
        assert_eq!(host.jobs().len(), 2);
    }

    #[test]
    fn schedules_make_jobs_when_they_are_due() {
        let host = TestHost::new("a");
        let made = schedules::Definition::new("tick", "*/10 * * * *").put("s");
        let next = made.unwrap().next_ms.unwrap();
        assert_eq!((next % 600_000, host.run_schedules()), (0, 0));
        host.advance(Duration::from_secs(600));
        assert_eq!(host.run_schedules(), 1);
        let job = host.jobs().remove(0);
        assert_eq!(
            (job.schedule.as_deref(), job.scheduled_ms),
            (Some("s"), Some(next))
        );
        assert!(schedules::run_now("s").unwrap().existing);
        assert!(schedules::remove("s").unwrap());
        assert!(host.schedules().is_empty());
    }

    #[test]
    fn expressions_are_explained() {
        let _host = TestHost::new("a");
        let next = |expression: &str| schedules::explain(expression, "UTC", Some(0), 2);
        let day = 86_400_000;
        // The first of January 1970 was a Thursday.
        assert_eq!(next("0 0 * * 4").unwrap().next_ms, [7 * day, 14 * day]);
        assert_eq!(next("0 0 * * MON").unwrap().next_ms, [4 * day, 11 * day]);
        assert_eq!(next("*/30 * * * * *").unwrap().next_ms, [30_000, 60_000]);
        assert_eq!(next("0 0 3 * 5").unwrap().next_ms, [day, 2 * day]);
        for bad in ["", "* * * *", "60 * * * *", "0 0 30 2 *", "a * * * *"] {
            assert_eq!(next(bad).unwrap_err().code(), "invalid_schedule", "{bad}");
        }
    }
}
