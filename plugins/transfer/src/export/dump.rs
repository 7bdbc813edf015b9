//! Every table of a project as one text of SQL, for the programs of the
//! engine that it is on: `psql`, `sqlite3`. The database writes the rows'
//! statements itself.

use super::{
    database::{Asked, asked},
    pages::{Pages, Place},
    parts::{self, Parts},
};
use crate::{
    job::{Ended, Turn},
    names::{self, literal, quoted},
};
use atlashub_sdk::{
    database::{self, Column, Table},
    prelude::*,
    sql::Dialect,
};

/// Which tables there are to be exported.
pub(super) fn ask() -> Result<Asked> {
    asked()
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Tables that are written.
    tables: usize,
    /// Where the next one is.
    place: Option<Place>,
    page: u64,
    parts: u64,
    complete: bool,
}

/// A turn at a dump.
pub(super) fn work(turn: &mut Turn) -> Result<Ended> {
    let (asked, mut state): (Asked, State) = turn.kept()?;
    let dialect = database::dialect();
    let mut parts = Parts::new(state.parts);
    if state.parts == 0 {
        parts.push(head(dialect).as_bytes());
    }
    while let Some(name) = asked.tables.get(state.tables) {
        let table = names::table(name)?;
        if state.place.is_none() {
            parts.push(create(&table, dialect).as_bytes());
        }
        let mut pages = Pages::new(&table, &insert(&table, dialect), "\n", state.page)?;
        loop {
            let page = pages.next(state.place.as_ref(), |text| {
                parts.push(text.as_bytes());
                Ok(())
            })?;
            turn.job.rows_done += page.rows;
            state.page = pages.size();
            if page.rows > 0 {
                parts.push(b"\n");
            }
            let Some(place) = page.last else {
                break;
            };
            state.place = Some(place);
            let over = turn.is_over();
            if (parts.is_full() || over) && !flush(turn, &mut parts, &mut state)? {
                return Ok(Ended::Lost);
            }
            if over {
                return Ok(Ended::GoesOn);
            }
        }
        state.tables += 1;
        state.place = None;
        state.page = 0;
    }
    if !state.complete {
        let tables = database::describe()?;
        let written = tables
            .iter()
            .filter(|table| asked.tables.contains(&table.name));
        parts.push(foot(written, dialect).as_bytes());
        state.complete = true;
        if !flush(turn, &mut parts, &mut state)? {
            return Ok(Ended::Lost);
        }
    }
    let outcome = parts::join(turn, "database.sql".to_owned(), "application/sql")?;
    turn.finish(Some(outcome))
}

fn flush(turn: &mut Turn, parts: &mut Parts, state: &mut State) -> Result<bool> {
    turn.job.bytes_done += parts.len();
    state.parts = parts.number() + 1;
    parts.write(turn, state)
}

fn head(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "PRAGMA foreign_keys = OFF;\nBEGIN;\n",
        Dialect::Postgres => {
            "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nBEGIN;\n"
        }
    }
}

/// Columns that rows have values for.
fn stored(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !column.generated)
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

/// The statement that makes a table. Foreign keys come with it on SQLite,
/// which cannot add them, and at the end on Postgres.
fn create(table: &Table, dialect: Dialect) -> String {
    let mut lines: Vec<String> = stored(table)
        .map(|own| column(table, own, dialect))
        .collect();
    let counts = dialect == Dialect::Sqlite && has_own_number(table);
    if !table.primary_key.is_empty() && !counts {
        lines.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    }
    for columns in &table.unique {
        lines.push(format!("UNIQUE ({})", list(columns)));
    }
    if dialect == Dialect::Sqlite {
        lines.extend(foreign_keys(table));
    }
    let strict = dialect == Dialect::Sqlite
        && stored(table).all(|column| {
            ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"]
                .contains(&column.data_type.to_uppercase().as_str())
        });
    format!(
        "\nCREATE TABLE {} (\n  {}\n){};\n",
        quoted(&table.name),
        lines.join(",\n  "),
        if strict { " STRICT" } else { "" }
    )
}

