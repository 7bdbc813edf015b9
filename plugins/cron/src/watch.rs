//! Looks after what nobody calls for: times that were missed, runs whose work
//! broke off, what was not told, and the end of history.

use crate::{
    finish::{self, Ending},
    jobs::forget,
    missed,
    record::{COLUMNS, RUN_COLUMNS, Row, Run, SCHEDULES},
    settings::Settings,
};
use atlashub_sdk::{jobs as queue, prelude::*};

/// A run that nothing happened to for so long is asked after, milliseconds.
const STILL: i64 = 60_000;
/// Schedules, or runs, of one look.
const PAGE: u32 = 100;
/// Steps of forgetting of one look.
const STEPS: usize = 100;

pub(crate) fn watch(Config(settings): Config<Settings>) -> Result<()> {
    look_for_missed()?;
    look_for_broken()?;
    tell_the_rest()?;
    forget_old(&settings)
}

fn look_for_missed() -> Result<()> {
    let mut cursor = None;
    loop {
        let page = schedules::list(SCHEDULES, PAGE, cursor.as_deref())?;
        let ids: Vec<&str> = page
            .schedules
            .iter()
            .filter_map(|schedule| schedule.name.strip_prefix(SCHEDULES))
            .collect();
        let rows: Vec<Row> = sql::query(
            &format!(
                "SELECT {COLUMNS} FROM cron.jobs WHERE id IN ({})",
                sql::texts_in(1)
            ),
            params![sql::Value::json(&ids)?],
        )?;
        for schedule in &page.schedules {
            let id = schedule.name.strip_prefix(SCHEDULES);
            let row = rows.iter().find(|row| Some(row.id.as_str()) == id);
            if let Some(row) = row {
                missed::take(row, schedule)?;
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Ends runs on which nothing works any more.
fn look_for_broken() -> Result<()> {
    let still: Vec<Run> = sql::query(
        &format!(
            "SELECT {RUN_COLUMNS} FROM cron.runs WHERE status = 'running' AND touched_at < $1 \
             ORDER BY touched_at LIMIT {PAGE}"
        ),
        params![moment::now_ms() - STILL],
    )?;
    for run in still {
        let status = queue::get(&run.item)?;
        let works = status.as_ref().is_some_and(|status| !status.has_ended());
        let Some(row) = Row::find(&run.job_id)?.filter(|_| !works) else {
            continue;
        };
        let late =
            status.and_then(|status| status.error_code).as_deref() == Some("deadline_exceeded");
        let ending = if late {
            Ending::timeout("it took longer than the server lets a run take")
        } else {
            Ending::failed("it broke off: the server stopped, or gave it up")
        };
        finish::finish(&row, &run, ending)?;
    }
    Ok(())
}

fn tell_the_rest() -> Result<()> {
    let untold: Vec<Run> = sql::query(
        &format!(
            "SELECT {RUN_COLUMNS} FROM cron.runs WHERE notice IS NOT NULL AND touched_at < $1 \
             ORDER BY touched_at DESC LIMIT {PAGE}"
        ),
        params![moment::now_ms() - STILL],
    )?;
    untold.iter().try_for_each(finish::tell)
}

fn forget_old(settings: &Settings) -> Result<()> {
    let before = moment::now_ms() - settings.keep_ms();
    for _ in 0..STEPS {
        let condition = "touched_at < $1 AND status <> 'running'";
        if forget(condition, params![before])? == 0 {
            break;
        }
    }
    let keep = settings.keep_runs();
    let many: Vec<String> = sql::query(
        &format!("SELECT job_id FROM cron.runs GROUP BY job_id HAVING count(*) > {keep}"),
        params![],
    )?;
    for job in many {
        for _ in 0..STEPS {
            let condition = format!(
                "job_id = $1 AND status <> 'running' AND id <= (SELECT id FROM cron.runs \
                 WHERE job_id = $1 ORDER BY id DESC LIMIT 1 OFFSET {keep})"
            );
            if forget(&condition, params![&job])? == 0 {
                break;
            }
        }
    }
    Ok(())
}
