//! `GET /notifications`: a user's own, the newest first.

use crate::record::{self, COLUMNS, Notification, Row};
use atlashub_sdk::prelude::*;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    /// `1` or `true` for those that were not read.
    unread: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A page.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Notification>,
    next_cursor: Option<String>,
    /// How many of all were not read.
    unread: i64,
}

pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let me = record::me(&caller)?;
    let limit = wishes.limit.unwrap_or(50).clamp(1, 200);
    let only_unread = matches!(wishes.unread.as_deref(), Some("1" | "true"));
    let unread = if only_unread {
        "AND read_at IS NULL"
    } else {
        ""
    };
    // Ids are in the order of time.
    let mut rows: Vec<Row> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM notifications.items WHERE user_id = $1 AND listed = 1 {unread} \
             AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT {}",
            limit + 1
        ),
        params![&me, wishes.cursor.unwrap_or_default()],
    )?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Json(Page {
        next_cursor: rows.last().filter(|_| more).map(|row| row.id.clone()),
        items: rows.iter().map(Row::shown).collect(),
        unread: record::unread(&me)?,
    }))
}
