//! What a manifest says of jobs: those that a plugin does, and the schedules
//! by which they come.

use crate::{
    Error, Grant, GrantSet, Result,
    capability::jobs::{JobTarget, MAX_PAYLOAD_BYTES},
    schedule::{CatchUp, Timetable},
    subscription::is_name,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most jobs, and most schedules, in a manifest.
pub const MAX_DECLARED: usize = 64;
/// Attempts, unless a job says otherwise.
pub const DEFAULT_ATTEMPTS: u32 = 5;
/// Most attempts.
pub const MAX_ATTEMPTS: u32 = 50;
/// How long an attempt may take, unless a job says otherwise, milliseconds.
pub const DEFAULT_TIMEOUT_MS: u32 = 60_000;
/// The shortest and the longest that may be asked for.
pub const TIMEOUTS_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;
/// The wait after the first attempt, unless a job says otherwise.
pub const DEFAULT_BACKOFF_MS: u32 = 1_000;
/// The shortest and the longest that may be asked for.
const BACKOFFS_MS: std::ops::RangeInclusive<u32> = 10..=3_600_000;

/// Writing a project out, as a plugin provides it.
pub const EXPORT: &str = "export";
/// Taking in what was written out.
pub const IMPORT: &str = "import";

/// A job that a plugin does.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct JobDeclaration {
    /// Its name within the plugin.
    pub name: String,
    /// What it does, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Attempts after which it is given up.
    #[serde(default = "default_attempts")]
    pub max_attempts: u32,
    /// How long an attempt may take, milliseconds.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u32,
    /// The wait after the first attempt, milliseconds; it doubles with each,
    /// up to an hour.
    #[serde(default = "default_backoff")]
    pub backoff_ms: u32,
    /// What the platform is asked for and this job does, with what that
    /// carries: `export` or `import`, which the host does not do itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provides: Option<String>,
}

/// A schedule that is there as long as the plugin is on.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ScheduleDeclaration {
    /// Its name within the plugin.
    pub name: String,
    /// The job, `<job>` or `platform:<action>`.
    pub job: String,
    /// Five fields, or six with the second before them.
    pub expression: String,
    /// As the IANA names it.
    #[serde(default = "default_zone")]
    pub zone: String,
    /// What becomes of times that went by while no server was there.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Whether a run may begin while the one before has not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlap: bool,
    /// What each run carries.
    #[serde(default)]
    pub payload: serde_json::Value,
}

fn default_attempts() -> u32 {
    DEFAULT_ATTEMPTS
}

fn default_timeout() -> u32 {
    DEFAULT_TIMEOUT_MS
}

fn default_backoff() -> u32 {
    DEFAULT_BACKOFF_MS
}

fn default_zone() -> String {
    "UTC".to_owned()
}

impl JobDeclaration {
    /// Checks the jobs that a manifest declares, which asks for `grants`.
    ///
    /// # Errors
    /// `invalid_manifest` that names the job.
    pub(crate) fn check_all(declared: &mut [Self], grants: &GrantSet) -> Result<()> {
        if declared.len() > MAX_DECLARED {
            return Err(invalid(format!("a plugin has at most {MAX_DECLARED} jobs")));
        }
        if !declared.is_empty() && !grants.contains(&Grant::Jobs) {
            return Err(invalid("jobs need the grant `jobs`".to_owned()));
        }
        let mut names = BTreeSet::new();
        for job in declared.iter_mut() {
            check_name("job", &job.name)?;
            if !names.insert(job.name.clone()) {
                return Err(invalid(format!("the job `{}` is there twice", job.name)));
            }
            if let Some(provided) = &job.provides
                && ![EXPORT, IMPORT].contains(&provided.as_str())
            {
                return Err(invalid(format!(
                    "the job `{}` cannot provide `{provided}`: plugins provide `{EXPORT}` and \
                     `{IMPORT}`",
                    job.name
                )));
            }
            job.max_attempts = job.max_attempts.clamp(1, MAX_ATTEMPTS);
            job.timeout_ms = job
                .timeout_ms
                .clamp(*TIMEOUTS_MS.start(), *TIMEOUTS_MS.end());
            job.backoff_ms = job
                .backoff_ms
                .clamp(*BACKOFFS_MS.start(), *BACKOFFS_MS.end());
        }
        Ok(())
    }
}

