//! Says that a job failed, goes again, or was missed: to users by the plugin
//! `notifications`, which lists and mails as they wish, and to a webhook that
//! takes `{"content": "…"}`, as Discord's do.

use crate::{
    record::{Notice, Row, Run},
    sealed::Secrets,
    settings::Settings,
    target,
};
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// How long a webhook is waited for.
const WAIT: Duration = Duration::from_secs(20);
/// Longest title, characters.
const MAX_TITLE: usize = 300;

/// What is said.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    run_id: String,
}

/// The same with the words, for a webhook.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Content {
    job_id: String,
    content: String,
}

/// Tells users, and has a webhook told.
pub(crate) fn tell(Payload(said): Payload<Said>, Config(settings): Config<Settings>) -> Result<()> {
    let Some(run) = Run::find(&said.run_id)? else {
        return Ok(());
    };
    let (Some(notice), Some(row)) = (run.notice, Row::find(&run.job_id)?) else {
        return Ok(());
    };
    let title = title(&row, &run, notice);
    let notify = row.notify()?;
    let users: BTreeSet<&String> = settings
        .notify_user_ids
        .iter()
        .chain(&notify.user_ids)
        .collect();
    if notify.webhook {
        let slug = identity::project().slug;
        let content = Content {
            job_id: row.id.clone(),
            content: format!("[{slug}] {title}"),
        };
        jobs::New::new("webhook", &content)?
            .unique(&run.id)
            .enqueue()?;
    }
    if !users.is_empty() {
        let told = json!({
            "id": run.id, "kind": notice.kind(), "user_ids": users, "title": title,
            "subject": { "type": "cron_job", "id": row.id },
        });
        events::publish("notice", &told, None)?;
    }
    sql::execute(
        "UPDATE cron.runs SET notice = NULL WHERE id = $1",
        params![&run.id],
    )?;
    Ok(())
}

fn title(row: &Row, run: &Run, notice: Notice) -> String {
    let name = &row.name;
    let why = run.error_text.as_deref().unwrap_or_default();
    let at = moment::rfc3339(run.scheduled_at);
    let title = match notice {
        Notice::Failure => format!("The job “{name}” failed: {why} (due {at})"),
        Notice::Recovery => format!("The job “{name}” works again (due {at})"),
        Notice::Missed => format!("The job “{name}” was missed at {at}: {why}"),
    };
    title.chars().take(MAX_TITLE).collect()
}

/// Tells the webhook of a job.
pub(crate) fn webhook(
    Payload(said): Payload<Content>,
    Config(settings): Config<Settings>,
) -> Result<()> {
    let Some(row) = Row::find(&said.job_id)? else {
        return Ok(());
    };
    let secrets: Secrets = row.secrets()?;
    let Some(address) = secrets.webhook() else {
        return Ok(());
    };
    target::checked(address, &settings)?;
    let body = json!({ "content": said.content, "allowed_mentions": { "parse": [] } });
    let answer = http::post(address).json(&body)?.timeout(WAIT).send()?;
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    // Its address is not named: it is a secret.
    let refused = format!("the webhook of the job {} answered {status}", row.id);
    let code = "webhook_refused";
    let is_final = status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429);
    if is_final {
        return Err(Error::invalid(code, refused));
    }
    Err(Error::new(StatusCode::BAD_GATEWAY, code, refused))
}
