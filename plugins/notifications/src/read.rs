//! `POST /notifications/mark-read`.

use crate::record;
use atlashub_sdk::prelude::*;

/// Most ids of a call.
const MOST: usize = 500;

/// Which: these, or all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    all: bool,
}

/// How many are left.
#[derive(Debug, Serialize)]
pub(crate) struct Left {
    unread: i64,
}

pub(crate) fn mark(caller: Caller, Json(which): Json<Which>) -> Result<Json<Left>> {
    let me = record::me(&caller)?;
    if which.all != which.ids.is_empty() || which.ids.len() > MOST {
        return Err(Error::invalid(
            "invalid_body",
            format!("say which by `ids`, at most {MOST}, or `all`"),
        ));
    }
    let now = moment::now_ms();
    let changed = if which.all {
        sql::execute(
            "UPDATE notifications.items SET read_at = $2 WHERE user_id = $1 AND read_at IS NULL",
            params![&me, now],
        )?
    } else {
        let among = sql::texts_in(3);
        sql::execute(
            &format!(
                "UPDATE notifications.items SET read_at = $2 \
                 WHERE user_id = $1 AND read_at IS NULL AND id IN ({among})"
            ),
            params![&me, now, sql::Value::json(&which.ids)?],
        )?
    };
    let unread = record::unread(&me)?;
    if changed > 0 {
        // The user's other windows.
        let told = channel::publish(&me, "unread", &Left { unread });
        if let Err(error) = told {
            log::info!("streams were not told what was read: {error}");
        }
    }
    Ok(Json(Left { unread }))
}
