//! A mail a day about all that came: published for later when the first of it
//! comes.

use crate::{
    deliver,
    record::{COLUMNS, Row},
};
use atlashub_sdk::prelude::*;
use std::time::Duration;

/// How long a digest waits for more.
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// After this time past its hour a digest was lost, milliseconds.
const LOST: i64 = 3_600_000;
/// Notifications that are named in a mail.
const NAMED: usize = 50;

/// Whose digest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    user_id: String,
}

/// Makes sure that a digest of this user is on its way.
pub(crate) fn expect(user: &str) -> Result<()> {
    let now = moment::now_ms();
    let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    let due = Due {
        user_id: user.to_owned(),
    };
    // Published before it is noted: a second one finds nothing to send.
    let known: Option<i64> = sql::query_optional(
        "SELECT due_at FROM notifications.digests WHERE user_id = $1",
        params![user],
    )?;
    if known.is_some_and(|due_at| due_at + LOST > now) {
        return Ok(());
    }
    events::publish_later("digest", &due, None, DAY)?;
    sql::execute(
        "INSERT INTO notifications.digests (user_id, due_at) VALUES ($1, $2) \
         ON CONFLICT (user_id) DO UPDATE SET due_at = excluded.due_at",
        params![user, now + day],
    )?;
    Ok(())
}

/// Sends the digest that falls due.
pub(crate) fn send(Payload(due): Payload<Due>) -> Result<()> {
    let user = due.user_id;
    sql::execute(
        "DELETE FROM notifications.digests WHERE user_id = $1",
        params![&user],
    )?;
    let rows: Vec<Row> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM notifications.items \
             WHERE user_id = $1 AND email = 'daily' ORDER BY id"
        ),
        params![&user],
    )?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(());
    };
    deliver::forgive(mail(&rows, &first.id).send_to_user(&user).map(drop))?;
    sql::execute(
        "UPDATE notifications.items SET email = 'off' \
         WHERE user_id = $1 AND email = 'daily' AND id <= $2",
        params![&user, &last.id],
    )?;
    Ok(())
}

/// A mail about these. Its key is the first of them, so that an attempt that
/// ended before it was noted sends no second one while that waits.
fn mail(rows: &[Row], first: &str) -> mail::Mail {
    let named = rows.iter().take(NAMED);
    let (mut text, mut html) = (String::new(), String::from("<ul>"));
    let mut mail = mail::Mail::default();
    for (place, row) in named.enumerate() {
        text.push_str(&format!("- {{{{t{place}}}}}\n"));
        html.push_str(&format!("<li>{{{{t{place}}}}}</li>"));
        mail = mail.value(format!("t{place}"), &row.title);
    }
    html.push_str("</ul>");
    let more = rows.len().saturating_sub(NAMED);
    if more > 0 {
        text.push_str(&format!("- and {more} more\n"));
        html.push_str(&format!("<p>and {more} more</p>"));
    }
    text.push_str("\n{{address}}\n");
    html.push_str("<p><a href=\"{{address}}\">{{address}}</a></p>");
    mail.subject("{{count}} notifications of the last day")
        .text(text)
        .html(html)
        .value("count", rows.len().to_string())
        .value("address", identity::public_url())
        .key(format!("digest:{first}"))
}
