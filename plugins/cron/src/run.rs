//! Runs: begun when a job is due or somebody wants it now, gone on with by
//! later items of the queue, and ended once.
//!
//! A due time is a row, whoever delivers it and how often. Each item of the
//! queue that works on a run is a step; an item of an earlier step finds that
//! it is late, and does nothing.

use crate::{
    access,
    finish::{self, Ending},
    jobs::noted,
    missed,
    perform::{self, Outcome},
    record::{RUN_COLUMNS, Row, Run, ShownRun, Status},
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// How often the item of a step is begun before the run is given up: it
/// trapped, ran out of time, or the server stopped.
const TRIES: i64 = 3;
/// Longest wait between attempts, milliseconds.
const LONGEST_WAIT: i64 = 3_600_000;

/// Whose schedule.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    job_id: String,
}

/// A time has come.
pub(crate) fn due(
    item: Job,
    Payload(due): Payload<Due>,
    Config(settings): Config<Settings>,
) -> Result<()> {
    let Some(row) = Row::find(&due.job_id)? else {
        return Ok(());
    };
    missed::look(&row)?;
    let now = moment::now_ms();
    let at = item.scheduled_ms.and_then(|at| i64::try_from(at).ok());
    let at = at.unwrap_or(now);
    if let Some(run) = find_at(&row.id, at)? {
        return again(&row, run, &item, &settings);
    }
    if begin(&row, at, &item.id)? == Begun::Busy {
        // An attempt is still to come, which the queue does not know to be one.
        let waits = row.catch_up == schedules::CatchUp::All && !item.is_last_attempt();
        if waits {
            return Err(Error::conflict(
                "job_running",
                "the run before has not ended",
            ));
        }
        return missed::add(&row, at, "the run before had not ended");
    }
    match find_at(&row.id, at)? {
        Some(run) => again(&row, run, &item, &settings),
        None => Ok(()),
    }
}

/// Works on a run, if it is this item's.
fn again(row: &Row, run: Run, item: &Job, settings: &Settings) -> Result<()> {
    if run.status != Status::Running || run.item != item.id {
        return finish::tell(&run);
    }
    step(row, &run.id, run.step, run.attempt, item, settings)
}

/// What an item goes on with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Next {
    run_id: String,
    step: i64,
    attempt: i64,
}

/// The next step of a run.
pub(crate) fn go_on(
    item: Job,
    Payload(next): Payload<Next>,
    Config(settings): Config<Settings>,
) -> Result<()> {
    let Some(run) = Run::find(&next.run_id)? else {
        return Ok(());
    };
    if run.status != Status::Running {
        return finish::tell(&run);
    }
    let Some(row) = Row::find(&run.job_id)? else {
        return Ok(());
    };
    step(&row, &run.id, next.step, next.attempt, &item, &settings)
}

fn step(
    row: &Row,
    run: &str,
    step: i64,
    attempt: i64,
    item: &Job,
    settings: &Settings,
) -> Result<()> {
    let now = moment::now_ms();
    let claimed = sql::execute(
        "UPDATE cron.runs SET tries = CASE WHEN step = $2 THEN tries + 1 ELSE 1 END, \
         platform_item = CASE WHEN attempt = $3 THEN platform_item END, \
         step = $2, attempt = $3, item = $4, touched_at = $5, \
         started_at = CASE WHEN started_at IS NULL THEN $5 ELSE started_at END \
         WHERE id = $1 AND status = 'running' AND (step < $2 OR (step = $2 AND item = $4))",
        params![run, step, attempt, &item.id, now],
    )?;
    let Some(run) = Run::find(run)?.filter(|_| claimed == 1) else {
        return Ok(());
    };
    if run.tries > TRIES {
        let ending = Ending::failed("it broke off, and was given up");
        return finish::finish(row, &run, ending);
    }
    match perform::perform(row, &run, settings)? {
        Outcome::Ended(ending) if ending.is_again() && run.attempt <= row.retries => {
            retry(row, &run, &ending)
        }
        Outcome::Ended(ending) => finish::finish(row, &run, ending),
        Outcome::Waits(wait) => {
            next(&run, run.attempt, wait)?;
            Ok(())
        }
    }
}

