//! What others want people to know: the event `notice` of other plugins, and
//! `POST /notifications` for servers.

use crate::{
    deliver,
    preferences::{self, Settings, Wish},
    record::Subject,
};
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// Most people of one notice.
const MOST_USERS: usize = 1_000;
/// People for whom one statement keeps a notification.
const AT_ONCE: usize = 200;
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
    // Who tells again, because it was killed before it could note that it had
    // told, does so by another event.
    let cause = match &notice.id {
        Some(id) => format!("{}:{id}", event.name),
        None => event.id.clone(),
    };
    spread(&cause, &notice, &settings)
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
    let chosen = preferences::of_all(&notice.user_ids, &notice.kind)?;
    let wanted: Vec<(&str, Wish)> = notice
        .user_ids
        .iter()
        .map(|user| {
            let wish = chosen.get(user).copied();
            (user.as_str(), wish.unwrap_or_else(|| settings.wish()))
        })
        .filter(|(_, wish)| wish.in_app || wish.email != preferences::Email::Off)
        .collect();
    for some in wanted.chunks(AT_ONCE) {
        keep(cause, notice, some)?;
    }
    deliver::rest(cause)
}

/// Keeps a notification for each of these users, who are not too many for one
/// statement.
fn keep(cause: &str, notice: &Notice, wanted: &[(&str, Wish)]) -> Result<()> {
    let subject = notice.subject.as_ref();
    let mut parameters = params![
        cause,
        &notice.kind,
        &notice.title,
        subject.map(|subject| subject.of_type.as_str()),
        subject.map(|subject| subject.id.as_str()),
        notice.actor_id.as_deref(),
        moment::now_ms()
    ];
    let mut rows = Vec::new();
    for (user, wish) in wanted {
        let first = parameters.len() + 1;
        rows.push(format!(
            "(${first}, ${}, $1, $2, $3, $4, $5, $6, $7, ${}, ${})",
            first + 1,
            first + 2,
            first + 3
        ));
        parameters.extend(params![
            Uuid::now_v7().to_string(),
            *user,
            i64::from(wish.in_app),
            wish.email.as_str()
        ]);
    }
    sql::execute(
        &format!(
            "INSERT INTO notifications.items (id, user_id, cause, kind, title, subject_type, \
             subject_id, actor_id, created_at, listed, email) VALUES {} \
             ON CONFLICT (cause, user_id) DO NOTHING",
            rows.join(", ")
        ),
        parameters,
    )?;
    Ok(())
}
