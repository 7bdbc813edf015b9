//! Which changes of tables were made, as the project's own file keeps it: the
//! table `_atlashub_changes`, which no caller sees.

use super::{
    super::{Connection, SqliteProjects, settle},
    Purpose,
};
use crate::project::public::given_up;
use atlashub_core::{ProjectId, Result};

const MAKE: &str = "CREATE TABLE IF NOT EXISTS public._atlashub_changes (\
     mark TEXT NOT NULL PRIMARY KEY, sql TEXT) STRICT";

/// Notes that a change was made, within the transaction that makes it.
pub(super) fn note(connection: &mut Connection, mark: &str, sql: &str) -> Result<()> {
    connection
        .as_host(|own| {
            own.inner().execute_batch(MAKE)?;
            own.inner().execute(
                "INSERT INTO public._atlashub_changes VALUES (?1, ?2)",
                [mark, sql],
            )
        })
        .map(drop)
        .map_err(given_up)
}

impl SqliteProjects {
    pub(in crate::project) async fn settle_change(
        &self,
        project: ProjectId,
        mark: &str,
    ) -> Result<Option<String>> {
        let worker = self.owner(project, Purpose::Write).await?;
        let mark = mark.to_owned();
        worker
            .run(move |connection, _| {
                connection.begin()?;
                let result = connection.as_host(|own| {
                    own.inner().execute_batch(MAKE)?;
                    own.inner().execute(
                        "INSERT OR IGNORE INTO public._atlashub_changes VALUES (?1, NULL)",
                        [&mark],
                    )?;
                    own.inner().query_row(
                        "SELECT sql FROM public._atlashub_changes WHERE mark = ?1",
                        [&mark],
                        |row| row.get(0),
                    )
                });
                settle(connection, result)
            })
            .await
            .1
    }

    pub(in crate::project) async fn forget_change(
        &self,
        project: ProjectId,
        mark: &str,
    ) -> Result<()> {
        let worker = self.owner(project, Purpose::Write).await?;
        let mark = mark.to_owned();
        worker
            .run(move |connection, _| {
                connection.begin()?;
                let result = connection.as_host(|own| {
                    own.inner().execute_batch(MAKE)?;
                    own.inner().execute(
                        "DELETE FROM public._atlashub_changes WHERE mark = ?1",
                        [&mark],
                    )
                });
                settle(connection, result.map(drop))
            })
            .await
            .1
    }
}
