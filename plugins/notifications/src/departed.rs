//! Users who were deleted: what was kept for them goes with them. By the clock,
//! and by asking who is still there, so that nobody is missed whom a server that
//! was killed, or a plugin that was off, did not hear of. Who is only shut out
//! keeps everything.

use atlashub_sdk::prelude::*;

/// Users that are asked for at once.
const AT_ONCE: usize = 100;

/// Deletes what is kept for users who are no more.
pub(crate) fn sweep() -> Result<()> {
    let mut after = String::new();
    loop {
        let kept: Vec<String> = sql::query(
            &format!(
                "SELECT user_id FROM notifications.items WHERE user_id > $1 \
                 UNION SELECT user_id FROM notifications.preferences WHERE user_id > $1 \
                 UNION SELECT user_id FROM notifications.digests WHERE user_id > $1 \
                 ORDER BY 1 LIMIT {AT_ONCE}"
            ),
            params![&after],
        )?;
        let Some(last) = kept.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let there = users::existing(&kept)?;
        for gone in kept.iter().filter(|id| !there.contains(*id)) {
            forget(gone)?;
        }
    }
}

fn forget(user: &str) -> Result<()> {
    sql::transaction(|transaction| {
        for table in ["items", "preferences", "digests"] {
            transaction.execute(
                &format!("DELETE FROM notifications.{table} WHERE user_id = $1"),
                params![user],
            )?;
        }
        Ok(())
    })
}
