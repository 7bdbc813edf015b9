//! Tables made, altered and removed as admins ask, in one transaction each.
//!
//! Foreign keys are off meanwhile, since a table that is built anew is
//! dropped for a moment; they are all checked before the end.

use super::{
    super::{Connection, SqliteProjects, error::Failure, limited, settle},
    Purpose, at_one_moment,
    changes::note,
    describe,
    rules::is_ours,
    set::{self, quoted},
    store,
};
use crate::project::{
    public::{Check, Found, Index, check_policies, script},
    schema::{self, Kind, Plan, TableChange, TableText},
    sqlite::watch::Cancel,
};
use atlashub_core::{Error, ProjectId, Result};
use rusqlite::{Connection as Inner, config::DbConfig};
use std::{collections::BTreeSet, time::Duration};

impl SqliteProjects {
    /// Makes the changes; answers the statements that did.
    pub(in crate::project) async fn alter_table(
        &self,
        project: ProjectId,
        table: &str,
        changes: &[TableChange],
        mark: &str,
    ) -> Result<Vec<String>> {
        let worker = self.owner(project, Purpose::Write).await?;
        let (table, changes) = (table.to_owned(), changes.to_owned());
        let mark = mark.to_owned();
        let time = self.options.migration_time;
        worker
            .run(move |connection, cancel| {
                without_foreign_keys(connection, |connection| {
                    connection.begin()?;
                    let result = alter(connection, table, &changes, time, cancel);
                    let result = result.and_then(|statements| {
                        note(connection, &mark, &script(&statements))?;
                        Ok(statements)
                    });
                    settle(connection, result)
                })
            })
            .await
            .1
    }

    pub(in crate::project) async fn table_found(
        &self,
        project: ProjectId,
        table: &str,
    ) -> Result<Found> {
        let worker = self.owner(project, Purpose::Read).await?;
        let table = table.to_owned();
        worker
            .run(move |connection, _| at_one_moment(connection, |own| found(own.inner(), &table)))
            .await
            .1
    }
}

/// Runs `work` with foreign keys switched off, and on again after it.
fn without_foreign_keys<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T>,
) -> Result<T> {
    let switch = |connection: &Connection, on| {
        let config = DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY;
        let done = connection.inner().set_db_config(config, on);
        done.map(drop)
            .map_err(|error| Failure::from(error).into_error())
    };
    switch(connection, false)?;
    let result = work(connection);
    switch(connection, true)?;
    result
}

fn alter(
    connection: &mut Connection,
    mut table: String,
    changes: &[TableChange],
    time: Duration,
    cancel: &Cancel,
) -> Result<Vec<String>> {
    let broken = connection.as_host(|own| broken_views(own.inner()))?;
    let mut statements = Vec::new();
    for change in changes {
        // Again, now that policies keep still.
        let stored = connection.as_host(|own| set::stored(own.inner()))?;
        let policies = set::grouped(stored)?.remove(&table.to_ascii_lowercase());
        check_policies(change, &policies.unwrap_or_default())?;
        let parts = connection.as_host(|own| parts(own.inner(), &table))?;
        let parts = parts.ok_or_else(|| Error::not_found(format!("the table `{table}`")))?;
        let plan = Plan {
            table: &table,
            sql: &parts.sql,
            indexes: &parts.indexes,
            triggers: &parts.triggers,
            columns: &parts.columns,
        };
        let alteration = schema::alter_on_sqlite(&plan, change)?;
        let config = DbConfig::SQLITE_DBCONFIG_LEGACY_ALTER_TABLE;
        let switch = |connection: &mut Connection, on| {
            connection.as_host(|own| own.inner().set_db_config(config, on).map(drop))
        };
        switch(connection, alteration.rebuilds)?;
        let done = alteration.statements.iter().try_for_each(|sql| {
            connection.start_run(limited(time, cancel));
            let mut statement = connection.prepare_only(sql, false)?;
            statement.bind(&[])?;
            statement.finish()
        });
        switch(connection, false)?;
        done?;
        if let TableChange::Rename { to } = change {
            connection.as_host(|own| store::rename(own.inner(), &table, to))?;
            table.clone_from(to);
        }
        statements.extend(alteration.statements);
    }
    let now = connection.as_host(|own| broken_views(own.inner()))?;
    if let Some(view) = now.difference(&broken).next() {
        return Err(Error::conflict(
            "column_in_use",
            format!("the view `{view}` would no longer work: change it first"),
        ));
    }
    check_foreign_keys(connection)?;
    connection.as_host(|own| store::tidy(own.inner()))?;
    Ok(statements)
}

