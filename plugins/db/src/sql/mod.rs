//! The model in SQL. Names come from what the database described, values
//! are bound, and the database itself writes the JSON: rows are never built
//! again in the guest, and a read is one statement.

mod postgres;
mod read;
mod sqlite;
mod write;

pub(crate) use read::{Page, Wanted, read};
pub(crate) use write::{Change, Conflict, Insert, Row, Written, delete, insert, update};

use crate::{
    fault::{Fault, Result},
    model::{Cast, Field, Search},
};
use atlashub_sdk::{
    database::{self, Column},
    sql::{Dialect, Value},
};

/// What the two engines write differently.
trait Engine {
    /// A value of a row, for the JSON of that row.
    fn shown(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String>;

    /// The same as another type.
    fn cast(&self, value: &str, kind: &str, cast: Cast) -> Result<String>;

    /// A value to compare or to order by.
    fn operand(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String>;

    /// What a client wrote, as a value to compare with the field's.
    fn literal(&self, sql: &mut Writer, field: &Field<'_>, text: &str) -> Result<String>;

    /// `{…}` of named values, as JSON, selected by `rest`.
    fn object(&self, values: &[(String, String)], rest: &str) -> String;

    /// `[…]` of named values for each row that `rest` finds, as JSON.
    fn array(&self, values: &[(String, String)], rest: &str) -> String;

    /// One value of the row that `rest` finds.
    fn scalar(&self, value: &str, rest: &str) -> String;

    /// The statement that reads `[…]` as text, the number of rows in it, and
    /// `total`.
    fn page(&self, values: &[(String, String)], rest: &str, total: &str) -> String;

    /// A table to read from.
    fn source(&self, table: &str) -> String;

    /// Whether text is like a pattern of `%` and `_`, `\` before either.
    fn like(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        pattern: &str,
        fold: bool,
    ) -> Result<String>;

    /// Whether text matches a regular expression.
    fn matches(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        pattern: &str,
        fold: bool,
    ) -> Result<String>;

    /// Whether words are in a text.
    fn words(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        search: &Search,
    ) -> Result<String>;

    /// How arrays, ranges and JSON lie to each other.
    fn contains(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        operator: &str,
        value: &str,
    ) -> Result<String>;
}

/// The engine that this project's database is.
fn engine() -> &'static dyn Engine {
    match database::dialect() {
        Dialect::Postgres => &postgres::Postgres,
        Dialect::Sqlite => &sqlite::Sqlite,
    }
}

/// A statement's values, and names for the tables in it.
#[derive(Default)]
struct Writer {
    values: Vec<Value>,
    aliases: usize,
}

impl Writer {
    /// Binds a value: the place that stands for it.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// A name for a table that no other has.
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }
}

/// `name` as an identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text within the statement; only for names that clients choose for what
/// they are shown.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A column of a table.
fn column(alias: &str, column: &Column) -> String {
    format!("{alias}.{}", quoted(&column.name))
}

/// The error for what a column cannot hold, in the words of Postgres.
fn unfit(kind: &str, text: &str) -> Fault {
    Fault::value(atlashub_tables::cells::unfit(kind, text))
}
