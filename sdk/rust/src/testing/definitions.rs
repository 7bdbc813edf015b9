//! Tables made and told as the host does it, in SQLite in memory. What the
//! host tells of checks and of defaults in SQL is not told here.

use super::describe;
use crate::{
    database::Table,
    definitions::{
        Change, Check, Column, Definition, Definitions, ForeignKey, Index, LeftOut, NewTable,
    },
    host::{HostError, HostResult},
};
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Policies = BTreeMap<String, Vec<Value>>;

pub(super) fn read(connection: &Connection, policies: &Policies) -> HostResult<String> {
    let mut definitions = Definitions::default();
    for table in describe::tables(connection)? {
        if table.kind == "table" {
            let own = policies.get(&table.name).cloned().unwrap_or_default();
            definitions.tables.push(Definition {
                table: told(connection, &table)?,
                policies: own,
                left_out: Vec::new(),
            });
        } else {
            definitions.left_out.push(LeftOut {
                object: format!("view:{}", table.name),
                why: "views are made with SQL, by an admin".to_owned(),
                sql: describe::statement(connection, &table.name)?,
            });
        }
    }
    written(&definitions)
}

pub(super) fn check(connection: &Connection, tables: &str) -> HostResult<String> {
    let definitions: Vec<Definition> = parsed(tables)?;
    let names = definitions.iter().map(|own| own.table.name.as_str());
    check_free(connection, names)?;
    let mut troubles = Vec::new();
    run(connection, "SAVEPOINT trial")?;
    for definition in &definitions {
        for sql in statements(&definition.table) {
            if let Err(error) = run(connection, &sql) {
                troubles.push(LeftOut {
                    object: format!("table:{}", definition.table.name),
                    why: error.message,
                    sql: None,
                });
            }
        }
    }
    run(connection, "ROLLBACK TO trial; RELEASE trial")?;
    written(&troubles)
}

pub(super) fn create(connection: &Connection, tables: &str) -> HostResult<()> {
    let tables: Vec<NewTable> = parsed(tables)?;
    check_free(connection, tables.iter().map(|own| own.name.as_str()))?;
    all_or_none(connection, tables.iter().flat_map(statements))
}

pub(super) fn alter(connection: &Connection, table: &str, changes: &str) -> HostResult<()> {
    find(connection, table)?;
    let changes: Vec<Change> = parsed(changes)?;
    let on = quoted(table);
    let mut statements = Vec::new();
    for change in changes {
        statements.push(match change {
            Change::Rename { to } => format!("ALTER TABLE public.{on} RENAME TO {}", quoted(&to)),
            Change::AddColumn { column } => {
                format!(
                    "ALTER TABLE public.{on} ADD COLUMN {}",
                    column_text(&column)
                )
            }
            Change::DropColumn { column } => {
                format!("ALTER TABLE public.{on} DROP COLUMN {}", quoted(&column))
            }
            Change::AddIndex { index } => index_text(table, &index),
            Change::DropIndex { name } => format!("DROP INDEX public.{}", quoted(&name)),
            // SQLite adds no constraints: the rest is the host's to do.
            _ => continue,
        });
    }
    all_or_none(connection, statements.into_iter())
}

pub(super) fn remove(connection: &Connection, table: &str) -> HostResult<()> {
    find(connection, table)?;
    for other in describe::tables(connection)? {
        if other.name != table && other.foreign_keys.iter().any(|key| key.table == table) {
            return Err(HostError::new(
                "table_in_use",
                format!(
                    "`{}` has a foreign key to it: remove that first",
                    other.name
                ),
            ));
        }
    }
    run(connection, &format!("DROP TABLE public.{}", quoted(table)))
}

pub(super) fn policies(
    connection: &Connection,
    table: &str,
    policies: &str,
) -> HostResult<Vec<Value>> {
    find(connection, table)?;
    parsed(policies)
}

fn find(connection: &Connection, table: &str) -> HostResult<()> {
    let tables = describe::tables(connection)?;
    if tables.iter().any(|own| own.name == table) {
        return Ok(());
    }
    Err(HostError::new(
        "not_found",
        format!("the table `{table}` was not found"),
    ))
}

fn check_free<'a>(connection: &Connection, names: impl Iterator<Item = &'a str>) -> HostResult<()> {
    let tables = describe::tables(connection)?;
    for name in names {
        if tables.iter().any(|own| own.name.eq_ignore_ascii_case(name)) {
            return Err(HostError::new(
                "table_exists",
                format!("there is a table or view `{name}` already"),
            ));
        }
    }
    Ok(())
}

fn all_or_none(
    connection: &Connection,
    statements: impl Iterator<Item = String>,
) -> HostResult<()> {
    run(connection, "SAVEPOINT change")?;
    let mut done = Ok(());
    for sql in statements {
        done = run(connection, &sql);
        if done.is_err() {
            run(connection, "ROLLBACK TO change")?;
            break;
        }
    }
    run(connection, "RELEASE change")?;
    done
}