struct Parts {
    sql: String,
    indexes: Vec<(String, Vec<String>, String)>,
    triggers: Vec<String>,
    columns: Vec<String>,
}

fn parts(connection: &Inner, table: &str) -> rusqlite::Result<Option<Parts>> {
    let objects = describe::objects(connection)?;
    let own = objects
        .into_iter()
        .find(|object| object.name == table && object.is_plain_table && !is_ours(table));
    let Some(own) = own else { return Ok(None) };
    let made: Vec<(String, String, String)> = describe::rows(
        connection,
        "SELECT type, name, sql FROM public.sqlite_schema \
         WHERE tbl_name = ?1 COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL \
         ORDER BY rowid",
        &[&table],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let mut indexes = Vec::new();
    let mut triggers = Vec::new();
    for (kind, name, sql) in made {
        if kind == "trigger" {
            triggers.push(sql);
        } else {
            let columns: Vec<Option<String>> = index_columns(connection, &name)?;
            indexes.push((name, columns.into_iter().flatten().collect(), sql));
        }
    }
    let columns = describe::rows(
        connection,
        "SELECT name FROM pragma_table_xinfo(?1, 'public') WHERE hidden = 0 ORDER BY cid",
        &[&table],
        |row| row.get(0),
    )?;
    Ok(Some(Parts {
        sql: own.sql,
        indexes,
        triggers,
        columns,
    }))
}

fn index_columns(connection: &Inner, index: &str) -> rusqlite::Result<Vec<Option<String>>> {
    describe::rows(
        connection,
        "SELECT name FROM pragma_index_info(?1, 'public') ORDER BY seqno",
        &[&index],
        |row| row.get(0),
    )
}

/// Views that cannot be read as tables are now.
pub(super) fn broken_views(connection: &Inner) -> rusqlite::Result<BTreeSet<String>> {
    let views = describe::objects(connection)?;
    let broken = views.into_iter().filter(|object| {
        let reads = format!("SELECT * FROM {}", quoted(&object.name));
        object.is_view && connection.prepare(&reads).is_err()
    });
    Ok(broken.map(|object| object.name).collect())
}

/// Refuses rows whose parents are missing.
fn check_foreign_keys(connection: &mut Connection) -> Result<()> {
    let missing = connection.as_host(|own| {
        describe::rows(
            own.inner(),
            "SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1",
            &[],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )
    });
    let missing = missing.map_err(|error| {
        // What a foreign key refers to is no key any more.
        let of_key = error.message().contains("foreign key mismatch");
        if of_key { schema::key_in_use() } else { error }
    })?;
    match missing.first() {
        None => Ok(()),
        Some((table, parent)) => Err(Error::conflict(
            "sql_constraint",
            format!("`{table}` has a row whose parent in `{parent}` is missing"),
        )),
    }
}

fn found(connection: &Inner, table: &str) -> rusqlite::Result<Found> {
    let listed: Vec<(String, bool, String)> = describe::rows(
        connection,
        "SELECT l.name, l.\"unique\", coalesce(s.sql, '') FROM pragma_index_list(?1, 'public') AS l \
         LEFT JOIN public.sqlite_schema AS s ON s.name = l.name AND s.type = 'index' \
         ORDER BY l.name",
        &[&table],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let mut indexes = Vec::new();
    for (name, unique, definition) in listed {
        let columns = index_columns(connection, &name)?;
        indexes.push(Index {
            columns: columns.into_iter().flatten().collect(),
            name,
            unique,
            definition,
        });
    }
    let text = describe::objects(connection)?
        .into_iter()
        .find(|object| object.name == table && object.is_plain_table)
        .and_then(|object| TableText::read(&object.sql).ok());
    let checks = text.iter().flat_map(|text| {
        text.constraints()
            .filter(|(_, clause)| clause.kind == Kind::Check)
            .map(|(_, clause)| Check {
                name: clause.name.clone(),
                expression: clause.inside.clone(),
            })
    });
    let checks = checks.collect();
    let on_delete = describe::foreign_keys(connection, table)?
        .into_iter()
        .map(|found| (found.key.name, found.on_delete))
        .collect();
    // The largest row id, where rows have ids; deleted rows are among them.
    let estimate = connection
        .query_row(
            &format!("SELECT max(_rowid_) FROM {}", quoted(table)),
            [],
            |row| row.get::<_, Option<i64>>(0),
        )
        .ok()
        .flatten();
    Ok(Found {
        indexes,
        checks,
        on_delete,
        estimate: estimate.unwrap_or_default(),
    })
}
