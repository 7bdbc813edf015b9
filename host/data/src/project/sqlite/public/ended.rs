//! What became of a transaction, as the project's own file keeps it: one that
//! was asked for its name has left that in the table `_atlashub_ended`, which
//! no caller sees, if it was committed.

use super::super::{Connection, SqliteProjects};
use super::Purpose;
use crate::project::public::no_transaction;
use atlashub_core::{ProjectId, Result};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const MAKE: &str = "CREATE TABLE IF NOT EXISTS public._atlashub_ended (\
     name TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID";
/// How long names are known, seconds.
const KEPT: u64 = 31 * 24 * 3_600;

/// A name for the transaction that the connection is in.
pub(in crate::project::sqlite) fn identify(connection: &mut Connection) -> Result<String> {
    let name = Uuid::now_v7().to_string();
    let oldest = oldest();
    let own = name.clone();
    connection.as_host(move |host| {
        host.inner().execute_batch(MAKE)?;
        // Names begin with the time.
        host.inner().execute(
            "DELETE FROM public._atlashub_ended WHERE name < ?1",
            [&oldest],
        )?;
        host.inner()
            .execute("INSERT INTO public._atlashub_ended VALUES (?1)", [&own])
    })?;
    Ok(name)
}

/// What names begin with, or are greater than, that are still known.
fn oldest() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let at = now.as_secs().saturating_sub(KEPT).saturating_mul(1_000);
    let digits = format!("{at:012x}");
    let (high, low) = digits.split_at_checked(8).unwrap_or(("", ""));
    format!("{high}-{low}")
}

impl SqliteProjects {
    pub(in crate::project) async fn was_committed(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<bool>> {
        let id = Uuid::try_parse(name).map_err(|_| no_transaction())?;
        let name = id.to_string();
        // Whoever may write waits for a transaction that has not ended.
        let worker = self.owner(project, Purpose::Write).await?;
        worker
            .run(move |connection, _| {
                connection.begin()?;
                let known = connection.as_host(|own| {
                    let made: bool = own.inner().query_row(
                        "SELECT EXISTS (SELECT 1 FROM public.sqlite_schema WHERE name = '_atlashub_ended')",
                        [],
                        |row| row.get(0),
                    )?;
                    if !made {
                        return Ok(false);
                    }
                    own.inner().query_row(
                        "SELECT EXISTS (SELECT 1 FROM public._atlashub_ended WHERE name = ?1)",
                        [&name],
                        |row| row.get(0),
                    )
                });
                connection.rollback()?;
                let known = known?;
                Ok(match known {
                    true => Some(true),
                    false if name < oldest() => None,
                    false => Some(false),
                })
            })
            .await
            .1
    }
}
