//! Work that a plugin puts off, and the times at which it comes by itself.

use super::PluginScope;
use crate::{
    Error, ErrorKind, ItemId, PluginName, ProjectId, RequestId, Result, ScheduleId,
    job::{JobDeclaration, MAX_ATTEMPTS, TIMEOUTS_MS},
    schedule::{CatchUp, Timetable},
};
use async_trait::async_trait;
use std::{fmt, str::FromStr, time::Duration};
use time::OffsetDateTime;

/// Longest payload, bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Longest that a job waits before it runs.
pub const MAX_DELAY: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 200;
/// Longest name of a schedule, bytes.
pub const MAX_SCHEDULE_NAME: usize = 100;
/// Most schedules of a plugin in a project.
pub const MAX_SCHEDULES: u64 = 10_000;
/// Longest message of progress, characters.
pub const MAX_PROGRESS_CHARS: usize = 500;
/// The priorities.
const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;
/// What the target of a job of the platform begins with.
const PLATFORM: &str = "platform:";

/// What the platform does for a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlatformJob {
    /// Backs the project up.
    Backup,
    /// Writes the project out.
    Export,
    /// Removes what ran out, and counts anew.
    Cleanup,
}

impl PlatformJob {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Backup, Self::Export, Self::Cleanup];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Export => "export",
            Self::Cleanup => "cleanup",
        }
    }
}

impl FromStr for PlatformJob {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|job| job.as_str() == text)
            .ok_or_else(|| {
                Error::invalid(
                    "platform_job_unknown",
                    format!(
                        "the platform has no job `{text}`: it has `backup`, `export` and `cleanup`"
                    ),
                )
            })
    }
}

/// Who does a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobTarget {
    /// The plugin: the job of this name.
    Own(String),
    /// The platform.
    Platform(PlatformJob),
}

impl JobTarget {
    /// The name of the job itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Own(name) => name,
            Self::Platform(job) => job.as_str(),
        }
    }
}

impl FromStr for JobTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix(PLATFORM) {
            Some(action) => action.parse().map(Self::Platform),
            None => Ok(Self::Own(text.to_owned())),
        }
    }
}

impl fmt::Display for JobTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) => f.write_str(name),
            Self::Platform(job) => write!(f, "{PLATFORM}{}", job.as_str()),
        }
    }
}

/// How a job is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTerms {
    /// Attempts after which it is given up.
    pub max_attempts: u32,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// The wait after the first attempt; it doubles with each.
    pub backoff: Duration,
}

impl JobTerms {
    /// Of the platform's jobs.
    pub const PLATFORM: Self = Self {
        max_attempts: 3,
        timeout: Duration::from_secs(3_600),
        backoff: Duration::from_secs(10),
    };

    /// As a manifest says.
    #[must_use]
    pub fn of(declared: &JobDeclaration) -> Self {
        Self {
            max_attempts: declared.max_attempts,
            timeout: Duration::from_millis(declared.timeout_ms.into()),
            backoff: Duration::from_millis(declared.backoff_ms.into()),
        }
    }
}

/// What differs for one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobOptions {
    /// Not before this time, milliseconds since 1970.
    pub run_at_ms: Option<u64>,
    /// Not before so many milliseconds have gone by.
    pub delay_ms: Option<u64>,
    /// Within a project, lower numbers go first.
    pub priority: Option<i32>,
    /// While one of this name with this key has not ended, no other is added.
    pub unique_key: Option<String>,
    /// Those with the same key run one at a time, in order.
    pub ordering_key: Option<String>,
    /// Attempts after which it is given up.
    pub max_attempts: Option<u32>,
    /// How long an attempt may take, milliseconds.
    pub timeout_ms: Option<u32>,
}

/// A job to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Who does it.
    pub target: JobTarget,
    /// JSON.
    pub payload: String,
    /// How it is tried.
    pub terms: JobTerms,
    /// Within a project, lower numbers go first.
    pub priority: i32,
    /// While one of this name with this key has not ended, no other is added.
    pub unique_key: Option<String>,
    /// Those with the same key run one at a time, in order.
    pub ordering_key: Option<String>,
    /// When it may run; at once otherwise.
    pub due_at: Option<OffsetDateTime>,
    /// The request in which it is asked for.
    pub request: RequestId,
    /// How many events led to it.
    pub hops: u8,
}

