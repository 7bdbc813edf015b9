//! Jobs and runs as they are kept and shown.

use crate::sealed::{self, MARK, Secrets};
use atlashub_sdk::{prelude::*, schedules::CatchUp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a job calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Http,
    Platform,
    Plugin,
}

impl Kind {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Platform => "platform",
            Self::Plugin => "plugin",
        }
    }
}

/// What a job calls, and with what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Target {
    /// An address.
    Http {
        url: String,
        method: String,
        /// Without a value where it is sealed.
        headers: BTreeMap<String, Option<String>>,
        body: Option<Value>,
    },
    /// What the platform does for the project.
    Platform { action: String, payload: Value },
    /// A route of a plugin.
    Plugin {
        name: String,
        method: String,
        path: String,
        body: Option<Value>,
    },
}

/// Of what somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Notice {
    /// A run failed, and the one before had not.
    Failure,
    /// A run succeeded after one that failed.
    Recovery,
    /// A time went by without a run.
    Missed,
}

impl Notice {
    pub(crate) const ALL: [Self; 3] = [Self::Failure, Self::Recovery, Self::Missed];

    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Missed => "missed",
        }
    }

    /// What users choose by.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Failure => "job_failed",
            Self::Recovery => "job_recovered",
            Self::Missed => "job_missed",
        }
    }
}

/// Who is told of what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Notify {
    pub(crate) on: Vec<Notice>,
    pub(crate) user_ids: Vec<String>,
    /// Whether a webhook is sealed.
    pub(crate) webhook: bool,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            on: Notice::ALL.to_vec(),
            user_ids: Vec::new(),
            webhook: false,
        }
    }
}

/// The columns of a [`Row`].
pub(crate) const COLUMNS: &str = "id, name, kind, schedule, timezone, target, secrets, timeout_ms, \
     retries, retry_backoff_ms, catch_up, overlap, enabled, notify, missed_seen, \
     last_status, last_run_at, revision, created_at, updated_at";

/// A row of `cron.jobs`.
#[derive(Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) schedule: String,
    pub(crate) timezone: String,
    target: String,
    pub(crate) secrets: Option<String>,
    pub(crate) timeout_ms: i64,
    pub(crate) retries: i64,
    pub(crate) retry_backoff_ms: i64,
    pub(crate) catch_up: CatchUp,
    overlap: i64,
    enabled: i64,
    notify: String,
    pub(crate) missed_seen: i64,
    last_status: Option<Status>,
    last_run_at: Option<i64>,
    pub(crate) revision: i64,
    created_at: i64,
    updated_at: i64,
}

/// A job, as it is shown: without what is sealed.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    schedule: String,
    timezone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<Value>,
    timeout_ms: i64,
    retries: i64,
    retry_backoff_ms: i64,
    catch_up: CatchUp,
    overlap: bool,
    enabled: bool,
    notify: Value,
    /// Whether an admin has put its schedule on hold.
    on_hold: bool,
    /// None while it is off or on hold.
    next_run_at: Option<String>,
    last_status: Option<Status>,
    last_run_at: Option<String>,
    created_at: String,
    updated_at: String,
    /// What `If-Match` takes: another with each change.
    etag: String,
}

impl Row {
    /// The job of that id, if there is one.
    pub(crate) fn find(id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {COLUMNS} FROM cron.jobs WHERE id = $1");
        sql::query_optional(&sql, params![id])
    }

    /// The job of that id.
    pub(crate) fn require(id: &str) -> Result<Self> {
        Self::find(id)?.ok_or_else(|| Error::not_found("the job"))
    }

    /// The entity tag of the job as it was set.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }

    pub(crate) fn target(&self) -> Result<Target> {
        Ok(serde_json::from_str(&self.target)?)
    }

    pub(crate) fn notify(&self) -> Result<Notify> {
        Ok(serde_json::from_str(&self.notify)?)
    }

    pub(crate) const fn overlap(&self) -> bool {
        self.overlap == 1
    }

    pub(crate) const fn enabled(&self) -> bool {
        self.enabled == 1
    }

    /// What is sealed of it; under the host's present key from now on.
    pub(crate) fn secrets(&self) -> Result<Secrets> {
        let secrets = Secrets::open(&self.id, self.secrets.as_deref())?;
        let newer = self.secrets.as_deref();
        let newer = newer.map(|sealed| sealed::renew(&self.id, sealed));
        if let Some(Ok(Some(newer))) = newer {
            sql::execute(
                "UPDATE cron.jobs SET secrets = $1 WHERE id = $2 AND revision = $3",
                params![newer, &self.id, self.revision],
            )?;
        }
        Ok(secrets)
    }

