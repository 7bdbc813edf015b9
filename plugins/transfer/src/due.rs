//! Time: what has expired is deleted by the clock, whether anybody calls or
//! not; and jobs of ours are ended whose turn the host gave up or took back.

use crate::{STORE, job::Job, turns};
use atlashub_sdk::prelude::*;

/// Jobs and uploads that one look deletes.
const AT_ONCE: u32 = 200;
/// After this time nobody is about to begin with a job any more, milliseconds.
const FORGOTTEN: i64 = 600_000;

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
    let open: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE status IN ('queued', 'running') ORDER BY id LIMIT {AT_ONCE}"
        ),
        params![],
    )?;
    for id in open {
        let _ = Job::find(&id)?.settled()?;
    }
    // Whoever wrote them down ended before somebody was to work on them.
    let forgotten: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE status = 'queued' AND item IS NULL AND created_at < $1 \
             ORDER BY id LIMIT {AT_ONCE}"
        ),
        params![now - FORGOTTEN],
    )?;
    for id in forgotten {
        turns::begin(&Job::find(&id)?)?;
    }
    let ended: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE kind = 'import' AND state <> '' \
             AND status IN ('failed', 'cancelled') ORDER BY id LIMIT {AT_ONCE}"
        ),
        params![],
    )?;
    for id in ended {
        // One that cannot be taken back now is in nobody else's way.
        if let Err(error) = Job::find(&id)?.undo() {
            log::warn!("what the job {id} made is not taken back yet: {error}");
        }
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
