//! A batch of rows on its way into the table: one statement, whatever their
//! number. Postgres reads the values from one list of texts for each column,
//! SQLite from one JSON list.

use super::{Mode, Plan, rows::Row};
use crate::names::{is_always_counted, of_table, quoted};
use atlashub_sdk::{
    database::{self, Column, Table, Transaction},
    prelude::*,
    sql::{Dialect, Value},
};
use atlashub_tables::cells;

/// The statement, made once.
#[derive(Debug)]
pub(super) struct Insert<'a> {
    sql: String,
    columns: Vec<&'a Column>,
    dialect: Dialect,
}

impl<'a> Insert<'a> {
    pub(super) fn new(plan: &Plan, table: &Table, columns: &[(usize, &'a Column)]) -> Self {
        let dialect = database::dialect();
        let columns: Vec<&Column> = columns.iter().map(|(_, column)| *column).collect();
        let names = list(&columns, |_, column| quoted(&column.name));
        let into = of_table(table);
        let overriding = overriding(&columns);
        let sql = match dialect {
            Dialect::Postgres => format!(
                "INSERT INTO {into} ({names}){overriding} SELECT {} FROM unnest({}) AS g({})",
                list(&columns, cast),
                list(&columns, |at, _| format!(
                    "CAST(CAST(${} AS text) AS text[])",
                    at + 1
                )),
                list(&columns, |at, _| format!("c{at}")),
            ),
            Dialect::Sqlite => format!(
                "INSERT INTO {into} ({names}) SELECT {} FROM json_each($1) AS g WHERE true",
                list(&columns, |at, column| {
                    let value = format!("g.value ->> {at}");
                    match column.kind.as_str() {
                        "bytes" => format!("unhex({value})"),
                        _ => value,
                    }
                }),
            ),
        };
        Self {
            sql: match plan.mode {
                Mode::Insert => sql,
                Mode::Upsert => sql + &changes(&plan.key, &columns),
            },
            columns,
            dialect,
        }
    }

    /// Puts the rows in.
    pub(super) fn run(&self, transaction: &Transaction, rows: &[Row]) -> Result<u64> {
        let values = match self.dialect {
            Dialect::Postgres => (0..self.columns.len())
                .map(|at| Value::Text(column_list(rows, at)))
                .collect(),
            Dialect::Sqlite => vec![Value::Text(self.json(rows)?)],
        };
        transaction.execute(&self.sql, values)
    }

    fn json(&self, rows: &[Row]) -> Result<String> {
        let lists: Vec<Vec<serde_json::Value>> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .zip(&self.columns)
                    .map(|(value, column)| match value {
                        // What cannot be read is left to the database's words.
                        Some(text) => cells::member(column, text)
                            .unwrap_or_else(|| serde_json::Value::String(text.clone())),
                        None => serde_json::Value::Null,
                    })
                    .collect()
            })
            .collect();
        Ok(serde_json::to_string(&lists)?)
    }
}

fn list(columns: &[&Column], write: impl Fn(usize, &Column) -> String) -> String {
    let written: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| write(at, column))
        .collect();
    written.join(", ")
}

/// A value as the column's type. Texts are only assigned: a cast to a type
/// with a length would cut them.
fn cast(at: usize, column: &Column) -> String {
    let kind = column.data_type.to_ascii_lowercase();
    let is_text = ["text", "character", "varchar", "char", "bpchar"]
        .iter()
        .any(|name| kind.starts_with(name));
    if is_text && !kind.ends_with(']') {
        format!("g.c{at}")
    } else {
        format!("CAST(g.c{at} AS {})", column.data_type)
    }
}

/// What lets rows bring numbers along that the database always counts.
fn overriding(columns: &[&Column]) -> &'static str {
    match columns.iter().any(|column| is_always_counted(column)) {
        true => " OVERRIDING SYSTEM VALUE",
        false => "",
    }
}

/// What becomes of rows that are there, told by the key.
fn changes(key: &[String], columns: &[&Column]) -> String {
    let target: Vec<String> = key.iter().map(|name| quoted(name)).collect();
    let set: Vec<String> = columns
        .iter()
        // What is always counted stays as it was counted.
        .filter(|column| !key.contains(&column.name) && !is_always_counted(column))
        .map(|column| {
            let name = quoted(&column.name);
            format!("{name} = excluded.{name}")
        })
        .collect();
    let target = target.join(", ");
    if set.is_empty() {
        return format!(" ON CONFLICT ({target}) DO NOTHING");
    }
    format!(" ON CONFLICT ({target}) DO UPDATE SET {}", set.join(", "))
}

/// The values of one column as Postgres writes a list of texts.
fn column_list(rows: &[Row], at: usize) -> String {
    let mut text = String::with_capacity(rows.len() * 16 + 2);
    text.push('{');
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        match row.get(at) {
            Some(Some(value)) => element(value, &mut text),
            _ => text.push_str("NULL"),
        }
    }
    text.push('}');
    text
}

/// A member of such a list.
pub(super) fn element(value: &str, into: &mut String) {
    into.push('"');
    let mut rest = value;
    while let Some(at) = rest.find(['"', '\\']) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        into.push_str(before);
        into.push('\\');
        let mut chars = after.chars();
        into.extend(chars.next());
        rest = chars.as_str();
    }
    into.push_str(rest);
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_always_counted_come_along_and_are_not_changed() {
        let plain = |name: &str| Column {
            name: name.to_owned(),
            ..Column::default()
        };
        let counted = Column {
            generated: true,
            default: Some("identity".to_owned()),
            ..plain("id")
        };
        let email = plain("email");
        assert_eq!(overriding(&[&email, &counted]), " OVERRIDING SYSTEM VALUE");
        assert_eq!(overriding(&[&email]), "");
        let name = plain("name");
        let conflict = |key: &str| changes(&[key.to_owned()], &[&counted, &email, &name]);
        assert_eq!(
            conflict("email"),
            " ON CONFLICT (\"email\") DO UPDATE SET \"name\" = excluded.\"name\""
        );
        assert_eq!(
            conflict("id"),
            " ON CONFLICT (\"id\") DO UPDATE SET \"email\" = excluded.\"email\", \
             \"name\" = excluded.\"name\""
        );
    }
}
