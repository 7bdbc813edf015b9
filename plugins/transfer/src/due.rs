//! Time: what has expired is deleted by the clock, whether anybody calls or
//! not; jobs of ours are ended whose turn the host gave up or took back; and
//! what is left of jobs that did not come to their end is taken back.

use crate::{STORE, job::Job};
use atlashub_sdk::prelude::*;

/// Jobs and uploads that one look deletes.
const AT_ONCE: u32 = 200;

/// Deletes what has expired.
pub(crate) fn sweep() -> Result<()> {
    let now = moment::now_ms();
    let open: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE status IN ('queued', 'running') ORDER BY id LIMIT {AT_ONCE}"
        ),
        params![],
    )?;
    for id in open {
        let _ = Job::find(&id)?.settled()?;
    }
    let ended: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE kind = 'import' AND state <> '' \
             AND status IN ('failed', 'cancelled') ORDER BY id LIMIT {AT_ONCE}"
        ),
        params![],
    )?;
    for id in ended {
        // Others wait for none that fails.
        if let Err(error) = Job::find(&id)?.take_back() {
            log::error!("what the job {id} made is not taken back yet: {error}");
        }
    }
    // What an import has stored or made is known by its job alone.
    let jobs: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM transfer.jobs WHERE expires_at < $1 AND NOT (kind = 'import' \
             AND state <> '' AND status IN ('failed', 'cancelled')) \
             ORDER BY expires_at LIMIT {AT_ONCE}"
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
