//! What may be a name, and the checks on a definition that need no database.

use super::{
    ColumnDefault, MAX_CHANGES, MAX_CHECK_BYTES, MAX_COLUMNS, MAX_LITERAL_BYTES, MAX_PARTS,
    NewCheck, NewColumn, NewForeignKey, NewIndex, NewTable, TableChange, invalid,
};
use crate::project::{public::is_reserved, text};
use atlashub_core::{Digest, Result};
use std::collections::HashSet;

/// Longest name, bytes: what Postgres keeps of one.
const MAX_NAME_BYTES: usize = 63;

/// `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as a list between commas, quoted.
pub(super) fn list(names: &[String]) -> String {
    let each: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    each.join(", ")
}

/// `text` as a string literal that both engines read alike.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name made of parts that fits; long ones end with a hash of the whole.
pub(super) fn made_of(parts: &[&str], ending: &str) -> String {
    let whole = format!("{}_{ending}", parts.join("_"));
    if whole.len() <= MAX_NAME_BYTES {
        return whole;
    }
    let hash = Digest::of(whole.as_bytes()).to_hex();
    let mut name = String::new();
    for c in whole.chars() {
        if name.len() + c.len_utf8() > MAX_NAME_BYTES - 14 - ending.len() {
            break;
        }
        name.push(c);
    }
    format!("{name}_{}_{ending}", hash.get(..12).unwrap_or_default())
}

/// Whether it can be the name of something new.
pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !begins || name.len() > MAX_NAME_BYTES || !name.chars().all(plain) {
        return Err(invalid(format!(
            "`{name}` cannot name a {what}: take 1 to {MAX_NAME_BYTES} letters, digits and `_`, \
             with no digit in front"
        )));
    }
    let lower = name.to_ascii_lowercase();
    if is_reserved(name) || lower.starts_with("sqlite_") || lower.starts_with("pg_") {
        return Err(invalid(format!(
            "`{name}` cannot name a {what}: names that begin like this belong to the host and \
             the database"
        )));
    }
    Ok(())
}

pub(super) fn check_expression(expression: &str) -> Result<()> {
    if expression.len() > MAX_CHECK_BYTES {
        return Err(invalid(format!(
            "a check has at most {MAX_CHECK_BYTES} bytes"
        )));
    }
    text::check_expression(expression).map_err(|why| invalid(format!("a check: {why}")))
}

pub(super) fn check_table(table: &NewTable) -> Result<()> {
    check_name("table", &table.name)?;
    if table.columns.is_empty() || table.columns.len() > MAX_COLUMNS {
        return Err(invalid(format!("a table has 1 to {MAX_COLUMNS} columns")));
    }
    let parts = [
        table.unique.len(),
        table.checks.len(),
        table.foreign_keys.len(),
        table.indexes.len(),
    ];
    if parts.into_iter().any(|count| count > MAX_PARTS) {
        return Err(invalid(format!(
            "a table has at most {MAX_PARTS} keys, checks and indexes, each"
        )));
    }
    let mut names = HashSet::new();
    for column in &table.columns {
        check_column(column)?;
        if !names.insert(column.name.to_lowercase()) {
            return Err(invalid(format!(
                "the column `{}` is named twice",
                column.name
            )));
        }
    }
    let marked = table.columns.iter().filter(|column| column.primary_key);
    if marked.count() + usize::from(!table.primary_key.is_empty()) > 1 {
        return Err(invalid(
            "a table has one primary key: name several columns in `primary_key` alone",
        ));
    }
    let own = |columns: &[String]| check_columns(columns, Some(&names));
    if !table.primary_key.is_empty() {
        own(&table.primary_key)?;
    }
    for columns in &table.unique {
        own(columns)?;
    }
    for check in &table.checks {
        check_check(check)?;
    }
    for key in &table.foreign_keys {
        check_foreign_key(key)?;
        own(&key.columns)?;
    }
    for index in &table.indexes {
        check_index(index)?;
        own(&index.columns)?;
    }
    Ok(())
}

pub(super) fn check_column(column: &NewColumn) -> Result<()> {
    check_name("column", &column.name)?;
    if let Some(check) = &column.check {
        check_expression(check)?;
    }
    check_default(column.default.as_ref())
}

fn check_default(default: Option<&ColumnDefault>) -> Result<()> {
    if let Some(ColumnDefault::Value(value)) = default
        && value.to_string().len() > MAX_LITERAL_BYTES
    {
        return Err(invalid(format!(
            "a default has at most {MAX_LITERAL_BYTES} bytes"
        )));
    }
    Ok(())
}

fn check_check(check: &NewCheck) -> Result<()> {
    if let Some(name) = &check.name {
        check_name("check", name)?;
    }
    check_expression(&check.expression)
}

fn check_foreign_key(key: &NewForeignKey) -> Result<()> {
    if let Some(name) = &key.name {
        check_name("foreign key", name)?;
    }
    check_columns(&key.columns, None)?;
    if key.columns.len() != key.references.len() {
        return Err(invalid(
            "a foreign key has as many `columns` as `references`",
        ));
    }
    Ok(())
}

fn check_index(index: &NewIndex) -> Result<()> {
    if let Some(name) = &index.name {
        check_name("index", name)?;
    }
    check_columns(&index.columns, None)
}

fn check_columns(columns: &[String], known: Option<&HashSet<String>>) -> Result<()> {
    if columns.is_empty() || columns.len() > 32 {
        return Err(invalid("a key or index has 1 to 32 columns"));
    }
    let mut seen = HashSet::new();
    for column in columns {
        let lower = column.to_lowercase();
        if known.is_some_and(|known| !known.contains(&lower)) {
            return Err(invalid(format!("there is no column `{column}`")));
        }
        if !seen.insert(lower) {
            return Err(invalid(format!("the column `{column}` is named twice")));
        }
    }
    Ok(())
}

pub(in crate::project) fn check_changes(changes: &[TableChange]) -> Result<()> {
    if changes.is_empty() || changes.len() > MAX_CHANGES {
        return Err(invalid(format!(
            "a call makes 1 to {MAX_CHANGES} changes to a table"
        )));
    }
    for change in changes {
        match change {
            TableChange::Rename { to } => check_name("table", to)?,
            TableChange::RenameColumn { to, .. } => check_name("column", to)?,
            TableChange::AddColumn { column } => {
                check_column(column)?;
                if column.primary_key {
                    return Err(invalid(
                        "a new column is no primary key yet: add it, fill it, then `set_primary_key`",
                    ));
                }
            }
            TableChange::AlterColumn {
                default,
                drop_default,
                ..
            } => {
                check_default(default.as_ref())?;
                if *drop_default && default.is_some() {
                    return Err(invalid("a default is either given or dropped"));
                }
            }
            TableChange::AddIndex { index } => check_index(index)?,
            TableChange::AddForeignKey { foreign_key } => check_foreign_key(foreign_key)?,
            TableChange::AddCheck { check } => check_check(check)?,
            TableChange::AddUnique { columns }
            | TableChange::DropUnique { columns }
            | TableChange::SetPrimaryKey { columns } => check_columns(columns, None)?,
            TableChange::DropColumn { .. }
            | TableChange::DropIndex { .. }
            | TableChange::DropForeignKey { .. }
            | TableChange::DropCheck { .. } => {}
        }
    }
    Ok(())
}
