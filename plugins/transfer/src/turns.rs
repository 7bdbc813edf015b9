//! Turns at jobs: each is a job of the host's, which carries the id of ours.
//! The host sees to it that it is tried again, after a kill on another node,
//! that those of one of ours come one after the other, and that it is told of
//! a cancellation.

use crate::{
    export, folder, import,
    job::{Ended, Job, Turn},
};
use atlashub_sdk::{events::is_worth_retrying, jobs::Job as Task, prelude::*};

/// Which job is to go on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    job: String,
}

/// Lets a job that was written down begin.
pub(crate) fn begin(job: &Job) -> Result<()> {
    go_on(&job.id).inspect_err(|_| {
        // Nobody would ever work on it.
        if let Err(error) = job.delete() {
            log::error!("forget the job {}: {error}", job.id);
        }
    })
}

fn go_on(id: &str) -> Result<()> {
    let work = Work { job: id.to_owned() };
    let added = jobs::New::new("work", &work)?.ordered(id).enqueue()?;
    sql::execute(
        "UPDATE transfer.jobs SET item = $2 WHERE id = $1 AND status IN ('queued', 'running')",
        params![id, added.id],
    )?;
    Ok(())
}

/// It is a job's turn.
pub(crate) fn take(task: Task, Payload(work): Payload<Work>) -> Result<()> {
    let Some(mut turn) = Turn::take(&work.job, &task.id)? else {
        return Ok(());
    };
    match work_on(&mut turn) {
        Ok(Ended::GoesOn) => go_on(&work.job),
        Ok(Ended::Done | Ended::Lost) => Ok(()),
        Err(error) if is_worth_retrying(&error) && !task.is_last_attempt() => Err(error),
        Err(error) => {
            log::warn!("the job {} has failed: {error}", work.job);
            turn.fail(&error)
        }
    }
}

/// Turns that a job of the platform's takes at once.
const AT_ONCE: u32 = 3;

/// The platform was asked for an export.
pub(crate) fn export(task: Task, Payload(wishes): Payload<serde_json::Value>) -> Result<()> {
    follow(&task, || export::of_platform(wishes))
}

/// The platform was asked for an import.
pub(crate) fn import(task: Task, Payload(wishes): Payload<serde_json::Value>) -> Result<()> {
    follow(&task, || import::of_platform(wishes))
}

/// All of it in this job of the platform's, which ends with it. Of an attempt
/// that was cut short the job of ours is found again.
fn follow(task: &Task, make: impl FnOnce() -> Result<Job>) -> Result<()> {
    let found: Option<String> = sql::query_optional(
        "SELECT id FROM transfer.jobs WHERE item = $1",
        params![&task.id],
    )?;
    let id = match found {
        Some(id) => id,
        None => {
            let job = make()?;
            sql::execute(
                "UPDATE transfer.jobs SET item = $2 WHERE id = $1",
                params![&job.id, &task.id],
            )?;
            job.id
        }
    };
    for _ in 0..AT_ONCE {
        let Some(mut turn) = Turn::take(&id, &task.id)? else {
            break;
        };
        match work_on(&mut turn) {
            Ok(Ended::GoesOn) => {}
            Ok(Ended::Done | Ended::Lost) => break,
            Err(error) if is_worth_retrying(&error) && !task.is_last_attempt() => {
                return Err(error);
            }
            Err(error) => {
                turn.fail(&error)?;
                return Err(error);
            }
        }
    }
    match Job::find(&id)?.status.as_str() {
        "done" => Ok(()),
        "queued" | "running" => Err(Error::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "goes_on",
            "it goes on in another attempt",
        )),
        status => Err(Error::invalid("job_ended", format!("it is {status}"))),
    }
}

/// Works on a job until it has ended, or its time is over.
fn work_on(turn: &mut Turn) -> Result<Ended> {
    match (turn.job.kind.as_str(), turn.job.what.as_str()) {
        ("export", _) => export::work(turn),
        ("import", "files") => folder::work(turn),
        ("import", _) => import::work(turn),
        (other, _) => Err(Error::invalid(
            "unknown_job",
            format!("there are no jobs of the kind `{other}`"),
        )),
    }
}
