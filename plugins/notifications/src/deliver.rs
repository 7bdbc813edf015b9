//! Tells of notifications that are kept: to streams, and by mail.

use crate::{
    digest,
    preferences::Email,
    record::{self, COLUMNS, Notification, Row},
};
use atlashub_sdk::prelude::*;

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
    for Waiting { listed, email, row } in waiting {
        match email {
            Email::Off => {}
            Email::Immediately => mail(&row)?,
            Email::Daily => digest::expect(&row.user_id)?,
        }
        if listed {
            tell(&row)?;
        }
        sql::execute(
            "UPDATE notifications.items SET told = 1 WHERE id = $1",
            params![&row.id],
        )?;
        forget_old(&row.user_id)?;
    }
    Ok(())
}

/// The row is there whether or not a stream is told.
fn tell(row: &Row) -> Result<()> {
    let told = Told {
        notification: row.shown(),
        unread: record::unread(&row.user_id)?,
    };
    if let Err(error) = channel::publish(&row.user_id, "notification", &told) {
        log::info!("streams were not told of {}: {error}", row.id);
    }
    Ok(())
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

/// Keeps the newest of a user.
fn forget_old(user: &str) -> Result<()> {
    sql::execute(
        &format!(
            "DELETE FROM notifications.items WHERE user_id = $1 AND told = 1 AND (created_at < $2 \
             OR id <= (SELECT id FROM notifications.items WHERE user_id = $1 \
             ORDER BY id DESC LIMIT 1 OFFSET {KEPT}))"
        ),
        params![user, moment::now_ms() - AGE],
    )?;
    Ok(())
}
