//! Documents that wait though nobody tries any more: `extract` was away for
//! longer than the host tries, or no event told of them. `files` is asked to
//! tell of them again, once there is somebody who reads: by the clock, and by
//! whoever looks at the documents.
//!
//! What stays unread nonetheless is told of ever more seldom.

use crate::{access, remote};
use atlashub_files_client::{self as files, Scope};
use atlashub_sdk::prelude::*;

/// How long one that waits is left alone, times the square of how often it was
/// told of again; milliseconds.
const PATIENCE: i64 = 10 * 60 * 1000;
/// Documents that are told of again at once.
const BY_THE_CLOCK: u32 = 500;
const BY_A_CALLER: u32 = 100;

/// What it does by the clock.
#[must_use]
pub(crate) fn work() -> Jobs {
    Jobs::new().on("waiting", by_the_clock)
}

fn by_the_clock() -> Result<()> {
    retell(&Scope::All, 0, BY_THE_CLOCK)
}

/// Those of a caller. A failure is for the log: it is asked again.
pub(crate) fn of_caller(scope: &Scope) {
    // What is new is left to its event first.
    if let Err(error) = retell(scope, 1, BY_A_CALLER) {
        log::warn!("documents that wait were not told of again: {error}");
    }
}

fn retell(scope: &Scope, more: i64, limit: u32) -> Result<()> {
    let now = moment::now_ms();
    let mut parameters = Vec::new();
    let own = access::condition(scope, &mut parameters);
    parameters.extend(params![now, more, PATIENCE]);
    let place = parameters.len();
    let ids: Vec<String> = sql::query(
        &format!(
            "SELECT id FROM documents.documents WHERE {own} AND leased_until < ${now} \
             AND retold_at + CAST(${patience} AS BIGINT) * (retells + CAST(${more} AS BIGINT)) \
             * (retells + CAST(${more} AS BIGINT)) <= ${now} \
             AND (status = 'pending' OR status = 'processing' OR owed = 1 OR unclassified = 1) \
             ORDER BY retold_at, id LIMIT {limit}",
            now = place - 2,
            more = place - 1,
            patience = place,
        ),
        parameters,
    )?;
    // Without a reader all would be tried in vain, and their owners told so.
    if ids.is_empty() || !remote::can_read() {
        return Ok(());
    }
    files::retell(&ids)?;
    let among = sql::texts_in(1);
    sql::execute(
        &format!(
            "UPDATE documents.documents SET retold_at = $2, retells = retells + 1 WHERE id IN ({among})"
        ),
        params![sql::Value::json(&ids)?, now],
    )?;
    Ok(())
}