    /// As it is shown, with its next time.
    pub(crate) fn shown(&self) -> Result<Shown> {
        let schedule = schedules::get(&schedule_of(&self.id))?;
        let on_hold = schedule.as_ref().is_some_and(|schedule| schedule.paused);
        let next = schedule.and_then(|schedule| schedule.next_ms);
        let next = next.and_then(|at| i64::try_from(at).ok());
        let (mut http, mut action, mut payload, mut plugin) = (None, None, None, None);
        match self.target()? {
            Target::Http {
                url,
                method,
                headers,
                body,
            } => {
                let marked = |(name, value): (String, Option<String>)| {
                    (name, value.unwrap_or_else(|| MARK.to_owned()))
                };
                let headers: BTreeMap<_, _> = headers.into_iter().map(marked).collect();
                http =
                    Some(json!({ "url": url, "method": method, "headers": headers, "body": body }));
            }
            Target::Platform {
                action: own,
                payload: given,
            } => {
                action = Some(own);
                payload = Some(given);
            }
            Target::Plugin {
                name,
                method,
                path,
                body,
            } => {
                plugin =
                    Some(json!({ "name": name, "method": method, "path": path, "body": body }));
            }
        }
        let notify = self.notify()?;
        Ok(Shown {
            id: self.id.clone(),
            name: self.name.clone(),
            kind: self.kind,
            schedule: self.schedule.clone(),
            timezone: self.timezone.clone(),
            http,
            action,
            payload,
            plugin,
            timeout_ms: self.timeout_ms,
            retries: self.retries,
            retry_backoff_ms: self.retry_backoff_ms,
            catch_up: self.catch_up,
            overlap: self.overlap(),
            enabled: self.enabled(),
            notify: json!({
                "on": notify.on,
                "user_ids": notify.user_ids,
                "webhook_url": notify.webhook.then_some(MARK),
            }),
            on_hold,
            next_run_at: next.map(moment::rfc3339),
            last_status: self.last_status,
            last_run_at: self.last_run_at.map(moment::rfc3339),
            created_at: moment::rfc3339(self.created_at),
            updated_at: moment::rfc3339(self.updated_at),
            etag: self.etag(),
        })
    }
}

/// The name of a job's schedule.
pub(crate) fn schedule_of(job: &str) -> String {
    format!("{SCHEDULES}{job}")
}

/// What the names of jobs' schedules begin with.
pub(crate) const SCHEDULES: &str = "job/";

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Running,
    Success,
    Fail,
    Timeout,
    Missed,
}

impl Status {
    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Fail => "fail",
            Self::Timeout => "timeout",
            Self::Missed => "missed",
        }
    }
}

/// The columns of a [`Run`].
pub(crate) const RUN_COLUMNS: &str = "id, job_id, scheduled_at, started_at, finished_at, status, \
     attempt, http_status, duration_ms, error_text, log_text, log_object_key, step, tries, item, \
     platform_item, notice";

/// A row of `cron.runs`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) job_id: String,
    pub(crate) scheduled_at: i64,
    pub(crate) started_at: Option<i64>,
    finished_at: Option<i64>,
    pub(crate) status: Status,
    pub(crate) attempt: i64,
    http_status: Option<i64>,
    duration_ms: Option<i64>,
    pub(crate) error_text: Option<String>,
    pub(crate) log_text: Option<String>,
    pub(crate) log_object_key: Option<String>,
    pub(crate) step: i64,
    pub(crate) tries: i64,
    pub(crate) item: String,
    pub(crate) platform_item: Option<String>,
    pub(crate) notice: Option<Notice>,
}

/// A run, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct ShownRun {
    id: String,
    job_id: String,
    scheduled_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    status: Status,
    http_status: Option<i64>,
    duration_ms: Option<i64>,
    error_text: Option<String>,
    log_object_key: Option<String>,
    attempt: i64,
}

impl Run {
    /// The run of that id, if there is one.
    pub(crate) fn find(id: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT {RUN_COLUMNS} FROM cron.runs WHERE id = $1");
        sql::query_optional(&sql, params![id])
    }

    pub(crate) fn shown(&self) -> ShownRun {
        ShownRun {
            id: self.id.clone(),
            job_id: self.job_id.clone(),
            scheduled_at: moment::rfc3339(self.scheduled_at),
            started_at: self.started_at.map(moment::rfc3339),
            finished_at: self.finished_at.map(moment::rfc3339),
            status: self.status,
            http_status: self.http_status,
            duration_ms: self.duration_ms,
            error_text: self.error_text.clone(),
            log_object_key: self.log_object_key.clone(),
            attempt: self.attempt,
        }
    }
}
