//! Writes, and what they give back.
//!
//! On Postgres a write and its rows are one statement. On SQLite a caller
//! whom policies bind names rows by their ids and sees them only through
//! what may be read, so that a write and the reading of its rows are several
//! statements of one transaction.

mod cells;
mod on_postgres;
mod on_sqlite;

use super::{Page, Writer};
use crate::{
    fault::{Fault, Result},
    model::{MAX_ROWS, Select},
};
use atlashub_sdk::{
    database::{self, Column, Table, Transaction},
    sql::{Dialect, Rows},
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Values as a client wrote them, by column.
pub(crate) type Row = BTreeMap<String, Box<RawValue>>;

/// Rows to be made.
#[derive(Debug)]
pub(crate) struct Insert<'a> {
    pub(crate) table: &'a Table,
    pub(crate) rows: Vec<Row>,
    /// The columns to be set, NULL where a row has none of that name; else
    /// those that each row has.
    pub(crate) columns: Option<Vec<&'a Column>>,
    pub(crate) conflict: Option<Conflict<'a>>,
}

/// What to do with rows that are there already.
#[derive(Debug)]
pub(crate) struct Conflict<'a> {
    /// The columns that tell.
    pub(crate) columns: Vec<&'a Column>,
    /// They get the new values; else they stay as they are.
    pub(crate) merge: bool,
}

/// What goes with a write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change<'a> {
    /// What is given back of the rows; nothing if that is none.
    pub(crate) back: Option<&'a Select<'a>>,
    /// More rows than these end it.
    pub(crate) most: Option<u64>,
    /// Nothing lasts unless exactly one row is given back.
    pub(crate) single: bool,
    /// All is undone in the end.
    pub(crate) undo: bool,
}

/// What a write did.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Rows that it made, changed or deleted.
    pub(crate) affected: u64,
    /// These rows, if they were asked for.
    pub(crate) page: Option<Page>,
}

impl Written {
    /// Puts what another did behind it.
    fn add(&mut self, other: Self) {
        self.affected += other.affected;
        if let (Some(page), Some(more)) = (&mut self.page, other.page) {
            page.append(more);
        }
    }
}

/// Rows of the same columns that follow each other.
struct Group<'a> {
    columns: Vec<&'a Column>,
    rows: Vec<&'a Row>,
}

impl<'a> Insert<'a> {
    fn groups(&'a self) -> Result<Vec<Group<'a>>> {
        if let Some(columns) = &self.columns {
            return Ok(vec![Group {
                columns: columns.clone(),
                rows: self.rows.iter().collect(),
            }]);
        }
        let mut groups: Vec<Group<'a>> = Vec::new();
        for row in &self.rows {
            let same = groups.last_mut().filter(|group| {
                group.columns.len() == row.len()
                    && group
                        .columns
                        .iter()
                        .all(|column| row.contains_key(&column.name))
            });
            match same {
                Some(group) => group.rows.push(row),
                None => groups.push(Group {
                    columns: columns_of(self.table, row)?,
                    rows: vec![row],
                }),
            }
        }
        Ok(groups)
    }
}

/// The columns that a row has values for.
pub(crate) fn columns_of<'a>(table: &'a Table, row: &Row) -> Result<Vec<&'a Column>> {
    row.keys()
        .map(|name| {
            crate::schema::column(table, name)
                .map_err(|_| Fault::unknown_body_column(&table.name, name))
        })
        .collect()
}

/// Where statements run.
#[derive(Clone, Copy)]
enum Run<'a> {
    Alone,
    Within(&'a Transaction),
}

impl Run<'_> {
    fn query(self, text: &str, sql: Writer) -> Result<Rows> {
        Ok(match self {
            Self::Alone => database::query_rows(text, sql.values)?,
            Self::Within(transaction) => transaction.query_rows(text, sql.values)?,
        })
    }

    fn execute(self, text: &str, sql: Writer) -> Result<u64> {
        Ok(match self {
            Self::Alone => database::execute(text, sql.values)?,
            Self::Within(transaction) => transaction.execute(text, sql.values)?,
        })
    }
}

