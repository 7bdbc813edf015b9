//! Mails of plugins: filled in when they are asked for, kept in the queue
//! until the mail server has taken them. To whom a user's mail goes is looked
//! up when it goes out.

use super::{Mail, Mailer, fill};
use crate::{limits::StrictLimits, queue::WorkQueue};
use async_trait::async_trait;
use atlashub_core::{
    Error, ItemId, ProjectId, Result, UserId,
    capability::{
        PluginScope,
        mail::{MAX_MAIL_BYTES, MailTo, Mails, PluginMail, too_large},
    },
};
use atlashub_data::platform::{
    Backlog, Enqueued, ItemKind, NewItem, Outcome, Platform, QueueItem, WorkFailure,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Longest subject, bytes.
const MAX_SUBJECT: usize = 500;
/// Tries, an hour apart after the first dozen: two days.
const MAX_ATTEMPTS: u32 = 60;
/// Mails of plugins that are sent at once: a mail server that does not answer
/// holds no more workers than these.
const AT_ONCE: usize = 4;
/// How long a mail waits for one of those.
const MOMENT: Duration = Duration::from_secs(2);

/// A mail in the queue.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    subject: String,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// Takes mails from plugins.
pub(crate) struct MailsOfPlugins {
    platform: Platform,
    queue: Arc<WorkQueue>,
    limits: Arc<StrictLimits>,
}

impl MailsOfPlugins {
    pub(crate) fn new(
        platform: Platform,
        queue: Arc<WorkQueue>,
        limits: Arc<StrictLimits>,
    ) -> Self {
        Self {
            platform,
            queue,
            limits,
        }
    }
}

#[async_trait]
impl Mails for MailsOfPlugins {
    async fn send(&self, scope: &PluginScope, mail: PluginMail) -> Result<ItemId> {
        let kept = filled(&mail)?;
        let (user, address) = match mail.to {
            MailTo::User(id) => (Some(parse_user(&id)?), None),
            MailTo::Address(address) => (None, Some(address)),
        };
        let recipient = user.map_or_else(|| address.clone(), |id| Some(id.to_string()));
        self.limits
            .count_mail(scope.project, recipient.as_deref().unwrap_or_default())
            .await?;
        let kept = Kept {
            user,
            address,
            ..kept
        };
        let payload = serde_json::to_string(&kept)
            .map_err(|error| Error::internal("write a mail down", error))?;
        let more = Backlog {
            items: 1,
            bytes: payload.len() as u64,
        };
        self.queue
            .take_share(&self.platform, scope.project, more)
            .await?;
        let item = NewItem {
            id: ItemId::new(),
            project: scope.project,
            kind: ItemKind::Mail,
            consumer: scope.plugin.clone(),
            name: "mail".to_owned(),
            source: Some(scope.plugin.clone()),
            subject: user.map_or_else(uuid::Uuid::nil, |id| *id.as_uuid()),
            request: Some(mail.request),
            payload,
            ordering_key: None,
            unique_key: mail.key.map(|key| format!("mail:{key}")),
            priority: 0,
            hops: 0,
            due_at: None,
            max_attempts: MAX_ATTEMPTS,
            job: None,
        };
        let added = self.platform.queue().enqueue(vec![item]).await?;
        self.queue.wake();
        match added.first() {
            Some(Enqueued::Added(id) | Enqueued::Exists(id)) => Ok(*id),
            None => Err(Error::internal("keep a mail", "nothing was added")),
        }
    }
}

fn parse_user(id: &str) -> Result<UserId> {
    id.parse()
        .map_err(|_| Error::invalid("invalid_mail", "a user's id is a UUID"))
}

/// The mail with its values, as yet to nobody.
fn filled(mail: &PluginMail) -> Result<Kept> {
    let values: Vec<(&str, &str)> = mail
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let subject = fill(&mail.subject, &values, false);
    let text = fill(&mail.text, &values, false);
    let html = mail.html.as_ref().map(|html| fill(html, &values, true));
    if subject.len() > MAX_SUBJECT
        || text.len() + html.as_ref().map_or(0, String::len) > MAX_MAIL_BYTES
    {
        return Err(too_large());
    }
    Ok(Kept {
        user: None,
        address: None,
        subject,
        text,
        html,
    })
}

/// Sends what is in the queue.
pub(crate) struct KeptMails {
    platform: Platform,
    mailer: Arc<Mailer>,
    places: Semaphore,
}

impl KeptMails {
    pub(crate) fn new(platform: Platform, mailer: Arc<Mailer>) -> Self {
        Self {
            platform,
            mailer,
            places: Semaphore::new(AT_ONCE),
        }
    }

    /// Tries to send a mail; `Err` says why it was not sent and may be later.
    pub(crate) async fn send(&self, item: &QueueItem) -> std::result::Result<Outcome, WorkFailure> {
        let Ok(_place) = self.places.try_acquire() else {
            return Ok(Outcome::Postponed(self.platform.now() + MOMENT));
        };
        let kept: Kept = match serde_json::from_str(&item.payload) {
            Ok(kept) => kept,
            Err(error) => return Ok(Outcome::Dead(failure("invalid_mail", &error))),
        };
        let to = match self.address(item.project, &kept).await {
            Ok(Some(to)) => to,
            // The user is gone, or the address was never confirmed.
            Ok(None) => return Ok(Outcome::Done),
            Err(error) => return Err(failure(error.code(), &error)),
        };
        let mail = Mail {
            to,
            subject: kept.subject,
            text: kept.text,
            html: kept.html,
        };
        match self.mailer.try_to_send(mail).await {
            Ok(()) => Ok(Outcome::Done),
            Err(refused) if refused.for_good => {
                Ok(Outcome::Dead(failure(refused.code, &refused.error)))
            }
            Err(refused) => Err(failure(refused.code, &refused.error)),
        }
    }

    async fn address(&self, project: ProjectId, kept: &Kept) -> Result<Option<String>> {
        let Some(id) = kept.user else {
            return Ok(kept.address.clone());
        };
        let user = self.platform.users().find(project, id).await?;
        let user =
            user.filter(|user| user.disabled_at.is_none() && user.email_verified_at.is_some());
        Ok(user.map(|user| user.email))
    }
}

/// What became of a try, with its cause: an admin of the project has to know
/// what the mail server says.
fn failure(code: &str, error: &dyn std::error::Error) -> WorkFailure {
    WorkFailure {
        code: code.to_owned(),
        message: crate::changes::chain(error).chars().take(1_000).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::RequestId;

    fn mail(subject: &str, value: &str) -> PluginMail {
        PluginMail {
            to: MailTo::Address("a@example.com".into()),
            subject: subject.into(),
            text: "Hi {{name}}".into(),
            html: Some("<b>{{name}}</b>".into()),
            values: vec![("name".into(), value.into())],
            key: None,
            request: RequestId::new(),
        }
    }

    #[test]
    fn values_are_escaped_in_html_and_counted_once_filled_in() {
        let kept = filled(&mail("For {{name}}", "<i>")).unwrap();
        assert_eq!(kept.subject, "For <i>");
        assert_eq!(kept.text, "Hi <i>");
        assert_eq!(kept.html.as_deref(), Some("<b>&lt;i&gt;</b>"));
        let mut large = mail("x", &"&".repeat(1_000));
        large.html = Some("{{name}}".repeat(200));
        assert_eq!(filled(&large).err().unwrap().code(), "mail_too_large");
    }
}
