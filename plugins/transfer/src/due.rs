//! Time: what has expired is deleted by an event of this plugin to itself,
//! whether anybody calls or not. Where nothing is kept there is none on its
//! way.

use crate::{STORE, job::Job};
use atlashub_sdk::{events, prelude::*};
use std::time::Duration;

/// From event to event it takes as long as makes it a timer, not a loop.
const LEAST: Duration = Duration::from_secs(3_600);
/// The longest that an event waits.
const MOST: Duration = Duration::from_secs(30 * 24 * 3_600);
/// So long after its time it is not on its way any more, milliseconds.
const LOST: i64 = 600_000;
/// Jobs and uploads that one look deletes.
const AT_ONCE: u32 = 200;

/// Adds the events that it takes, of this plugin.
pub(crate) fn subscriptions(others: Subscriptions) -> Subscriptions {
    others.on("transfer.due", look)
}

/// Nothing but that it is time.
#[derive(Debug, Serialize, Deserialize)]
struct Due {}

/// Something is kept that expires. A failure is for the log: the next one
/// tries again.
pub(crate) fn look_later() {
    if let Err(error) = expect() {
        log::warn!("it was not arranged to look after what expires: {error}");
    }
}

fn expect() -> Result<()> {
    let Some(first) = next()? else {
        return Ok(());
    };
    let now = moment::now_ms();
    let left = u64::try_from(first.saturating_sub(now)).unwrap_or_default();
    let time = Duration::from_millis(left).clamp(LEAST, MOST);
    let at = now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let known: Option<i64> =
        sql::query_optional("SELECT at FROM transfer.due WHERE one = 1", params![])?;
    // A little later does.
    if known
        .is_some_and(|known| known > now.saturating_sub(LOST) && known <= at.saturating_add(LOST))
    {
        return Ok(());
    }
    // Published before it is noted: one too many does no harm.
    events::publish_later("due", &Due {}, None, time)?;
    sql::execute(
        "INSERT INTO transfer.due (one, at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET at = excluded.at",
        params![at],
    )?;
    Ok(())
}

fn next() -> Result<Option<i64>> {
    let first: Option<Option<i64>> = sql::query_optional(
        "SELECT min(at) FROM (SELECT min(expires_at) AS at FROM transfer.jobs \
         UNION ALL SELECT min(expires_at) FROM transfer.uploads) AS both",
        params![],
    )?;
    Ok(first.flatten())
}

/// It is time.
fn look(Payload(Due {}): Payload<Due>) -> Result<()> {
    sql::execute("DELETE FROM transfer.due WHERE one = 1", params![])?;
    sweep()?;
    expect()
}

/// Deletes what has expired.
pub(crate) fn sweep() -> Result<()> {
    let now = moment::now_ms();
    let jobs: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE expires_at < $1 ORDER BY expires_at LIMIT {AT_ONCE}"
        ),
        params![now],
    )?;
    for id in jobs {
        Job::find(&id)?.delete()?;
    }
    let uploads: Vec<(String, String)> = sql::query(
        &format!(
            "SELECT id, object_key FROM transfer.uploads WHERE expires_at < $1 \
             ORDER BY expires_at LIMIT {AT_ONCE}"
        ),
        params![now],
    )?;
    for (id, key) in uploads {
        sql::execute("DELETE FROM transfer.uploads WHERE id = $1", params![id])?;
        STORE.delete(&key)?;
    }
    Ok(())
}
