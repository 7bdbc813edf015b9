//! Work for later: jobs that the plugin puts into the project's queue, and the
//! functions that do them. Needs the grant `jobs`.
//!
//! A job is one of those that the manifest lists in `[[jobs]]`:
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! #[derive(Serialize, Deserialize)]
//! struct Import { table: String }
//!
//! fn begin(Path(table): Path<String>) -> Result<(StatusCode, Json<String>)> {
//!     let added = jobs::New::new("import", &Import { table: table.clone() })?
//!         .unique(&table)
//!         .enqueue()?;
//!     Ok((StatusCode::ACCEPTED, Json(added.id)))
//! }
//!
//! fn work() -> Jobs {
//!     Jobs::new().on("import", import)
//! }
//!
//! fn import(job: Job, Payload(import): Payload<Import>) -> Result<()> {
//!     jobs::progress(50, Some("half of it"))?;
//!     log::info!("{} into {}, attempt {}", job.id, import.table, job.attempt);
//!     Ok(())
//! }
//!
//! # fn routes() -> Router { Router::new().post("/import/{table}", begin) }
//! atlashub_sdk::plugin!(routes, jobs = work);
//! # let host = TestHost::new("import");
//! # host.call(&routes(), Request::post("/import/lists", ""));
//! # assert_eq!(host.run_jobs(&work()), 1);
//! # assert_eq!(host.jobs()[0].state, "done");
//! # assert_eq!(host.jobs()[0].progress, Some(50));
//! # Ok::<(), Error>(())
//! ```
//!
//! A job comes at least once: what was done under its
//! [`idempotency_key`](Job::idempotency_key) need not be done again. A
//! function that fails is called again later, unless its error says that there
//! is no use in it: a status from 400 to 499, but for 408, 409, 425 and 429.

use crate::{Caller, Config, Error, Payload, Result, StatusCode, events::IntoTaken, host};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt, time::Duration};

/// What differs from what the manifest says of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) run_at_ms: Option<u64>,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) priority: Option<i32>,
    pub(crate) unique_key: Option<String>,
    pub(crate) ordering_key: Option<String>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) timeout_ms: Option<u32>,
}

/// A job that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    name: String,
    payload: String,
    platform: bool,
    options: Options,
}

impl New {
    /// A job of the name that the manifest has; what it carries becomes JSON,
    /// of at most 64 KiB.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    #[expect(clippy::self_named_constructors, reason = "it reads `jobs::New::new`")]
    pub fn new<T: Serialize + ?Sized>(name: &str, payload: &T) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            payload: serde_json::to_string(payload)?,
            platform: false,
            options: Options::default(),
        })
    }

    /// One of the platform's jobs for this project: `backup`, `export` or
    /// `cleanup`. Needs the grant `jobs:platform`.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn platform<T: Serialize + ?Sized>(action: &str, payload: &T) -> Result<Self> {
        Ok(Self {
            platform: true,
            ..Self::new(action, payload)?
        })
    }

    /// Not before so much time has gone by.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.options.run_at_ms = None;
        self.options.delay_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Not before this time, milliseconds since 1970.
    #[must_use]
    pub fn at(mut self, milliseconds: u64) -> Self {
        self.options.delay_ms = None;
        self.options.run_at_ms = Some(milliseconds);
        self
    }

    /// Within the project, lower numbers go first: -100 to 100, 0 otherwise.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.options.priority = Some(priority);
        self
    }

    /// While a job of this name with this key has not ended, no other is
    /// added.
    #[must_use]
    pub fn unique(mut self, key: &str) -> Self {
        self.options.unique_key = Some(key.to_owned());
        self
    }

    /// Jobs with the same key, whatever their names, run one at a time, in
    /// the order in which they were added.
    #[must_use]
    pub fn ordered(mut self, key: &str) -> Self {
        self.options.ordering_key = Some(key.to_owned());
        self
    }

    /// Attempts after which it is given up.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = Some(attempts);
        self
    }

    /// How long an attempt may take: up to an hour.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Adds it. It is part of no transaction: add it after the commit.
    ///
    /// # Errors
    /// The host's: `not_granted`, `job_not_declared`, `invalid_job`,
    /// `job_too_large`, `queue_full`; of the platform's also
    /// `platform_job_unknown` and `platform_job_unavailable`.
    pub fn enqueue(&self) -> Result<Enqueued> {
        let (name, payload) = (&self.name, &self.payload);
        Ok(host::enqueue(name, payload, self.platform, &self.options)?)
    }
}

