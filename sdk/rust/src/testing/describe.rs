//! What the project's tables look like, read from SQLite as the host does it.

use crate::{
    database::{Column, ForeignKey, Table},
    host::{HostError, HostResult},
};
use rusqlite::{Connection, Row};

/// Tables and views by name.
pub(super) fn tables(connection: &Connection) -> HostResult<Vec<Table>> {
    let names: Vec<(String, String)> = rows(
        connection,
        "SELECT name, type FROM public.sqlite_schema \
         WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    names
        .into_iter()
        .map(|(name, kind)| table(connection, name, kind))
        .collect()
}

/// The statement that made a table or a view.
pub(super) fn statement(connection: &Connection, name: &str) -> HostResult<Option<String>> {
    let found: Vec<Option<String>> = rows(
        connection,
        "SELECT sql FROM public.sqlite_schema WHERE name = ?1",
        &[&name],
        |row| row.get(0),
    )?;
    Ok(found.into_iter().flatten().next())
}

/// Another number after tables have changed.
pub(super) fn version(connection: &Connection) -> u64 {
    let version = connection.query_row("PRAGMA public.schema_version", [], |row| {
        row.get::<_, i64>(0)
    });
    version
        .ok()
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or_default()
}

fn table(connection: &Connection, name: String, kind: String) -> HostResult<Table> {
    let mut key: Vec<(i64, String)> = Vec::new();
    let columns = rows(
        connection,
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden \
         FROM pragma_table_xinfo($1, 'public') WHERE hidden <> 1 ORDER BY cid",
        &[&name],
        |row| {
            let column: String = row.get(0)?;
            let data_type: String = row.get(1)?;
            let part: i64 = row.get(4)?;
            if part > 0 {
                key.push((part, column.clone()));
            }
            Ok(Column {
                kind: column_kind(&data_type).to_owned(),
                name: column,
                nullable: part == 0 && !row.get::<_, bool>(2)?,
                default: row.get(3)?,
                generated: row.get::<_, i64>(5)? > 1,
                data_type,
            })
        },
    )?;
    key.sort();
    let unique = rows(
        connection,
        "SELECT name FROM pragma_index_list($1, 'public') \
         WHERE \"unique\" AND NOT partial AND origin <> 'pk' ORDER BY seq DESC",
        &[&name],
        |row| row.get::<_, String>(0),
    )?
    .into_iter()
    .map(|index| {
        rows(
            connection,
            "SELECT name FROM pragma_index_info($1, 'public') ORDER BY seqno",
            &[&index],
            |row| row.get(0),
        )
    })
    .collect::<HostResult<Vec<Vec<Option<String>>>>>()?
    .into_iter()
    // Of an index on expressions there are no names.
    .filter_map(|columns| columns.into_iter().collect())
    .collect();
    Ok(Table {
        foreign_keys: foreign_keys(connection, &name)?,
        primary_key: key.into_iter().map(|(_, column)| column).collect(),
        name,
        kind,
        columns,
        unique,
    })
}

fn foreign_keys(connection: &Connection, table: &str) -> HostResult<Vec<ForeignKey>> {
    let parts: Vec<(i64, String, String, Option<String>)> = rows(
        connection,
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list($1, 'public') \
         ORDER BY id DESC, seq",
        &[&table],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for (id, other, from, to) in parts {
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let key = ForeignKey {
                table: other.clone(),
                ..ForeignKey::default()
            };
            keys.push((id, key));
        }
        let Some((_, key)) = keys.last_mut() else {
            continue;
        };
        // Without a name the other table's primary key is meant.
        let to = match to {
            Some(to) => Some(to),
            None => rows(
                connection,
                "SELECT name FROM pragma_table_xinfo($1, 'public') WHERE pk > 0 ORDER BY pk",
                &[&other],
                |row| row.get::<_, String>(0),
            )?
            .into_iter()
            .nth(key.columns.len()),
        };
        key.columns.push(from);
        key.references.extend(to);
    }
    Ok(keys
        .into_iter()
        .map(|(_, mut key)| {
            key.name = format!("{table}_{}_fkey", key.columns.join("_"));
            key
        })
        .collect())
}

fn column_kind(data_type: &str) -> &'static str {
    let name = data_type.to_ascii_lowercase();
    let has = |part: &str| name.contains(part);
    match name.as_str() {
        "" | "any" => "other",
        _ if has("bool") => "boolean",
        _ if has("json") => "json",
        _ if has("uuid") => "uuid",
        _ if has("timestamp") || has("datetime") => "timestamp",
        _ if has("date") => "date",
        _ if has("time") => "time",
        _ if has("int") => "integer",
        _ if has("numeric") || has("decimal") => "numeric",
        _ if has("real") || has("floa") || has("doub") => "real",
        _ if has("blob") || has("bytea") || has("bytes") => "bytes",
        _ if has("text") || has("char") || has("clob") => "text",
        _ => "other",
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> HostResult<Vec<T>> {
    let failed = |error: rusqlite::Error| HostError::new("sql_failed", error.to_string());
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let found = statement.query_map(parameters, read).map_err(failed)?;
    found.collect::<Result<_, _>>().map_err(failed)
}
