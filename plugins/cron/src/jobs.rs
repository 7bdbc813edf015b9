//! Jobs: listed, made, changed, deleted.

use crate::{
    STORE, access,
    definition::{Definition, Typed},
    missed,
    record::{COLUMNS, Row, Shown, schedule_of},
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Runs that are forgotten in one step.
const STEP: u32 = 200;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A page.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Shown>,
    next_cursor: Option<String>,
}

pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    access::require_overseer(&caller)?;
    let limit = wishes.limit.unwrap_or(50).clamp(1, 100);
    // Ids are in the order of time.
    let mut rows: Vec<Row> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM cron.jobs WHERE id > $1 ORDER BY id LIMIT {}",
            limit + 1
        ),
        params![wishes.cursor.unwrap_or_default()],
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    Ok(Json(Page {
        next_cursor: rows.last().filter(|_| more).map(|row| row.id.clone()),
        items: rows.iter().map(Row::shown).collect::<Result<_>>()?,
    }))
}

pub(crate) fn get(Path(id): Path<String>, caller: Caller) -> Result<Json<Shown>> {
    access::require_overseer(&caller)?;
    Row::require(&id)?.shown().map(Json)
}

pub(crate) fn create(
    mut request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    access::require_manager()?;
    let key = idempotency::begin(&request, caller.require_id()?)?;
    let bytes = request.take_body().bytes(Body::DEFAULT_LIMIT)?;
    let mut again = Request::post("/cron/jobs", bytes.clone());
    // Its secrets are not kept with the answer.
    let fingerprint = STANDARD.encode(Sha256::digest(&bytes));
    if let Some(answer) = key.answer(&fingerprint)? {
        return Ok(answer);
    }
    let Json(typed) = Json::<Typed>::from_request(&mut again)?;
    if let Some(kind) = typed.kind {
        access::require_for(kind, &caller)?;
    }
    let definition = typed.create(&settings)?;
    let id = Uuid::now_v7().to_string();
    insert(&id, &definition)?;
    if let Err(error) = definition.arm(&id) {
        sql::execute("DELETE FROM cron.jobs WHERE id = $1", params![&id])?;
        return Err(error);
    }
    note("job.create", &id, &definition);
    let shown = Row::require(&id)?.shown()?;
    let response = (StatusCode::CREATED, Json(shown)).into_response();
    key.keep(
        &fingerprint,
        response.with_header("location", format!("/cron/jobs/{id}")),
    )
}

pub(crate) fn update(
    Path(id): Path<String>,
    caller: Caller,
    expected: Precondition,
    Config(settings): Config<Settings>,
    Json(typed): Json<Typed>,
) -> Result<Json<Shown>> {
    access::require_manager()?;
    let row = Row::require(&id)?;
    access::require_for(row.kind, &caller)?;
    expected.check(Some(&row.etag()))?;
    let definition = typed.change(&row, &settings)?;
    schedules::explain(&definition.schedule, &definition.timezone, None, 1)?;
    // Other times begin to be counted anew.
    missed::look(&row)?;
    let changed = sql::execute(
        "UPDATE cron.jobs SET name = $1, schedule = $2, timezone = $3, target = $4, secrets = $5, \
         timeout_ms = $6, retries = $7, retry_backoff_ms = $8, catch_up = $9, overlap = $10, \
         enabled = $11, notify = $12, updated_at = $13, revision = revision + 1 \
         WHERE id = $14 AND revision = $15",
        params![
            &definition.name,
            &definition.schedule,
            &definition.timezone,
            serde_json::to_string(&definition.target)?,
            definition.secrets.seal(&id)?,
            definition.timeout_ms,
            definition.retries,
            definition.retry_backoff_ms,
            definition.catch_up.as_str(),
            i64::from(definition.overlap),
            i64::from(definition.enabled),
            serde_json::to_string(&definition.notify)?,
            moment::now_ms(),
            &id,
            row.revision
        ],
    )?;
    if changed == 0 {
        return Err(Error::conflict(
            "job_changed",
            "the job was changed meanwhile: look at it, and try again",
        ));
    }
    definition.arm(&id)?;
    note("job.change", &id, &definition);
    Row::require(&id)?.shown().map(Json)
}

