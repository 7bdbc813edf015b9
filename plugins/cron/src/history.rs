//! Runs that were, and their logs.

use crate::{
    STORE, access,
    record::{RUN_COLUMNS, Row, Run, ShownRun, Status},
};
use atlashub_sdk::prelude::*;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
    status: Option<Status>,
}

/// A page, the newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<ShownRun>,
    next_cursor: Option<String>,
}

pub(crate) fn list(
    Path(job): Path<String>,
    Query(wishes): Query<Wishes>,
    caller: Caller,
) -> Result<Json<Page>> {
    access::require_overseer(&caller)?;
    let job = Row::require(&job)?;
    let limit = wishes.limit.unwrap_or(50).clamp(1, 200);
    // Ids are in the order of time.
    let mut runs: Vec<Run> = sql::query(
        &format!(
            "SELECT {RUN_COLUMNS} FROM cron.runs WHERE job_id = $1 AND ($2 = '' OR id < $2) \
             AND ($3 = '' OR status = $3) ORDER BY id DESC LIMIT {}",
            limit + 1
        ),
        params![
            &job.id,
            wishes.cursor.unwrap_or_default(),
            wishes.status.map_or("", Status::as_str)
        ],
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = runs.len() > wanted;
    runs.truncate(wanted);
    Ok(Json(Page {
        next_cursor: runs.last().filter(|_| more).map(|run| run.id.clone()),
        items: runs.iter().map(Run::shown).collect(),
    }))
}

/// What was sent and what came, as text; empty where nothing has been.
pub(crate) fn log(Path(id): Path<String>, caller: Caller) -> Result<Response> {
    access::require_overseer(&caller)?;
    let run = Run::find(&id)?.ok_or_else(|| Error::not_found("the run"))?;
    let headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ];
    match (run.log_object_key, run.log_text) {
        (Some(key), _) => Ok((headers, STORE.serve(key, None)).into_response()),
        (None, text) => Ok((headers, text.unwrap_or_default()).into_response()),
    }
}