/// Makes rows.
///
/// # Errors
/// The database's, and what a table does not take.
pub(crate) fn insert(insert: &Insert<'_>, mut change: Change<'_>) -> Result<Written> {
    writable(insert.table)?;
    // One row that is made is one row.
    change.single &= insert.rows.len() != 1
        || insert.conflict.is_some()
        || change.back.is_some_and(Select::is_narrowed);
    let groups = insert.groups()?;
    if database::dialect() == Dialect::Postgres {
        let alone = groups.len() == 1 && insert.rows.len() <= most_back();
        run(change, alone, |run| {
            on_postgres::insert(run, insert, &groups, change.back)
        })
    } else {
        let alone = groups.len() == 1
            && change.back.is_none()
            && insert
                .conflict
                .as_ref()
                .is_none_or(|conflict| !conflict.merge);
        run(change, alone, |run| {
            on_sqlite::insert(run, insert, &groups, change.back)
        })
    }
}

/// Changes the rows that `rows` selects.
///
/// # Errors
/// As [`insert`].
pub(crate) fn update(rows: &Select<'_>, values: &Row, change: Change<'_>) -> Result<Written> {
    writable(rows.table)?;
    let columns = columns_of(rows.table, values)?;
    if columns.is_empty() {
        // Nothing changes, so nothing is written.
        return Ok(Written {
            affected: 0,
            page: change.back.map(|_| Page::empty()),
        });
    }
    let postgres = database::dialect() == Dialect::Postgres;
    run(change, change.back.is_none(), |run| {
        if postgres {
            on_postgres::update(run, rows, &columns, values, change.back)
        } else {
            on_sqlite::update(run, rows, &columns, values, change.back)
        }
    })
}

/// Deletes the rows that `rows` selects.
///
/// # Errors
/// As [`insert`].
pub(crate) fn delete(rows: &Select<'_>, change: Change<'_>) -> Result<Written> {
    writable(rows.table)?;
    let postgres = database::dialect() == Dialect::Postgres;
    run(change, change.back.is_none(), |run| {
        if postgres {
            on_postgres::delete(run, rows, change.back)
        } else {
            on_sqlite::delete(run, rows, change.back)
        }
    })
}

/// Views are written on Postgres alone, where they may be tables in disguise.
fn writable(table: &Table) -> Result<()> {
    if table.kind == "view" && database::dialect() == Dialect::Sqlite {
        return Err(Fault::not_writable(&table.name));
    }
    Ok(())
}

fn most_back() -> usize {
    usize::try_from(MAX_ROWS).unwrap_or(usize::MAX)
}

/// Runs `work`; in a transaction, unless it can stand `alone` and nothing
/// needs to be looked at before it lasts.
fn run(
    change: Change<'_>,
    alone: bool,
    work: impl FnOnce(Run<'_>) -> Result<Written>,
) -> Result<Written> {
    if alone && change.most.is_none() && !change.single && !change.undo {
        return work(Run::Alone);
    }
    let transaction = Transaction::begin()?;
    let written = work(Run::Within(&transaction))?;
    if change.most.is_some_and(|most| written.affected > most) {
        return Err(Fault::beyond_max_affected(written.affected));
    }
    if change.back.is_some() && written.affected > MAX_ROWS {
        return Err(too_many());
    }
    let rows = written.page.as_ref().map(|page| page.rows);
    if let Some(rows) = rows.filter(|rows| change.single && *rows != 1) {
        return Err(Fault::not_single(rows));
    }
    if change.undo {
        transaction.rollback()?;
    } else {
        transaction.commit()?;
    }
    Ok(written)
}

/// The error for more rows than an answer may have.
fn too_many() -> Fault {
    Fault::too_many(format!(
        "more than {MAX_ROWS} rows would be given back: write without them, or fewer"
    ))
}