impl NewJob {
    /// Checks what a plugin gave, at the time `now`.
    ///
    /// # Errors
    /// `job_too_large` for the payload; `invalid_job` for what is out of
    /// bounds.
    pub fn new(
        target: JobTarget,
        payload: String,
        terms: JobTerms,
        options: JobOptions,
        now: OffsetDateTime,
    ) -> Result<Self> {
        check_payload(&payload)?;
        for key in [&options.unique_key, &options.ordering_key]
            .into_iter()
            .flatten()
        {
            if !(1..=MAX_KEY_BYTES).contains(&key.len()) || key.chars().any(char::is_control) {
                return Err(invalid(format!(
                    "a key has 1 to {MAX_KEY_BYTES} bytes and no control characters"
                )));
            }
        }
        let priority = options.priority.unwrap_or(0);
        if !PRIORITIES.contains(&priority) {
            return Err(invalid("a priority lies between -100 and 100"));
        }
        let max_attempts = options.max_attempts.unwrap_or(terms.max_attempts);
        if !(1..=MAX_ATTEMPTS).contains(&max_attempts) {
            return Err(invalid(format!("there are 1 to {MAX_ATTEMPTS} attempts")));
        }
        let timeout = match options.timeout_ms {
            Some(ms) if !TIMEOUTS_MS.contains(&ms) => {
                return Err(invalid("an attempt may take 100 to 3600000 milliseconds"));
            }
            Some(ms) => Duration::from_millis(ms.into()),
            None => terms.timeout,
        };
        Ok(Self {
            target,
            payload,
            terms: JobTerms {
                max_attempts,
                timeout,
                ..terms
            },
            priority,
            unique_key: options.unique_key,
            ordering_key: options.ordering_key,
            due_at: due(options.run_at_ms, options.delay_ms, now)?,
            request: RequestId::quick(),
            hops: 0,
        })
    }
}

fn due(
    run_at_ms: Option<u64>,
    delay_ms: Option<u64>,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>> {
    let too_far = || {
        let days = MAX_DELAY.as_secs() / (24 * 3_600);
        invalid(format!("a job waits {days} days at most"))
    };
    let at = match (run_at_ms, delay_ms) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(invalid("give a time or a delay, not both")),
        (Some(at), None) => from_ms(at).ok_or_else(too_far)?,
        (None, Some(delay)) => {
            let delay = Duration::from_millis(delay);
            if delay > MAX_DELAY {
                return Err(too_far());
            }
            now + delay
        }
    };
    if at > now + MAX_DELAY {
        return Err(too_far());
    }
    Ok(Some(at).filter(|at| *at > now))
}

/// Milliseconds since 1970 as a time, if there is one.
#[must_use]
pub fn from_ms(milliseconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}

/// A time in milliseconds since 1970; 0 for what was before.
#[must_use]
pub fn to_ms(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Looks whether a job can carry this.
///
/// # Errors
/// `job_too_large`; `invalid_job` when it is no JSON.
pub fn check_payload(payload: &str) -> Result<()> {
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Error::new(
            ErrorKind::TooLarge,
            "job_too_large",
            format!(
                "a job's payload has at most {MAX_PAYLOAD_BYTES} bytes: \
                 keep the rest in a table or an object, and name it"
            ),
        ));
    }
    serde_json::from_str::<serde::de::IgnoredAny>(payload)
        .map(drop)
        .map_err(|error| invalid(format!("the payload is not JSON: {error}")))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_job", message.into())
}

/// What came of adding a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddedJob {
    /// A new job's id, or that of the one that is there.
    pub id: ItemId,
    /// Whether it was there before.
    pub existing: bool,
}

