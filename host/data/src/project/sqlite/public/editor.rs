//! Statements of an admin on SQLite: under the owner's rules, on a connection
//! that cannot write or in a transaction, with a progress handler for the
//! clock and for who gives up waiting.

use super::{
    super::{Connection, SqliteProjects, limited, settle, statement::Step, watch::Cancel},
    Purpose, changes, store,
};
use crate::project::{
    denied,
    public::{EditorResult, EditorStatement},
};
use atlashub_core::{ProjectId, Result, capability::sql::MAX_RESULT_BYTES};

impl SqliteProjects {
    pub(in crate::project) async fn run_statement(
        &self,
        project: ProjectId,
        statement: EditorStatement,
    ) -> Result<EditorResult> {
        let purpose = if statement.write {
            Purpose::Write
        } else {
            Purpose::Read
        };
        let worker = self.owner(project, purpose).await?;
        let (worker, result) = worker
            .run(move |connection, cancel| {
                if !statement.write {
                    connection.start_run(limited(statement.time, cancel));
                    return read(connection, &statement);
                }
                connection.begin()?;
                let result = write(connection, &statement, cancel);
                settle(connection, result)
            })
            .await;
        if let Some(mut worker) = worker {
            worker.lease.connection = None;
        }
        result
    }
}

fn read(connection: &mut Connection, statement: &EditorStatement) -> Result<EditorResult> {
    if statement.explain {
        let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
        return run(connection, &sql, statement);
    }
    run(connection, &statement.sql, statement)
}

fn write(
    connection: &mut Connection,
    statement: &EditorStatement,
    cancel: &Cancel,
) -> Result<EditorResult> {
    let before = version(connection)?;
    connection.start_run(limited(statement.time, cancel));
    let mut result = run(connection, &statement.sql, statement)?;
    if version(connection)? != before {
        result.changed_tables = true;
        connection.as_host(|own| store::tidy(own.inner()))?;
        if let Some(mark) = &statement.mark {
            changes::note(connection, mark, &statement.script())?;
        }
    }
    Ok(result)
}

/// The file's count of changes of tables.
fn version(connection: &mut Connection) -> Result<i64> {
    connection.as_host(|own| {
        own.inner()
            .query_row("PRAGMA public.schema_version", [], |row| row.get(0))
    })
}

fn run(
    connection: &mut Connection,
    sql: &str,
    statement: &EditorStatement,
) -> Result<EditorResult> {
    let mut prepared = connection.prepare_only(sql, false)?;
    if !statement.write && !prepared.reads_only && !prepared.explains() {
        return Err(denied(
            "this mode only reads: run what writes in the mode `write`",
        ));
    }
    prepared.bind(&statement.values)?;
    let mut result = EditorResult::default();
    let mut room = MAX_RESULT_BYTES;
    while prepared
        .step()
        .map_err(|failure| connection.explain(failure))?
        == Step::Row
    {
        let row = if result.rows.len() < statement.max_rows {
            prepared.row(room)
        } else {
            None
        };
        match row {
            Some((row, bytes)) if !result.truncated => {
                room -= bytes;
                result.rows.push(row);
            }
            // What writes runs to its end all the same.
            _ => {
                result.truncated = true;
                if prepared.reads_only {
                    break;
                }
            }
        }
    }
    result.columns = prepared.columns().to_vec();
    result.row_count = if prepared.reads_only || !result.columns.is_empty() {
        result.rows.len() as u64
    } else {
        connection.inner().changes()
    };
    Ok(result)
}
