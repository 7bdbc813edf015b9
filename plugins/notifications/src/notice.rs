//! What others want people to know: the event `notice` of other plugins, and
//! `POST /notifications` for servers.

use crate::{
    deliver,
    preferences::{self, Settings},
    record::Subject,
};
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// Most people of one notice.
const MOST_USERS: usize = 1_000;
/// Longest title and longest other text, characters.
const MAX_TITLE: usize = 300;
const MAX_TEXT: usize = 200;

/// A notice.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Notice {
    /// Lower-case words: what users choose by.
    pub(crate) kind: String,
    pub(crate) user_ids: Vec<String>,
    /// One line, for people.
    pub(crate) title: String,
    pub(crate) subject: Option<Subject>,
    pub(crate) actor_id: Option<String>,
    /// The same notice again, under this id, is one.
    id: Option<String>,
}

impl Notice {
    fn check(&self) -> Result<()> {
        let is_short = |text: &str| text.chars().count() <= MAX_TEXT;
        let subject = self.subject.as_ref();
        if !preferences::is_kind(&self.kind)
            || self.title.trim().is_empty()
            || self.title.chars().count() > MAX_TITLE
            || self.user_ids.len() > MOST_USERS
            || !self.user_ids.iter().all(|id| is_short(id))
            || !self.actor_id.as_deref().is_none_or(is_short)
            || !self.id.as_deref().is_none_or(is_short)
            || !subject.is_none_or(|subject| is_short(&subject.id) && is_short(&subject.of_type))
        {
            return Err(Error::invalid(
                "invalid_notice",
                format!(
                    "a notice has a kind of lower-case words, a title of at most {MAX_TITLE} \
                     characters and at most {MOST_USERS} users"
                ),
            ));
        }
        Ok(())
    }
}

/// Takes the event of another plugin.
pub(crate) fn take(
    event: Event,
    Payload(notice): Payload<Notice>,
    Config(settings): Config<Settings>,
) -> Result<()> {
    notice.check()?;
    spread(&event.id, &notice, &settings)
}

/// What came of a notice.
#[derive(Debug, Serialize)]
pub(crate) struct Taken {
    id: String,
}

/// `POST /notifications`, for servers and admins. The same `id` again tells
/// nobody twice.
pub(crate) fn post(
    Config(settings): Config<Settings>,
    Json(notice): Json<Notice>,
) -> Result<(StatusCode, Json<Taken>)> {
    users::require("notifications:send")?;
    notice.check()?;
    let id = notice
        .id
        .clone()
        .unwrap_or_else(|| Uuid::now_v7().to_string());
    spread(&format!("post:{id}"), &notice, &settings)?;
    Ok((StatusCode::ACCEPTED, Json(Taken { id })))
}

/// Keeps a notification for each user, once, and tells of those that were not
/// told of: also when an earlier attempt ended in between.
fn spread(cause: &str, notice: &Notice, settings: &Settings) -> Result<()> {
    let now = moment::now_ms();
    let subject = notice.subject.as_ref();
    for user in &notice.user_ids {
        let wish = preferences::of(user, &notice.kind, settings)?;
        if !wish.in_app && wish.email == preferences::Email::Off {
            continue;
        }
        sql::execute(
            "INSERT INTO notifications.items (id, user_id, cause, kind, title, subject_type, \
             subject_id, actor_id, created_at, listed, email) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (cause, user_id) DO NOTHING",
            params![
                Uuid::now_v7().to_string(),
                user,
                cause,
                &notice.kind,
                &notice.title,
                subject.map(|subject| subject.of_type.as_str()),
                subject.map(|subject| subject.id.as_str()),
                notice.actor_id.as_deref(),
                now,
                i64::from(wish.in_app),
                wish.email.as_str()
            ],
        )?;
    }
    deliver::rest(cause)
}