/// A job as its plugin sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStatus {
    /// Its id.
    pub id: ItemId,
    /// Its name.
    pub name: String,
    /// Whether the platform does it.
    pub platform: bool,
    /// Where it stands.
    pub state: &'static str,
    /// JSON; empty once it is done.
    pub payload: String,
    /// The number of the last attempt.
    pub attempt: u32,
    /// The attempt after which the host gives up.
    pub max_attempts: u32,
    /// Lower numbers go first.
    pub priority: i32,
    /// When it may run.
    pub due_at: OffsetDateTime,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When the last attempt began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// Percent.
    pub progress: Option<u8>,
    /// The same in words.
    pub progress_note: Option<String>,
    /// Why the last attempt failed, code and message.
    pub failure: Option<(String, String)>,
    /// The schedule that it comes from.
    pub schedule: Option<String>,
    /// The time at which that was due.
    pub scheduled_at: Option<OffsetDateTime>,
}

/// The right to speak of a job that is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobLease {
    /// The job.
    pub item: ItemId,
    /// The number of its taking.
    pub fence: i64,
}

/// A job as the plugin gets it that is to do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredJob {
    /// Its id.
    pub id: ItemId,
    /// Its name.
    pub name: String,
    /// JSON.
    pub payload: String,
    /// 1 at first.
    pub attempt: u32,
    /// The attempt after which the host gives up.
    pub max_attempts: u32,
    /// The schedule that it comes from.
    pub schedule: Option<String>,
    /// The time at which that was due.
    pub scheduled_at: Option<OffsetDateTime>,
    /// The same for each attempt.
    pub idempotency_key: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// When a schedule is due, and what it adds then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleTerms {
    /// Who does it.
    pub target: JobTarget,
    /// Six fields.
    pub expression: String,
    /// The zone.
    pub zone: String,
    /// What becomes of times that went by.
    pub catch_up: CatchUp,
    /// Whether a run may begin while the one before has not ended.
    pub overlap: bool,
    /// JSON.
    pub payload: String,
    /// Whether it is on.
    pub enabled: bool,
}

impl ScheduleTerms {
    /// Checks what a plugin gave; the times as well, to have them looked at.
    ///
    /// # Errors
    /// `invalid_schedule`, `job_too_large`, `invalid_job` for the payload.
    pub fn checked(mut self, name: &str) -> Result<(Self, Timetable)> {
        if !(1..=MAX_SCHEDULE_NAME).contains(&name.len()) || name.chars().any(char::is_control) {
            return Err(Error::invalid(
                "invalid_schedule",
                format!(
                    "a schedule's name has 1 to {MAX_SCHEDULE_NAME} bytes and no control characters"
                ),
            ));
        }
        check_payload(&self.payload)?;
        let timetable = Timetable::new(&self.expression, &self.zone)?;
        self.expression = timetable.expression();
        timetable.zone().clone_into(&mut self.zone);
        Ok((self, timetable))
    }
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// The project.
    pub project: ProjectId,
    /// Whose it is.
    pub plugin: PluginName,
    /// Its name within the plugin.
    pub name: String,
    /// When it is due, and what it adds.
    pub terms: ScheduleTerms,
    /// Whether it stands in the manifest.
    pub fixed: bool,
    /// Whether an admin has put it on hold.
    pub paused: bool,
    /// Whether its plugin is off.
    pub suspended: bool,
    /// When it is due next.
    pub next_at: Option<OffsetDateTime>,
    /// When it was due the last time that it ran.
    pub last_due_at: Option<OffsetDateTime>,
    /// The job of that time.
    pub last_item: Option<ItemId>,
    /// Times that went by without a run.
    pub missed: u64,
    /// The last of them.
    pub last_missed_at: Option<OffsetDateTime>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was changed.
    pub updated_at: OffsetDateTime,
}

/// Some schedules, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchedulePage {
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// The name after which the next page begins.
    pub next: Option<String>,
}