impl ScheduleDeclaration {
    /// Checks the schedules of a manifest, which declares `jobs` and asks for
    /// `grants`.
    ///
    /// # Errors
    /// `invalid_manifest` that names the schedule.
    pub(crate) fn check_all(
        declared: &[Self],
        jobs: &[JobDeclaration],
        grants: &GrantSet,
    ) -> Result<()> {
        if declared.len() > MAX_DECLARED {
            return Err(invalid(format!(
                "a manifest has at most {MAX_DECLARED} schedules"
            )));
        }
        let mut names = BTreeSet::new();
        for schedule in declared {
            let name = &schedule.name;
            check_name("schedule", name)?;
            if !names.insert(name) {
                return Err(invalid(format!("the schedule `{name}` is there twice")));
            }
            let wrong =
                |error: Error| invalid(format!("the schedule `{name}`: {}", error.message()));
            Timetable::new(&schedule.expression, &schedule.zone).map_err(wrong)?;
            match schedule.job.parse().map_err(wrong)? {
                JobTarget::Own(job) if !jobs.iter().any(|declared| declared.name == job) => {
                    return Err(invalid(format!(
                        "the schedule `{name}` needs the job `{job}` in `[[jobs]]`"
                    )));
                }
                JobTarget::Own(_) => {}
                JobTarget::Platform(_) if !grants.contains(&Grant::PlatformJobs) => {
                    return Err(invalid(format!(
                        "the schedule `{name}` needs the grant `{}`",
                        Grant::PlatformJobs
                    )));
                }
                JobTarget::Platform(_) => {}
            }
            if schedule.payload.to_string().len() > MAX_PAYLOAD_BYTES {
                return Err(invalid(format!(
                    "the payload of the schedule `{name}` has more than {MAX_PAYLOAD_BYTES} bytes"
                )));
            }
        }
        if !declared.is_empty() && !grants.contains(&Grant::Jobs) {
            return Err(invalid("schedules need the grant `jobs`".to_owned()));
        }
        Ok(())
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(invalid(format!(
        "the {what} `{name}` needs a name of lower-case letters, digits, `_` and `-` that starts \
         with a letter"
    )))
}

fn invalid(message: String) -> Error {
    Error::invalid("invalid_manifest", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use crate::Manifest;

    fn read(rest: &str) -> crate::Result<Manifest> {
        Manifest::from_toml(&format!("name = \"notes\"\nversion = \"1.0.0\"\n{rest}"))
    }

    #[test]
    fn jobs_and_schedules_are_read() {
        let manifest = read(
            "grants = [\"jobs\", \"jobs:platform\"]\n\
             [[jobs]]\nname = \"remind\"\n\
             [[jobs]]\nname = \"export\"\nmax_attempts = 900\ntimeout_ms = 1\nbackoff_ms = 50\n\
             [[schedules]]\nname = \"nightly\"\njob = \"remind\"\nexpression = \"0 3 * * *\"\n\
             zone = \"Africa/Nairobi\"\ncatch_up = \"all\"\npayload = { a = 1 }\n\
             [[schedules]]\nname = \"tidy\"\njob = \"platform:cleanup\"\nexpression = \"0 4 * * *\"\n",
        )
        .unwrap();
        let remind = manifest.job("remind").unwrap();
        assert_eq!((remind.max_attempts, remind.timeout_ms), (5, 60_000));
        let export = manifest.job("export").unwrap();
        assert_eq!((export.max_attempts, export.timeout_ms), (50, 100));
        assert!(manifest.job("tidy").is_none());
        assert_eq!(manifest.schedules.len(), 2);
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn doubtful_jobs_are_refused() {
        let granted = "grants = [\"jobs\"]\n";
        let schedule = |rest: &str| {
            format!("{granted}[[jobs]]\nname = \"a\"\n[[schedules]]\nname = \"s\"\n{rest}")
        };
        for (rest, named) in [
            ("[[jobs]]\nname = \"a\"\n".to_owned(), "`jobs`"),
            (format!("{granted}[[jobs]]\nname = \"A\"\n"), "`A`"),
            (
                format!("{granted}[[jobs]]\nname = \"a\"\n[[jobs]]\nname = \"a\"\n"),
                "twice",
            ),
            (
                format!("{granted}[[jobs]]\nname = \"a\"\nprovides = \"backup\"\n"),
                "`backup`",
            ),
            (
                format!("{granted}[[jobs]]\nname = \"a\"\nprovides = \"reboot\"\n"),
                "`reboot`",
            ),
            (schedule("job = \"b\"\nexpression = \"* * * * *\"\n"), "`b`"),
            (schedule("job = \"a\"\nexpression = \"* * * *\"\n"), "`s`"),
            (
                schedule("job = \"a\"\nexpression = \"* * * * *\"\nzone = \"Mars\"\n"),
                "`Mars`",
            ),
            (
                schedule("job = \"platform:cleanup\"\nexpression = \"* * * * *\"\n"),
                "`jobs:platform`",
            ),
            (
                schedule("job = \"platform:reboot\"\nexpression = \"* * * * *\"\n"),
                "`reboot`",
            ),
        ] {
            let error = read(&rest).unwrap_err();
            assert_eq!(error.code(), "invalid_manifest", "{rest}");
            assert!(error.message().contains(named), "{}", error.message());
        }
    }
}
