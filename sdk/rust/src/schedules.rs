//! Jobs that come by the clock: schedules that the plugin makes while it runs,
//! beside those that its manifest lists in `[[schedules]]`. Needs the grant
//! `jobs`.
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! fn remind(user: &str) -> Result<()> {
//!     schedules::Definition::new("remind", "0 9 * * MON-FRI")
//!         .zone("Africa/Nairobi")
//!         .payload(user)?
//!         .put(&format!("remind/{user}"))
//!         .map(drop)
//! }
//! # let host = TestHost::new("notes");
//! # remind("u1")?;
//! # assert_eq!(schedules::get("remind/u1")?.unwrap().definition.payload, "\"u1\"");
//! # Ok::<(), Error>(())
//! ```
//!
//! Each time of a schedule becomes one job, however many servers there are.

use crate::{Result, host, jobs::Enqueued};
use serde::{Deserialize, Serialize};

/// What becomes of times that went by while no server was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// Nothing.
    Skip,
    /// One run for all of them.
    #[default]
    Once,
    /// A run for each of them.
    All,
}

impl CatchUp {
    /// As the host writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// When a schedule is due, and what it adds then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// One of the manifest's `[[jobs]]`, or one of the platform's,
    /// `platform:cleanup`, which needs the grant `jobs:platform`.
    pub job: String,
    /// Five fields, `minute hour day-of-month month day-of-week`, or six with
    /// the second before them.
    pub expression: String,
    /// As the IANA names it, `Europe/Berlin`.
    pub zone: String,
    /// What becomes of times that went by.
    pub catch_up: CatchUp,
    /// Whether a run may begin while the one before has not ended.
    pub overlap: bool,
    /// JSON of at most 64 KiB, for each run.
    pub payload: String,
    /// Whether it is on.
    pub enabled: bool,
}

impl Definition {
    /// A schedule in UTC that carries `null`, catches up once, and does not
    /// overlap.
    #[must_use]
    pub fn new(job: &str, expression: &str) -> Self {
        Self {
            job: job.to_owned(),
            expression: expression.to_owned(),
            zone: "UTC".to_owned(),
            catch_up: CatchUp::default(),
            overlap: false,
            payload: "null".to_owned(),
            enabled: true,
        }
    }

    /// In this zone.
    #[must_use]
    pub fn zone(mut self, zone: &str) -> Self {
        zone.clone_into(&mut self.zone);
        self
    }

    /// What becomes of times that went by.
    #[must_use]
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// Whether a run may begin while the one before has not ended.
    #[must_use]
    pub fn overlap(mut self, overlap: bool) -> Self {
        self.overlap = overlap;
        self
    }

    /// What each run carries.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn payload<T: Serialize + ?Sized>(mut self, payload: &T) -> Result<Self> {
        self.payload = serde_json::to_string(payload)?;
        Ok(self)
    }

    /// Whether it is on.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Makes the schedule of this name, or changes it.
    ///
    /// # Errors
    /// The host's: `not_granted`, `invalid_schedule`, `job_not_declared`,
    /// `job_too_large`, `too_many_schedules`, `platform_job_unknown`.
    pub fn put(&self, name: &str) -> Result<Schedule> {
        Ok(host::put_schedule(name, self)?)
    }
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Unique within the plugin.
    pub name: String,
    /// When it is due, and what it adds.
    pub definition: Definition,
    /// Whether it stands in the manifest, and cannot be changed.
    pub fixed: bool,
    /// Whether an admin has put it on hold.
    pub paused: bool,
    /// When it is due next, milliseconds since 1970; none while it is not
    /// enabled or paused.
    pub next_ms: Option<u64>,
    /// When it was due the last time that it ran.
    pub last_due_ms: Option<u64>,
    /// The job of that time.
    pub last_job: Option<String>,
    /// Times that went by without a run so far.
    pub missed: u64,
    /// The last of them.
    pub last_missed_ms: Option<u64>,
    /// When it was made.
    pub created_ms: u64,
    /// When it was changed.
    pub updated_ms: u64,
}

/// Some of the schedules, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// What an expression means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The expression with six fields.
    pub expression: String,
    /// The next times, milliseconds since 1970.
    pub next_ms: Vec<u64>,
}

/// The schedule of this name.
///
/// # Errors
/// The host's.
pub fn get(name: &str) -> Result<Option<Schedule>> {
    Ok(host::get_schedule(name)?)
}

/// Removes it; false when there was none. Jobs that it made stay.
///
/// # Errors
/// The host's; `invalid_schedule` for one of the manifest.
pub fn remove(name: &str) -> Result<bool> {
    Ok(host::remove_schedule(name)?)
}

/// Those whose names begin with `prefix`, at most 100 at once.
///
/// # Errors
/// The host's.
pub fn list(prefix: &str, limit: u32, cursor: Option<&str>) -> Result<Page> {
    Ok(host::list_schedules(prefix, limit, cursor)?)
}

/// Adds the job of a schedule now, whether that is enabled or not. While the
/// run before has not ended and it may not overlap, that one is answered; with
/// [`CatchUp::All`] the new one waits for it.
///
/// # Errors
/// `not_found`; the host's of adding a job.
pub fn run_now(name: &str) -> Result<Enqueued> {
    Ok(host::run_schedule(name)?)
}

/// The next times of an expression after a time, or after now; at most 100.
///
/// # Errors
/// `invalid_schedule` says what is wrong with it.
pub fn explain(
    expression: &str,
    zone: &str,
    after_ms: Option<u64>,
    count: u32,
) -> Result<Explanation> {
    Ok(host::explain_schedule(expression, zone, after_ms, count)?)
}
