//! `GET /transfer/jobs`, `GET`, `DELETE /transfer/jobs/{id}` and
//! `POST /transfer/jobs/{id}/cancel`.

use crate::{
    STORE, access,
    import::{Behind, Told},
    job::{COLUMNS, Job},
};
use atlashub_sdk::prelude::*;
use serde_json::value::RawValue;
use std::time::Duration;

/// Jobs of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
/// How long a link to a result is good for.
const LINK: Duration = Duration::from_secs(3_600);

/// A job, as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    kind: String,
    what: String,
    table: Option<String>,
    format: String,
    status: String,
    progress: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Shipped>,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    expires_at: Option<String>,
}

/// How far it is.
#[derive(Debug, Serialize)]
struct Progress {
    rows: u64,
    rows_total: Option<u64>,
    bytes: u64,
    bytes_total: Option<u64>,
    percent: Option<u64>,
}

/// Why it failed.
#[derive(Debug, Serialize)]
struct Failure {
    code: String,
    detail: String,
}

/// What became of an import.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Report {
    Rows {
        rows_failed: u64,
        /// The first of them.
        errors: Vec<RowError>,
        /// Tables that it made.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tables_made: Vec<String>,
        /// Counters that would give out numbers that rows have.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        counters_behind: Vec<Behind>,
        /// What became of an archive's users.
        #[serde(skip_serializing_if = "Option::is_none")]
        users: Option<Told>,
    },
    /// As it was written down.
    Files(Box<RawValue>),
}

/// What is kept of an import beside its rows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Made {
    tables_made: Vec<String>,
    counters_behind: Vec<Behind>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RowError {
    #[serde(rename(serialize = "table"))]
    table_name: String,
    #[serde(rename(serialize = "row"))]
    row_number: u64,
    #[serde(rename(serialize = "column"))]
    column_name: Option<String>,
    value: Option<String>,
    code: String,
    reason: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Shipped {
    name: String,
    content_type: String,
    size: u64,
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl Shown {
    /// The job without what costs a statement or a signature.
    pub(crate) fn brief(job: &Job) -> Self {
        Self {
            id: job.id.clone(),
            kind: job.kind.clone(),
            what: job.what.clone(),
            table: job.subject.clone(),
            format: job.format.clone(),
            status: if job.is_taken_back() {
                "running".to_owned()
            } else {
                job.status.clone()
            },
            progress: Progress {
                rows: job.rows_done,
                rows_total: job.rows_total,
                bytes: job.bytes_done,
                bytes_total: job.bytes_total,
                percent: job.percent(),
            },
            error: job.error_code.clone().map(|code| Failure {
                code,
                detail: job.error_detail.clone().unwrap_or_default(),
            }),
            report: None,
            result: job.result_key.as_ref().map(|_| Shipped {
                name: job.result_name.clone().unwrap_or_default(),
                content_type: job.result_type.clone().unwrap_or_default(),
                size: job.result_size.unwrap_or_default(),
                sha256: job.result_sha256.clone(),
                url: None,
            }),
            created_at: moment::rfc3339(job.created_at),
            started_at: job.started_at.map(moment::rfc3339),
            finished_at: job
                .finished_at
                .filter(|_| !job.is_taken_back())
                .map(moment::rfc3339),
            expires_at: job.expires_at.map(moment::rfc3339),
        }
    }

    /// The job with all that there is to see.
    fn whole(job: &Job) -> Result<Self> {
        let mut shown = Self::brief(job);
        if let (Some(key), Some(result)) = (&job.result_key, &mut shown.result) {
            let disposition = format!("attachment; filename=\"{}\"", plain(&result.name));
            let kind = Some(result.content_type.as_str());
            result.url = Some(STORE.sign_read(key, kind, Some(&disposition), LINK)?);
        }
        if job.kind == "import" && job.what != "files" {
            let made: Made = match &job.outcome {
                Some(outcome) => serde_json::from_str(outcome)?,
                None => Made::default(),
            };
            shown.report = Some(Report::Rows {
                rows_failed: job.rows_failed,
                errors: sql::query(
                    "SELECT table_name, row_number, column_name, value, code, reason FROM transfer.row_errors \
                     WHERE job_id = $1 ORDER BY n",
                    params![&job.id],
                )?,
                tables_made: made.tables_made,
                counters_behind: made.counters_behind,
                users: Told::of(&job.id)?,
            });
        } else if let Some(outcome) = &job.outcome {
            shown.report = Some(Report::Files(RawValue::from_string(outcome.clone())?));
        }
        Ok(shown)
    }
}

/// A name that needs no encoding in a header field.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._- ".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    /// The last id of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Shown>,
    next_cursor: Option<String>,
}

pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    access::require_to_look(&caller)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    // Ids begin with the time.
    let mut jobs: Vec<Job> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM transfer.jobs WHERE ($1 = '' OR id < $1) \
             ORDER BY id DESC LIMIT {}",
            limit + 1
        ),
        params![wishes.cursor.unwrap_or_default()],
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = jobs.len() > wanted;
    jobs.truncate(wanted);
    Ok(Json(Page {
        next_cursor: jobs.last().filter(|_| more).map(|job| job.id.clone()),
        items: jobs.iter().map(Shown::brief).collect(),
    }))
}

pub(crate) fn get(Path(id): Path<String>, caller: Caller) -> Result<Json<Shown>> {
    access::require_to_look(&caller)?;
    Shown::whole(&Job::find(&id)?.settled()?).map(Json)
}

pub(crate) fn cancel(Path(id): Path<String>, caller: Caller) -> Result<Json<Shown>> {
    access::require(&caller)?;
    let job = Job::find(&id)?;
    if job.cancel()? {
        note("transfer.cancel", &id);
    } else if job.status != "cancelled" {
        return Err(Error::conflict("job_ended", "the job has ended already"));
    }
    Shown::whole(&Job::find(&id)?).map(Json)
}

pub(crate) fn delete(Path(id): Path<String>, caller: Caller) -> Result<StatusCode> {
    access::require(&caller)?;
    let job = Job::find(&id)?;
    job.cancel()?;
    // Files that are still being taken back are known by it.
    match Job::find(&id)? {
        job if job.is_folder() && job.is_taken_back() => job.expire()?,
        job => job.delete()?,
    }
    note("transfer.delete", &id);
    Ok(StatusCode::NO_CONTENT)
}

/// Notes in the audit what was done. It has been done: a failure is for the
/// log.
pub(crate) fn note(action: &str, target: &str) {
    let nothing_more = std::collections::BTreeMap::<&str, &str>::new();
    if let Err(error) = audit::append(action, Some(target), &nothing_more) {
        log::warn!("{action} of {target} is not in the audit: {error}");
    }
}