/// Adds a job as the manifest says; answers its id.
///
/// # Errors
/// As [`New::enqueue`].
pub fn enqueue<T: Serialize + ?Sized>(name: &str, payload: &T) -> Result<String> {
    New::new(name, payload)?.enqueue().map(|added| added.id)
}

/// What came of adding a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueued {
    /// The job's id: a new one's, or that of the job that has the unique key.
    pub id: String,
    /// Whether it was there before.
    pub existing: bool,
}

/// How a job stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub id: String,
    /// Its name in the manifest, or that of the platform's job.
    pub name: String,
    /// Whether the platform does it.
    pub platform: bool,
    /// `waiting` behind another of its ordering key, `ready`, `scheduled` for
    /// later or for another attempt, `held` until the plugin is there,
    /// `running`; then `done`, `dead` (given up) or `cancelled`. Others may
    /// come.
    pub state: String,
    /// JSON; empty once it is done.
    pub payload: String,
    /// The number of the last attempt, 0 before the first.
    pub attempt: u32,
    /// The attempt after which the host gives up.
    pub max_attempts: u32,
    /// Lower numbers go first.
    pub priority: i32,
    /// When it may run, milliseconds since 1970, as all times here.
    pub due_ms: u64,
    /// When it was added.
    pub created_ms: u64,
    /// When the last attempt began.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub finished_ms: Option<u64>,
    /// Percent, as the last attempt told.
    pub progress: Option<u8>,
    /// The same in words.
    pub progress_message: Option<String>,
    /// Why the last attempt failed.
    pub error_code: Option<String>,
    /// The same in words.
    pub error_message: Option<String>,
    /// The name of the schedule that it comes from.
    pub schedule: Option<String>,
    /// The time at which that was due.
    pub scheduled_ms: Option<u64>,
}

impl Status {
    /// Whether nothing follows, unless an admin wants it to.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "done" | "dead" | "cancelled")
    }
}

/// One of the plugin's own jobs, and of the platform's that it asked for.
/// Those that ended are known for a while only.
///
/// # Errors
/// The host's.
pub fn get(id: &str) -> Result<Option<Status>> {
    Ok(host::get_job(id)?)
}

/// Takes one of them back; false when it had ended or is not there. An attempt
/// that runs is stopped in a while, and what comes of it is not accepted.
///
/// # Errors
/// The host's.
pub fn cancel(id: &str) -> Result<bool> {
    Ok(host::cancel_job(id)?)
}

/// Says how far the job is that is being done: percent up to 100, and words.
///
/// # Errors
/// `job_lost` when it was cancelled or another worker has it now: stop.
/// `job_not_running` outside of a job's function.
pub fn progress(percent: u8, message: Option<&str>) -> Result<()> {
    Ok(host::job_progress(percent, message)?)
}

/// A job as the function gets it that is to do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name in the manifest.
    pub name: String,
    /// JSON; see [`Job::json`].
    pub payload: String,
    /// 1 at first.
    pub attempt: u32,
    /// The attempt after which the host gives up.
    pub max_attempts: u32,
    /// The schedule that it comes from.
    pub schedule: Option<String>,
    /// The time at which that was due, milliseconds since 1970, however late
    /// it is now.
    pub scheduled_ms: Option<u64>,
    /// The same for each attempt, and for each time of a schedule: what was
    /// done under this key need not be done again.
    pub idempotency_key: String,
}

