//! Times that went by without a run: the host counts them, and here they
//! become rows and are told of.

use crate::{
    finish,
    record::{Notice, Row, Run, schedule_of},
};
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// Missed runs of a job are told of no more often, milliseconds.
const QUIET: i64 = 3_600_000;

/// Looks whether times of the job were missed since it was looked last.
pub(crate) fn look(row: &Row) -> Result<()> {
    match schedules::get(&schedule_of(&row.id))? {
        Some(schedule) => take(row, &schedule),
        None => Ok(()),
    }
}

/// Takes down what its schedule has missed: that it was seen, the row and what
/// is to be told are one thing.
pub(crate) fn take(row: &Row, schedule: &schedules::Schedule) -> Result<()> {
    let missed = i64::try_from(schedule.missed).unwrap_or(i64::MAX);
    if missed == row.missed_seen {
        return Ok(());
    }
    let more = missed.saturating_sub(row.missed_seen);
    let last = schedule
        .last_missed_ms
        .and_then(|at| i64::try_from(at).ok());
    let why = match more {
        1 => "this time went by without a run".to_owned(),
        more => format!("{more} times went by without a run, this the last of them"),
    };
    let id = sql::transaction(|own| {
        let seen = own.execute(
            "UPDATE cron.jobs SET missed_seen = $1 WHERE id = $2 AND missed_seen = $3",
            params![missed, &row.id, row.missed_seen],
        )?;
        match last.filter(|_| seen == 1 && more > 0) {
            Some(at) => insert(own, row, at, &why),
            None => Ok(None),
        }
    })?;
    tell(id.as_deref())
}

/// Takes down a time that was missed.
pub(crate) fn add(row: &Row, at: i64, why: &str) -> Result<()> {
    let id = sql::transaction(|own| insert(own, row, at, why))?;
    tell(id.as_deref())
}

/// Writes down a time that was missed; none when there is a run of it. Of those
/// that come soon after one another the first is to be told of.
fn insert(own: &sql::Transaction, row: &Row, at: i64, why: &str) -> Result<Option<String>> {
    let now = moment::now_ms();
    let id = Uuid::now_v7().to_string();
    let added = own.execute(
        "INSERT INTO cron.runs (id, job_id, scheduled_at, finished_at, status, attempt, error_text, \
         step, tries, item, touched_at) \
         VALUES ($1, $2, $3, $4, 'missed', 0, $5, 0, 0, '', $4) \
         ON CONFLICT (job_id, scheduled_at) DO NOTHING",
        params![&id, &row.id, at, now, why],
    )?;
    if added == 0 {
        return Ok(None);
    }
    if !row.notify()?.on.contains(&Notice::Missed) {
        return Ok(Some(id));
    }
    let is_first = own.execute(
        "UPDATE cron.jobs SET missed_told_at = $1 WHERE id = $2 AND missed_told_at < $3",
        params![now, &row.id, now - QUIET],
    )? > 0;
    if is_first {
        own.execute(
            "UPDATE cron.runs SET notice = $2 WHERE id = $1",
            params![&id, Notice::Missed.as_str()],
        )?;
    }
    Ok(Some(id))
}

fn tell(id: Option<&str>) -> Result<()> {
    match id.map(Run::find).transpose()?.flatten() {
        Some(run) => finish::tell(&run),
        None => Ok(()),
    }
}