fn run(connection: &Connection, sql: &str) -> HostResult<()> {
    let done = connection.execute_batch(sql);
    done.map_err(|error| HostError::new("invalid_schema", error.to_string()))
}

fn statements(table: &NewTable) -> Vec<String> {
    let mut parts: Vec<String> = table.columns.iter().map(column_text).collect();
    if !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    }
    let unique = table.unique.iter();
    parts.extend(unique.map(|columns| format!("UNIQUE ({})", list(columns))));
    parts.extend(table.checks.iter().map(check_text));
    parts.extend(table.foreign_keys.iter().map(key_text));
    let mut all = vec![format!(
        "CREATE TABLE public.{} ({})",
        quoted(&table.name),
        parts.join(", ")
    )];
    all.extend(table.indexes.iter().map(|own| index_text(&table.name, own)));
    all
}

fn column_text(column: &Column) -> String {
    let counts = column.default == Some(json!({"function": "autoincrement"}));
    let mut text = match counts {
        true => format!("{} INTEGER", quoted(&column.name)),
        false => format!("{} {}", quoted(&column.name), column.column_type),
    };
    if column.primary_key {
        text.push_str(" PRIMARY KEY");
    }
    if !column.nullable || column.primary_key {
        text.push_str(" NOT NULL");
    }
    if let Some(value) = column.default.as_ref().and_then(|own| own.get("value")) {
        let literal = match value {
            Value::Null => "NULL".to_owned(),
            Value::Bool(value) => u8::from(*value).to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("'{}'", text.replace('\'', "''")),
            other => format!("'{}'", other.to_string().replace('\'', "''")),
        };
        text.push_str(&format!(" DEFAULT {literal}"));
    }
    text
}

fn check_text(check: &Check) -> String {
    let name = check.name.as_ref();
    let name = name.map_or_else(String::new, |name| format!("CONSTRAINT {} ", quoted(name)));
    format!("{name}CHECK ({})", check.expression)
}

fn key_text(key: &ForeignKey) -> String {
    format!(
        "FOREIGN KEY ({}) REFERENCES {} ({})",
        list(&key.columns),
        quoted(&key.table),
        list(&key.references)
    )
}

fn index_text(table: &str, index: &Index) -> String {
    let made = || format!("{table}_{}_idx", index.columns.join("_"));
    format!(
        "CREATE {}INDEX public.{} ON {} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quoted(&index.name.clone().unwrap_or_else(made)),
        quoted(table),
        list(&index.columns)
    )
}

fn told(connection: &Connection, table: &Table) -> HostResult<NewTable> {
    let mut told = NewTable::new(&table.name);
    for own in table.columns.iter().filter(|own| !own.generated) {
        let kind = match own.kind.as_str() {
            "integer" => "bigint",
            "other" => "text",
            kind => kind,
        };
        let mut column = Column::new(&own.name, kind);
        column.nullable = own.nullable;
        if table.primary_key.as_slice() == [own.name.clone()] {
            column = column.primary_key();
        }
        told.columns.push(column);
    }
    if table.primary_key.len() > 1 {
        told.primary_key.clone_from(&table.primary_key);
    }
    for key in &table.foreign_keys {
        told.foreign_keys.push(ForeignKey {
            columns: key.columns.clone(),
            table: key.table.clone(),
            references: key.references.clone(),
            ..ForeignKey::default()
        });
    }
    let failed = |error: rusqlite::Error| HostError::new("sql_failed", error.to_string());
    let mut listed = connection
        .prepare(
            "SELECT l.name, l.origin, l.\"unique\", i.name FROM pragma_index_list($1, 'public') AS l \
             JOIN pragma_index_info(l.name, 'public') AS i \
             WHERE l.origin <> 'pk' AND NOT l.partial AND i.name IS NOT NULL ORDER BY l.name, i.seqno",
        )
        .map_err(failed)?;
    let rows = listed
        .query_map([&table.name], |row| {
            let (name, origin): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((name, origin == "u", row.get(2)?, row.get(3)?))
        })
        .map_err(failed)?;
    let mut parts: BTreeMap<(String, bool, bool), Vec<String>> = BTreeMap::new();
    for row in rows {
        let (name, is_constraint, unique, column) = row.map_err(failed)?;
        let own = parts.entry((name, is_constraint, unique)).or_default();
        own.push(column);
    }
    for ((name, is_constraint, unique), columns) in parts {
        if is_constraint {
            told.unique.push(columns);
        } else {
            told.indexes.push(Index {
                name: Some(name),
                columns,
                unique,
                ..Index::default()
            });
        }
    }
    Ok(told)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

fn parsed<T: DeserializeOwned>(text: &str) -> HostResult<T> {
    serde_json::from_str(text)
        .map_err(|error| HostError::new("invalid_schema", format!("the definition: {error}")))
}

fn written(value: &impl serde::Serialize) -> HostResult<String> {
    serde_json::to_string(value).map_err(|error| HostError::new("internal", error.to_string()))
}