impl Job {
    /// A job for a test, as its first attempt.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn new<T: Serialize + ?Sized>(name: &str, payload: &T) -> Result<Self> {
        let id = "0190a6a8-0000-7000-a000-000000000001";
        Ok(Self {
            id: id.to_owned(),
            name: name.to_owned(),
            payload: serde_json::to_string(payload)?,
            attempt: 1,
            max_attempts: 5,
            schedule: None,
            scheduled_ms: None,
            idempotency_key: id.to_owned(),
        })
    }

    /// What it carries.
    ///
    /// # Errors
    /// 422 `invalid_job` when that is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.payload).map_err(|error| {
            Error::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_job",
                format!("the payload of {}: {error}", self.name),
            )
        })
    }

    /// Whether the host gives up when this attempt fails.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.attempt >= self.max_attempts
    }
}

/// An argument of a function that does jobs.
pub trait FromJob: Sized {
    /// Takes it from the job.
    ///
    /// # Errors
    /// When it is not there; the function is not called then.
    fn from_job(job: &Job) -> Result<Self>;
}

impl FromJob for Job {
    fn from_job(job: &Job) -> Result<Self> {
        Ok(job.clone())
    }
}

impl<T: DeserializeOwned> FromJob for Payload<T> {
    fn from_job(job: &Job) -> Result<Self> {
        job.json().map(Self)
    }
}

impl FromJob for Caller {
    fn from_job(_job: &Job) -> Result<Self> {
        Ok(host::caller())
    }
}

impl<T: DeserializeOwned> FromJob for Config<T> {
    fn from_job(_job: &Job) -> Result<Self> {
        crate::config::load().map(Self)
    }
}

/// A function that does jobs: up to four arguments that implement [`FromJob`],
/// and `Result<()>` or nothing as its result.
pub trait JobFunction<Arguments>: 'static {
    /// Does a job.
    ///
    /// # Errors
    /// The function's, or an argument's.
    fn call(&self, job: &Job) -> Result<()>;
}

macro_rules! job_function {
    ($($argument:ident),*) => {
        impl<F, R, $($argument),*> JobFunction<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + 'static,
            R: IntoTaken,
            $($argument: FromJob,)*
        {
            #[allow(non_snake_case, unused_variables, reason = "arguments are named like their types")]
            fn call(&self, job: &Job) -> Result<()> {
                $(let $argument = $argument::from_job(job)?;)*
                self($($argument),*).into_taken()
            }
        }
    };
}

job_function!();
job_function!(A);
job_function!(A, B);
job_function!(A, B, C);
job_function!(A, B, C, D);

type BoxedFunction = Box<dyn Fn(&Job) -> Result<()>>;

/// Which function does which job.
#[derive(Default)]
pub struct Jobs(BTreeMap<String, BoxedFunction>);

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Jobs {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives jobs of this name to a function. The manifest has to list them,
    /// too.
    #[must_use]
    pub fn on<Arguments>(mut self, name: &str, function: impl JobFunction<Arguments>) -> Self {
        let function = Box::new(move |job: &Job| function.call(job));
        self.0.insert(name.to_owned(), function);
        self
    }

    /// Hands a job to the function that does it.
    ///
    /// # Errors
    /// The function's; 404 `job_unknown` when none does it.
    pub fn call(&self, job: &Job) -> Result<()> {
        match self.0.get(&job.name) {
            Some(function) => function(job),
            None => Err(Error::new(
                StatusCode::NOT_FOUND,
                "job_unknown",
                format!("nothing here does the job `{}`", job.name),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn a_job_reaches_the_function_of_its_name_with_what_it_asks_for() {
        let jobs = Jobs::new()
            .on("count", |job: Job, Payload(count): Payload<u32>| {
                match (job.name.as_str(), count) {
                    ("count", 3) => Ok(()),
                    other => Err(Error::internal(format_args!("{other:?}"))),
                }
            })
            .on("rest", || ());
        assert!(jobs.call(&Job::new("count", &3).unwrap()).is_ok());
        assert!(jobs.call(&Job::new("rest", &()).unwrap()).is_ok());
        let code = |job: Job| jobs.call(&job).unwrap_err().code().to_owned();
        assert_eq!(code(Job::new("count", "three").unwrap()), "invalid_job");
        assert_eq!(code(Job::new("other", &3).unwrap()), "job_unknown");
    }
}
