//! Row policies as they are kept in the project's own file, so that they move
//! with it: the table `_atlashub_policies`, which no caller sees.

use crate::project::public::RowPolicy;
use atlashub_core::{Error, Result};
use rusqlite::{Connection, OptionalExtension as _};

const MAKE: &str = "CREATE TABLE IF NOT EXISTS _atlashub_policies (\
     \"table\" TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL, policy TEXT NOT NULL, \
     PRIMARY KEY (\"table\", name)) STRICT";
/// Changes the number by which other connections know that something did.
const TOUCH: &str = "CREATE TABLE _atlashub_touch (x); DROP TABLE _atlashub_touch";

/// All policies, with their tables.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    if !is_made(connection)? {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare("SELECT \"table\", policy FROM public._atlashub_policies ORDER BY 1, name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Reads what was stored.
pub(super) fn parse(text: &str) -> Result<RowPolicy> {
    serde_json::from_str(text).map_err(|error| Error::internal("read a row policy", error))
}

/// Replaces the policies of a table. Within a transaction.
pub(super) fn replace(
    connection: &Connection,
    table: &str,
    policies: &[RowPolicy],
) -> rusqlite::Result<()> {
    connection.execute_batch(MAKE)?;
    connection.execute(
        "DELETE FROM public._atlashub_policies WHERE \"table\" = ?1",
        [table],
    )?;
    for policy in policies {
        let text = serde_json::to_string(policy)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        connection.execute(
            "INSERT INTO public._atlashub_policies VALUES (?1, ?2, ?3)",
            [table, &policy.name, &text],
        )?;
    }
    connection.execute_batch(TOUCH)
}

/// Lets the policies of a table follow it to another name. Within a
/// transaction.
pub(super) fn rename(connection: &Connection, table: &str, to: &str) -> rusqlite::Result<()> {
    if is_made(connection)? {
        connection.execute(
            "UPDATE public._atlashub_policies SET \"table\" = ?2 WHERE \"table\" = ?1",
            [table, to],
        )?;
    }
    Ok(())
}

/// Forgets the policies of tables that are gone. Within a transaction.
pub(super) fn tidy(connection: &Connection) -> rusqlite::Result<()> {
    if is_made(connection)? {
        connection.execute(
            "DELETE FROM public._atlashub_policies WHERE \"table\" NOT IN \
             (SELECT name FROM public.sqlite_schema WHERE type = 'table')",
            [],
        )?;
    }
    Ok(())
}

fn is_made(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .query_row(
            "SELECT 1 FROM public.sqlite_schema WHERE name = '_atlashub_policies'",
            [],
            |_| Ok(()),
        )
        .optional()
        .map(|found| found.is_some())
}