/// Has another attempt made, later.
fn retry(row: &Row, run: &Run, ending: &Ending) -> Result<()> {
    let doublings = u32::try_from(run.attempt.saturating_sub(1)).unwrap_or(0);
    let wait = row
        .retry_backoff_ms
        .saturating_mul(2_i64.saturating_pow(doublings.min(20)))
        .min(LONGEST_WAIT);
    let line = format!(
        "{} attempt {}: {}\n",
        moment::rfc3339(moment::now_ms()),
        run.attempt,
        ending.text()
    );
    let log = format!("{}{line}", run.log_text.as_deref().unwrap_or_default());
    let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
    sql::execute(
        "UPDATE cron.runs SET log_text = $1, error_text = $2, http_status = $3 \
         WHERE id = $4 AND step = $5 AND item = $6",
        params![
            log,
            ending.text(),
            ending.http_status(),
            &run.id,
            run.step,
            &run.item
        ],
    )?;
    next(run, run.attempt + 1, wait)
}

/// Puts the next step of a run into the queue.
fn next(run: &Run, attempt: i64, wait: Duration) -> Result<()> {
    let step = run.step + 1;
    let payload = Next {
        run_id: run.id.clone(),
        step,
        attempt,
    };
    let added = jobs::New::new("run", &payload)?
        .unique(&format!("{}/{step}", run.id))
        .after(wait)
        .enqueue()?;
    // For `watch`, which asks the queue how the item is.
    sql::execute(
        "UPDATE cron.runs SET item = $1, step = $2, tries = 0, touched_at = $3 \
         WHERE id = $4 AND step = $5 AND item = $6",
        params![
            added.id,
            step,
            moment::now_ms(),
            &run.id,
            run.step,
            &run.item
        ],
    )?;
    Ok(())
}

/// `POST /cron/jobs/{id}/run`: a run at once, whether the job is on or not.
pub(crate) fn now(Path(id): Path<String>, caller: Caller) -> Result<(StatusCode, Json<ShownRun>)> {
    access::require_manager()?;
    let row = Row::require(&id)?;
    access::require_for(row.kind, &caller)?;
    // In a millisecond of its own.
    let mut at = moment::now_ms();
    let run = loop {
        match begin(&row, at, "")? {
            Begun::Run(run) => break run,
            Begun::Taken => at += 1,
            Begun::Busy => {
                return Err(Error::conflict(
                    "job_running",
                    "a run of this job has not ended, and it may not overlap",
                ));
            }
        }
    };
    let payload = Next {
        run_id: run.clone(),
        step: 1,
        attempt: 1,
    };
    let added = jobs::New::new("run", &payload)?
        .unique(&format!("{run}/1"))
        .enqueue();
    let added = match added {
        Ok(added) => added,
        Err(error) => {
            sql::execute("DELETE FROM cron.runs WHERE id = $1", params![&run])?;
            return Err(error);
        }
    };
    sql::execute(
        "UPDATE cron.runs SET item = $1 WHERE id = $2 AND item = ''",
        params![&added.id, &run],
    )?;
    noted("job.run", &id, &json!({ "run": run }));
    let run = Run::find(&run)?.ok_or_else(|| Error::not_found("the run"))?;
    Ok((StatusCode::ACCEPTED, Json(run.shown())))
}

/// What came of beginning a run.
#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// Its id.
    Run(String),
    /// The due time has a run.
    Taken,
    /// Another one is open, and they may not overlap.
    Busy,
}

/// Begins the run of a due time. Those who begin one of the same job wait for
/// each other, whoever they are.
fn begin(row: &Row, at: i64, item: &str) -> Result<Begun> {
    let id = Uuid::now_v7().to_string();
    sql::transaction(|own| {
        own.execute(
            "UPDATE cron.jobs SET revision = revision WHERE id = $1",
            params![&row.id],
        )?;
        if !row.overlap() {
            let open: Option<i64> = own.query_optional(
                "SELECT 1 FROM cron.runs WHERE job_id = $1 AND status = 'running' LIMIT 1",
                params![&row.id],
            )?;
            if open.is_some() {
                return Ok(Begun::Busy);
            }
        }
        let added = own.execute(
            "INSERT INTO cron.runs (id, job_id, scheduled_at, status, attempt, step, tries, item, \
             touched_at) VALUES ($1, $2, $3, 'running', 1, 0, 0, $4, $5) \
             ON CONFLICT (job_id, scheduled_at) DO NOTHING",
            params![&id, &row.id, at, item, moment::now_ms()],
        )?;
        Ok(match added {
            0 => Begun::Taken,
            _ => Begun::Run(id),
        })
    })
}

fn find_at(job: &str, at: i64) -> Result<Option<Run>> {
    let sql =
        format!("SELECT {RUN_COLUMNS} FROM cron.runs WHERE job_id = $1 AND scheduled_at = $2");
    sql::query_optional(&sql, params![job, at])
}
