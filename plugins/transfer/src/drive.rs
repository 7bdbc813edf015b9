//! What makes jobs go on in the background: an event of this plugin to
//! itself for each turn. Nothing else here knows how turns come about.

use crate::{
    due, export, import,
    job::{Ended, Job, Turn},
};
use atlashub_sdk::{events, prelude::*};
use std::time::Duration;

/// From turn to turn this long, where turns would follow from too many
/// others: it is what makes it a timer, not a loop.
const PAUSE: Duration = Duration::from_secs(3_600);

/// The events that it takes, of this plugin.
pub(crate) fn subscriptions() -> Subscriptions {
    Subscriptions::new().on("transfer.work", turn)
}

/// Which job is to go on.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
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
    match events::publish("work", &work, Some(id)) {
        Err(error) if error.code() == "event_loop" => {
            events::publish_later("work", &work, Some(id), PAUSE).map(drop)
        }
        published => published.map(drop),
    }
}

/// It is a job's turn.
fn turn(event: Event, Payload(work): Payload<Work>) -> Result<()> {
    let Some(mut turn) = Turn::take(&work.job)? else {
        return Ok(());
    };
    match work_on(&mut turn) {
        Ok(Ended::GoesOn) => go_on(&work.job),
        Ok(Ended::Done | Ended::Lost) => {
            due::look_later();
            Ok(())
        }
        Err(error) => {
            let again = events::is_worth_retrying(&error) && event.attempt < event.max_attempts;
            if again {
                return Err(error);
            }
            log::warn!("the job {} has failed: {error}", work.job);
            turn.fail(&error)?;
            due::look_later();
            Ok(())
        }
    }
}

fn work_on(turn: &mut Turn) -> Result<Ended> {
    match turn.job.kind.as_str() {
        "export" => export::work(turn),
        "import" => import::work(turn),
        other => Err(Error::invalid(
            "unknown_job",
            format!("there are no jobs of the kind `{other}`"),
        )),
    }
}
