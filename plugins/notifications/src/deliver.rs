//! Tells of notifications that are kept: to streams, and by mail.

use crate::{
    digest,
    preferences::Email,
    record::{self, COLUMNS, Notification, Row},
};
use atlashub_sdk::prelude::*;
use std::collections::BTreeMap;

/// Notifications that are told of before that is noted.
const AT_ONCE: usize = 50;
/// Notifications that are kept for a user, and for how long, milliseconds.
const KEPT: u32 = 1_000;
const AGE: i64 = 90 * 24 * 3_600_000;

/// A row, and what is still to be done with it.
#[derive(Debug, Deserialize)]
struct Waiting {
    listed: bool,
    email: Email,
    #[serde(flatten)]
    row: Row,
}

/// What streams are told.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    notification: Notification,
    unread: i64,
}

/// Tells of what has come of a cause and was not told of yet.
pub(crate) fn rest(cause: &str) -> Result<()> {
    let waiting: Vec<Waiting> = sql::query(
        &format!(
            "SELECT {COLUMNS}, listed = 1 AS listed, email FROM notifications.items \
             WHERE cause = $1 AND told = 0 ORDER BY id"
        ),
        params![cause],
    )?;
    waiting.chunks(AT_ONCE).try_for_each(some)
}

/// Tells of these. Those that come before a failure are not told of again.
fn some(waiting: &[Waiting]) -> Result<()> {
    let users: Vec<&str> = waiting.iter().map(|one| one.row.user_id.as_str()).collect();
    let unread = record::unread_of_all(&users)?;
    let mut told = Vec::new();
    let mut failure = None;
    for one in waiting {
        if let Err(error) = one.send(&unread) {
            failure = Some(error);
            break;
        }
        told.push(one.row.id.as_str());
    }
    sql::execute(
        &format!(
            "UPDATE notifications.items SET told = 1 WHERE id IN ({})",
            sql::texts_in(1)
        ),
        params![sql::Value::json(&told)?],
    )?;
    forget_old(&users)?;
    failure.map_or(Ok(()), Err)
}

impl Waiting {
    fn send(&self, unread: &BTreeMap<String, i64>) -> Result<()> {
        match self.email {
            Email::Off => {}
            Email::Immediately => mail(&self.row)?,
            Email::Daily => digest::expect(&self.row.user_id)?,
        }
        if self.listed {
            let unread = unread.get(&self.row.user_id).copied();
            tell(&self.row, unread.unwrap_or_default());
        }
        Ok(())
    }
}

/// The row is there whether or not a stream is told.
fn tell(row: &Row, unread: i64) {
    let told = Told {
        notification: row.shown(),
        unread,
    };
    if let Err(error) = channel::publish(&row.user_id, "notification", &told) {
        log::info!("streams were not told of {}: {error}", row.id);
    }
}

fn mail(row: &Row) -> Result<()> {
    let sent = mail::Mail::new("{{title}}", "{{title}}\n\n{{address}}\n")
        .html("<p>{{title}}</p><p><a href=\"{{address}}\">{{address}}</a></p>")
        .value("title", &row.title)
        .value("address", identity::public_url())
        .key(&row.id)
        .send_to_user(&row.user_id);
    forgive(sent.map(drop))
}

/// A user who gets too many mails gets one less; what may do better later is
/// tried again with the event.
pub(crate) fn forgive(sent: Result<()>) -> Result<()> {
    match sent {
        Err(error)
            if matches!(
                error.code(),
                "rate_limited" | "not_granted" | "invalid_mail"
            ) =>
        {
            log::warn!("a mail was not sent: {error}");
            Ok(())
        }
        other => other,
    }
}

/// Keeps the newest of each of these users.
fn forget_old(users: &[&str]) -> Result<()> {
    let before = moment::now_ms() - AGE;
    let too_many: Vec<String> = sql::query(
        &format!(
            "SELECT user_id FROM notifications.items WHERE told = 1 AND user_id IN ({}) \
             GROUP BY user_id HAVING count(*) > {KEPT} OR min(created_at) < $2",
            sql::texts_in(1)
        ),
        params![sql::Value::json(&users)?, before],
    )?;
    for user in too_many {
        sql::execute(
            &format!(
                "DELETE FROM notifications.items WHERE user_id = $1 AND told = 1 AND (created_at < $2 \
                 OR id <= (SELECT id FROM notifications.items WHERE user_id = $1 \
                 ORDER BY id DESC LIMIT 1 OFFSET {KEPT}))"
            ),
            params![user, before],
        )?;
    }
    Ok(())
}