/// Whether the primary key is SQLite's own number of a row.
fn has_own_number(table: &Table) -> bool {
    let [key] = table.primary_key.as_slice() else {
        return false;
    };
    let mut columns = table.columns.iter();
    columns.any(|column| column.name == *key && column.data_type.eq_ignore_ascii_case("INTEGER"))
}

fn column(table: &Table, column: &Column, dialect: Dialect) -> String {
    let mut text = format!("{} {}", quoted(&column.name), column.data_type);
    let is_key = table.primary_key.as_slice() == [column.name.clone()];
    match dialect {
        Dialect::Sqlite => {
            // What the type holds is said in a comment behind it.
            let plain = matches!(
                column.kind.as_str(),
                "text" | "integer" | "real" | "bytes" | "other"
            );
            if !plain {
                text.push_str(&format!(" /* {} */", column.kind));
            }
            if is_key && has_own_number(table) {
                text.push_str(" PRIMARY KEY");
                return text;
            }
        }
        Dialect::Postgres if is_counted(column) => {
            text.push_str(" GENERATED BY DEFAULT AS IDENTITY");
        }
        Dialect::Postgres => {}
    }
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    if let Some(default) = column.default.as_deref().filter(|_| !is_counted(column)) {
        text.push_str(&match dialect {
            Dialect::Sqlite => format!(" DEFAULT ({default})"),
            Dialect::Postgres => format!(" DEFAULT {default}"),
        });
    }
    text
}

/// Whether the database counts its values.
fn is_counted(column: &Column) -> bool {
    let default = column.default.as_deref().unwrap_or_default();
    default == "identity" || default.starts_with("nextval(")
}

fn foreign_keys(table: &Table) -> impl Iterator<Item = String> {
    table.foreign_keys.iter().map(|key| {
        format!(
            "FOREIGN KEY ({}) REFERENCES {} ({})",
            list(&key.columns),
            quoted(&key.table),
            list(&key.references)
        )
    })
}

/// The expression that writes the statement of a row of `t`.
fn insert(table: &Table, dialect: Dialect) -> String {
    let names: Vec<String> = stored(table).map(|column| column.name.clone()).collect();
    let values: Vec<String> = stored(table)
        .map(|column| {
            let value = format!("t.{}", quoted(&column.name));
            match (dialect, column.kind.as_str()) {
                (Dialect::Sqlite, _) => format!("quote({value})"),
                (Dialect::Postgres, "integer" | "boolean") => {
                    format!("coalesce(CAST({value} AS text), 'NULL')")
                }
                (Dialect::Postgres, _) => format!("quote_nullable(CAST({value} AS text))"),
            }
        })
        .collect();
    if values.is_empty() {
        return literal(&format!(
            "INSERT INTO {} DEFAULT VALUES;",
            quoted(&table.name)
        ));
    }
    let begin = format!(
        "INSERT INTO {} ({}) VALUES (",
        quoted(&table.name),
        list(&names)
    );
    format!(
        "{} || {} || ');'",
        literal(&begin),
        values.join(" || ', ' || ")
    )
}

/// What comes when all rows are there.
fn foot<'a>(tables: impl Iterator<Item = &'a Table>, dialect: Dialect) -> String {
    let mut text = "\n".to_owned();
    if dialect == Dialect::Postgres {
        for table in tables {
            for key in foreign_keys(table) {
                text.push_str(&format!("ALTER TABLE {} ADD {key};\n", quoted(&table.name)));
            }
            for column in stored(table).filter(|column| is_counted(column)) {
                let (name, own) = (quoted(&table.name), quoted(&column.name));
                text.push_str(&format!(
                    "SELECT setval(pg_get_serial_sequence({}, {}), max({own})) FROM {name};\n",
                    literal(&name),
                    literal(&column.name)
                ));
            }
        }
    }
    text.push_str("COMMIT;\n");
    text
}
