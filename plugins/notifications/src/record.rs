//! A notification as it is kept and shown, and whose it is.

use atlashub_sdk::{identity::CallerKind, prelude::*};
use std::collections::BTreeMap;

/// The columns of a [`Row`].
pub(crate) const COLUMNS: &str =
    "id, user_id, kind, title, subject_type, subject_id, actor_id, created_at, read_at";

/// A row of `notifications.items`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) kind: String,
    pub(crate) title: String,
    subject_type: Option<String>,
    subject_id: Option<String>,
    actor_id: Option<String>,
    created_at: i64,
    read_at: Option<i64>,
}

/// A notification.
#[derive(Debug, Serialize)]
pub(crate) struct Notification {
    id: String,
    kind: String,
    title: String,
    subject: Option<Subject>,
    actor_id: Option<String>,
    created_at: String,
    read_at: Option<String>,
}

/// What a notification is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subject {
    #[serde(rename = "type")]
    pub(crate) of_type: String,
    pub(crate) id: String,
}

impl Row {
    pub(crate) fn shown(&self) -> Notification {
        let subject = self.subject_type.clone().zip(self.subject_id.clone());
        Notification {
            id: self.id.clone(),
            kind: self.kind.clone(),
            title: self.title.clone(),
            subject: subject.map(|(of_type, id)| Subject { of_type, id }),
            actor_id: self.actor_id.clone(),
            created_at: moment::rfc3339(self.created_at),
            read_at: self.read_at.map(moment::rfc3339),
        }
    }
}

/// How many each of these users has not read; those without any are left out.
pub(crate) fn unread_of_all(users: &[&str]) -> Result<BTreeMap<String, i64>> {
    let counts: Vec<(String, i64)> = sql::query(
        &format!(
            "SELECT user_id, count(*) FROM notifications.items \
             WHERE user_id IN ({}) AND read_at IS NULL AND listed = 1 GROUP BY user_id",
            sql::texts_in(1)
        ),
        params![sql::Value::json(&users)?],
    )?;
    Ok(counts.into_iter().collect())
}

/// How many a user has not read.
pub(crate) fn unread(user: &str) -> Result<i64> {
    sql::query_one(
        "SELECT count(*) FROM notifications.items \
         WHERE user_id = $1 AND read_at IS NULL AND listed = 1",
        params![user],
    )
}

/// The user who calls: only users have notifications.
///
/// # Errors
/// 401 without credentials, 403 `user_needed` for others.
pub(crate) fn me(caller: &Caller) -> Result<String> {
    match caller.kind {
        CallerKind::User | CallerKind::Nobody | CallerKind::PublishableKey => {
            caller.require_id().map(str::to_owned)
        }
        _ => Err(Error::new(
            StatusCode::FORBIDDEN,
            "user_needed",
            "only users of the project have notifications",
        )),
    }
}