/// Keeps jobs and schedules of plugins.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Now.
    fn now(&self) -> OffsetDateTime;

    /// Adds a job. Codes: `queue_full`, `platform_job_unavailable`.
    async fn enqueue(&self, scope: &PluginScope, job: NewJob) -> Result<AddedJob>;

    /// One of the plugin's jobs.
    async fn find(&self, scope: &PluginScope, job: ItemId) -> Result<Option<JobStatus>>;

    /// Takes one back; false when it had ended, or is not there.
    async fn cancel(&self, scope: &PluginScope, job: ItemId) -> Result<bool>;

    /// Notes how far a job is. Code: `job_lost`.
    async fn progress(&self, lease: JobLease, percent: u8, note: Option<String>) -> Result<()>;

    /// Makes a schedule, or changes the one of that name. Codes:
    /// `too_many_schedules`; `invalid_schedule` for one of the manifest.
    async fn put_schedule(
        &self,
        scope: &PluginScope,
        name: &str,
        terms: ScheduleTerms,
        times: &Timetable,
    ) -> Result<Schedule>;

    /// The schedule of that name.
    async fn find_schedule(&self, scope: &PluginScope, name: &str) -> Result<Option<Schedule>>;

    /// Removes it; false when there was none. Code: `invalid_schedule` for one
    /// of the manifest.
    async fn remove_schedule(&self, scope: &PluginScope, name: &str) -> Result<bool>;

    /// Those whose names begin with `prefix`, after the name `after`.
    async fn list_schedules(
        &self,
        scope: &PluginScope,
        prefix: &str,
        limit: u32,
        after: Option<String>,
    ) -> Result<SchedulePage>;

    /// Adds the job of a schedule now, on these terms. Codes: `not_found`,
    /// `queue_full`, `platform_job_unavailable`.
    async fn run_schedule(&self, scope: &PluginScope, name: &str) -> Result<AddedJob>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn made(options: JobOptions) -> Result<NewJob> {
        let target = JobTarget::Own("a".into());
        NewJob::new(target, "1".into(), JobTerms::PLATFORM, options, NOW)
    }

    #[test]
    fn jobs_are_bounded() {
        let options = JobOptions::default;
        for bad in [
            JobOptions {
                priority: Some(101),
                ..options()
            },
            JobOptions {
                unique_key: Some(String::new()),
                ..options()
            },
            JobOptions {
                ordering_key: Some("a\nb".into()),
                ..options()
            },
            JobOptions {
                max_attempts: Some(0),
                ..options()
            },
            JobOptions {
                timeout_ms: Some(99),
                ..options()
            },
            JobOptions {
                delay_ms: Some(u64::MAX),
                ..options()
            },
            JobOptions {
                run_at_ms: Some(u64::MAX),
                ..options()
            },
            JobOptions {
                run_at_ms: Some(1),
                delay_ms: Some(1),
                ..options()
            },
        ] {
            assert_eq!(
                made(bad.clone()).unwrap_err().code(),
                "invalid_job",
                "{bad:?}"
            );
        }
        let large = format!("\"{}\"", "x".repeat(MAX_PAYLOAD_BYTES - 1));
        let target = JobTarget::Own("a".into());
        let large = NewJob::new(target, large, JobTerms::PLATFORM, options(), NOW);
        assert_eq!(large.unwrap_err().code(), "job_too_large");
    }

    #[test]
    fn a_job_is_due_when_it_says() {
        let due = |options| made(options).unwrap().due_at;
        assert_eq!(due(JobOptions::default()), None);
        let later = JobOptions {
            delay_ms: Some(1_500),
            ..JobOptions::default()
        };
        assert_eq!(due(later), Some(NOW + Duration::from_millis(1_500)));
        let past = JobOptions {
            run_at_ms: Some(1),
            ..JobOptions::default()
        };
        assert_eq!(due(past), None);
        let at = NOW + Duration::from_secs(3);
        let exact = JobOptions {
            run_at_ms: Some(to_ms(at)),
            ..JobOptions::default()
        };
        assert_eq!(due(exact), Some(at));
    }

    #[test]
    fn targets_are_read_and_written_alike() {
        for text in ["remind", "platform:backup", "platform:cleanup"] {
            assert_eq!(text.parse::<JobTarget>().unwrap().to_string(), text);
        }
        let unknown = "platform:reboot".parse::<JobTarget>().unwrap_err();
        assert_eq!(unknown.code(), "platform_job_unknown");
    }
}
