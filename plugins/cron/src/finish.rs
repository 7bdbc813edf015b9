//! The end of a run: written down once, and told where that is wanted.

use crate::{
    STORE,
    record::{Notice, Row, Run, Status},
    transcript,
};
use atlashub_sdk::prelude::*;
use serde_json::json;

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Ending {
    status: Status,
    text: Option<String>,
    http_status: Option<u16>,
    duration_ms: i64,
    log: Option<String>,
    /// Whether there is use in another attempt.
    again: bool,
}

impl Ending {
    fn new(status: Status, text: Option<String>) -> Self {
        Self {
            status,
            text,
            http_status: None,
            duration_ms: 0,
            log: None,
            again: false,
        }
    }

    pub(crate) fn success() -> Self {
        Self::new(Status::Success, None)
    }

    /// It failed for good.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::new(Status::Fail, Some(text.into()))
    }

    /// It took too long.
    pub(crate) fn timeout(text: impl Into<String>) -> Self {
        Self::new(Status::Timeout, Some(text.into())).with_again()
    }

    /// Another attempt may do better.
    pub(crate) fn with_again(mut self) -> Self {
        self.again = true;
        self
    }

    pub(crate) fn with_http_status(mut self, status: Option<StatusCode>) -> Self {
        self.http_status = status.map(|status| status.as_u16());
        self
    }

    pub(crate) fn with_duration(mut self, milliseconds: i64) -> Self {
        self.duration_ms = milliseconds;
        self
    }

    pub(crate) fn with_log(mut self, log: String) -> Self {
        self.log = Some(log);
        self
    }

    pub(crate) const fn is_again(&self) -> bool {
        self.again
    }

    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    pub(crate) fn http_status(&self) -> Option<i64> {
        self.http_status.map(i64::from)
    }
}

/// Ends a run, if it has not ended.
pub(crate) fn finish(row: &Row, run: &Run, ending: Ending) -> Result<()> {
    let Ending {
        status,
        text,
        http_status,
        duration_ms,
        log,
        again: _,
    } = ending;
    let log = match (&run.log_text, log) {
        (Some(before), Some(last)) => Some(format!("{before}{last}")),
        (Some(one), None) => Some(one.clone()),
        (None, last) => last,
    };
    // The object comes before its row.
    let kept = log.map(transcript::keep).unwrap_or_default();
    let now = moment::now_ms();
    let ended = sql::transaction(|transaction| {
        let ended = transaction.execute(
            "UPDATE cron.runs SET status = $1, finished_at = $2, http_status = $3, duration_ms = $4, \
             error_text = $5, log_text = $6, log_object_key = $7, touched_at = $2 \
             WHERE id = $8 AND status = 'running' AND step = $9 AND item = $10",
            params![
                status.as_str(),
                now,
                http_status.map(i64::from),
                duration_ms,
                text.as_deref(),
                kept.text.as_deref(),
                kept.object_key.as_deref(),
                &run.id,
                run.step,
                &run.item
            ],
        )?;
        if ended == 0 {
            return Ok(false);
        }
        let failed = i64::from(status != Status::Success);
        let turned = transaction.execute(
            "UPDATE cron.jobs SET failing = $1 WHERE id = $2 AND failing <> $1",
            params![failed, &row.id],
        )?;
        transaction.execute(
            "UPDATE cron.jobs SET last_status = $1, last_run_at = $2 WHERE id = $3",
            params![status.as_str(), now, &row.id],
        )?;
        let notice = if failed == 1 {
            Notice::Failure
        } else {
            Notice::Recovery
        };
        if turned == 1 && row.notify()?.on.contains(&notice) {
            transaction.execute(
                "UPDATE cron.runs SET notice = $1 WHERE id = $2",
                params![notice.as_str(), &run.id],
            )?;
        }
        Ok(true)
    })?;
    if !ended {
        if let Some(key) = kept.object_key {
            STORE.delete(&key)?;
        }
        return Ok(());
    }
    match Run::find(&run.id)? {
        Some(run) => tell(&run),
        None => Ok(()),
    }
}

/// Has it told what is to be told of a run that ended.
pub(crate) fn tell(run: &Run) -> Result<()> {
    if run.notice.is_none() {
        return Ok(());
    }
    jobs::New::new("tell", &json!({ "run_id": run.id }))?
        .unique(&run.id)
        .enqueue()?;
    Ok(())
}