pub(crate) fn delete(Path(id): Path<String>, caller: Caller) -> Result<StatusCode> {
    access::require_manager()?;
    let row = Row::require(&id)?;
    access::require_for(row.kind, &caller)?;
    schedules::remove(&schedule_of(&id))?;
    sql::execute("DELETE FROM cron.jobs WHERE id = $1", params![&id])?;
    let open: Vec<String> = sql::query(
        "SELECT item FROM cron.runs WHERE job_id = $1 AND status = 'running'",
        params![&id],
    )?;
    for item in open {
        jobs::cancel(&item)?;
    }
    while forget("job_id = $1", params![&id])? > 0 {}
    noted("job.delete", &id, &json!({ "name": row.name }));
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets some of the runs of a condition, with their logs; how many.
pub(crate) fn forget(condition: &str, parameters: Vec<sql::Value>) -> Result<usize> {
    let some: Vec<(String, Option<String>)> = sql::query(
        &format!(
            "SELECT id, log_object_key FROM cron.runs WHERE {condition} ORDER BY id LIMIT {STEP}"
        ),
        parameters,
    )?;
    if some.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = some.iter().map(|(id, _)| id.as_str()).collect();
    sql::execute(
        &format!("DELETE FROM cron.runs WHERE id IN ({})", sql::texts_in(1)),
        params![sql::Value::json(&ids)?],
    )?;
    for key in some.iter().filter_map(|(_, key)| key.as_deref()) {
        STORE.delete(key)?;
    }
    Ok(some.len())
}

fn insert(id: &str, definition: &Definition) -> Result<()> {
    schedules::explain(&definition.schedule, &definition.timezone, None, 1)?;
    sql::execute(
        "INSERT INTO cron.jobs (id, name, kind, schedule, timezone, target, secrets, timeout_ms, \
         retries, retry_backoff_ms, catch_up, overlap, enabled, notify, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)",
        params![
            id,
            &definition.name,
            definition.kind.as_str(),
            &definition.schedule,
            &definition.timezone,
            serde_json::to_string(&definition.target)?,
            definition.secrets.seal(id)?,
            definition.timeout_ms,
            definition.retries,
            definition.retry_backoff_ms,
            definition.catch_up.as_str(),
            i64::from(definition.overlap),
            i64::from(definition.enabled),
            serde_json::to_string(&definition.notify)?,
            moment::now_ms()
        ],
    )?;
    Ok(())
}

impl Definition {
    /// Has the host know when it is due.
    fn arm(&self, id: &str) -> Result<()> {
        let put = schedules::Definition::new("due", &self.schedule)
            .zone(&self.timezone)
            .catch_up(self.catch_up)
            .overlap(self.overlap)
            .payload(&json!({ "job_id": id }))?
            .enabled(self.enabled)
            .put(&schedule_of(id))?;
        sql::execute(
            "UPDATE cron.jobs SET missed_seen = $1 WHERE id = $2",
            params![i64::try_from(put.missed).unwrap_or(i64::MAX), id],
        )?;
        Ok(())
    }
}

fn note(action: &str, id: &str, definition: &Definition) {
    let details = json!({
        "name": definition.name, "type": definition.kind, "schedule": definition.schedule,
        "timezone": definition.timezone, "enabled": definition.enabled,
    });
    noted(action, id, &details);
}

/// Adds to the audit what was done already: a failure is for the log.
pub(crate) fn noted(action: &str, id: &str, details: &Value) {
    if let Err(error) = audit::append(action, Some(id), details) {
        log::warn!("{action} of {id} is not in the audit: {error}");
    }
}
