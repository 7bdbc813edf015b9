//! What the platform does for the project: put into its queue, and looked at
//! until it has ended.

use super::Outcome;
use crate::{
    finish::Ending,
    record::{Row, Run},
};
use atlashub_sdk::prelude::*;
use serde_json::Value;
use std::time::Duration;

/// The first wait, and the longest, milliseconds.
const SOON: i64 = 250;
const LATER: i64 = 30_000;

pub(super) fn perform(row: &Row, run: &Run, action: &str, payload: &Value) -> Result<Outcome> {
    let Some(item) = &run.platform_item else {
        return begin(run, action, payload);
    };
    let took = moment::now_ms().saturating_sub(run.started_at.unwrap_or_default());
    let log = |what: &str| {
        let now = moment::rfc3339(moment::now_ms());
        format!("{now} attempt {}: `{action}`: {what}\n", run.attempt)
    };
    let ending = match jobs::get(item)? {
        None => Ending::failed("the platform knows nothing of it any more").with_again(),
        Some(status) => match status.state.as_str() {
            "done" => Ending::success().with_log(log("done")),
            "cancelled" => Ending::failed("it was cancelled"),
            "dead" => {
                let code = status.error_code.unwrap_or_default();
                let words = status.error_message.unwrap_or_default();
                Ending::failed(format!("the platform gave it up: {code}: {words}"))
                    .with_log(log(&format!("{code}: {words}")))
                    .with_again()
            }
            _ if took > row.timeout_ms => {
                jobs::cancel(item)?;
                let milliseconds = row.timeout_ms;
                Ending::timeout(format!("it took longer than {milliseconds} ms"))
                    .with_log(log("cancelled, it took too long"))
            }
            _ => return Ok(Outcome::Waits(wait_after(took))),
        },
    };
    Ok(Outcome::Ended(ending.with_duration(took)))
}

fn begin(run: &Run, action: &str, payload: &Value) -> Result<Outcome> {
    let added = jobs::New::platform(action, payload)?
        .unique(&format!("{}/{}", run.id, run.attempt))
        .enqueue();
    match added {
        Ok(added) => {
            sql::execute(
                "UPDATE cron.runs SET platform_item = $1 WHERE id = $2 AND attempt = $3",
                params![added.id, &run.id, run.attempt],
            )?;
            Ok(Outcome::Waits(wait_after(0)))
        }
        Err(error) if matches!(error.code(), "platform_job_unavailable" | "not_granted") => {
            let ending = Ending::failed(format!("{}: {}", error.code(), error.detail()));
            Ok(Outcome::Ended(ending))
        }
        Err(error) => Err(error),
    }
}

/// The longer it takes, the less often it is looked at.
fn wait_after(took: i64) -> Duration {
    let wait = (took / 4).clamp(SOON, LATER);
    Duration::from_millis(u64::try_from(wait).unwrap_or(0))
}
