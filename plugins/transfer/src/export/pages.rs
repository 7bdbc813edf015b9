//! Rows page by page, in the order of the primary key, or of where they lie
//! where there is none. The database writes a page as one text. Pages are as
//! large as makes them a MiB or so; a row that is larger than an answer may
//! be comes in pieces.

use crate::names::{literal, of_table, quoted};
use atlashub_sdk::{
    database::{self, Column, Table},
    prelude::*,
    sql::{Dialect, Value},
};

/// Bytes that a page is meant to have.
const TARGET: u64 = 1_280 * 1024;
/// Rows of the first page, and of any.
const FIRST: u64 = 200;
const MOST: u64 = 20_000;
/// Characters of a piece of a large row.
const PIECE: i64 = 768 * 1024;
/// Blocks of Postgres' that one page looks at, where rows have no key.
const BLOCKS: i64 = 256;

/// Where a row is: the values of its key, as text.
pub(super) type Place = Vec<Part>;

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Part {
    Number(i64),
    Text(String),
}

/// By what rows are told apart.
#[derive(Debug)]
enum Key {
    /// Columns, with their types.
    Columns(Vec<(String, String)>),
    /// SQLite's number of a row.
    RowId,
    /// Where Postgres has it.
    Ctid,
}

/// Reads a table page by page.
#[derive(Debug)]
pub(super) struct Pages {
    table: String,
    line: String,
    between: String,
    key: Key,
    /// Whether the key is one column whose largest value can be told.
    has_largest: bool,
    size: u64,
    dialect: Dialect,
    /// Blocks that the table has, where that is needed.
    blocks: i64,
}

/// What a page had.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) rows: u64,
    /// Where it ended; none when nothing comes after.
    pub(super) last: Option<Place>,
}

impl Pages {
    /// Pages of lines, written by the expression `line` over a row of `t`,
    /// with `between` between them.
    pub(super) fn new(table: &Table, line: &str, between: &str, size: u64) -> Result<Self> {
        let dialect = database::dialect();
        let key = key(table, dialect);
        let name = of_table(table);
        let blocks = match key {
            Key::Ctid => database::query_one(
                &format!(
                    "SELECT pg_relation_size(CAST({} AS regclass)) \
                     / CAST(current_setting('block_size') AS bigint)",
                    literal(&name)
                ),
                params![],
            )?,
            _ => 0,
        };
        let between: Vec<String> = between
            .bytes()
            .map(|byte| match (byte, dialect) {
                (b'\r' | b'\n', Dialect::Postgres) => format!("chr({byte})"),
                (b'\r' | b'\n', Dialect::Sqlite) => format!("char({byte})"),
                _ => literal(&char::from(byte).to_string()),
            })
            .collect();
        Ok(Self {
            table: name,
            line: line.to_owned(),
            between: between.join(" || "),
            has_largest: has_largest(table),
            key,
            size: if size == 0 { FIRST } else { size },
            dialect,
            blocks,
        })
    }

    /// Rows that the next page has, at most.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// From one row on: the next page is small.
    pub(super) fn begin_small(&mut self) {
        self.size = 1;
    }

    /// The statement that selects these cells of Postgres' rows behind
    /// `place`, and which of its cells are the key.
    pub(super) fn statement(
        &self,
        cells: &[String],
        place: Option<&Place>,
        size: u64,
    ) -> (String, Vec<usize>) {
        let mut cells = cells.to_vec();
        let table = &self.table;
        let Key::Columns(columns) = &self.key else {
            let text = match place.and_then(|place| place.first()) {
                Some(Part::Text(last)) => last.as_str(),
                _ => "(0,0)",
            };
            let end = block(place).saturating_add(BLOCKS);
            cells.push("t.ctid".to_owned());
            let sql = format!(
                "SELECT {} FROM {table} AS t WHERE t.ctid > CAST({} AS tid) \
                 AND t.ctid < CAST('({end},0)' AS tid) ORDER BY t.ctid LIMIT {size}",
                cells.join(", "),
                literal(text)
            );
            return (sql, vec![cells.len() - 1]);
        };
        let names: Vec<String> = columns
            .iter()
            .map(|(name, _)| format!("t.{}", quoted(name)))
            .collect();
        let mut keys = Vec::new();
        for name in &names {
            let found = cells.iter().position(|cell| cell == name);
            keys.push(found.unwrap_or(cells.len()));
            if found.is_none() {
                cells.push(name.clone());
            }
        }
        let after = place.map(|place| {
            let bound: Vec<String> = place
                .iter()
                .zip(columns)
                .map(|(part, (_, data_type))| {
                    let text = match part {
                        Part::Number(number) => number.to_string(),
                        Part::Text(text) => text.clone(),
                    };
                    format!("CAST({} AS {data_type})", literal(&text))
                })
                .collect();
            format!(" WHERE ({}) > ({})", names.join(", "), bound.join(", "))
        });
        let sql = format!(
            "SELECT {} FROM {table} AS t{} ORDER BY {} LIMIT {size}",
            cells.join(", "),
            after.unwrap_or_default(),
            names.join(", ")
        );
        (sql, keys)
    }

    /// Whether nothing comes after a statement that had so many rows, which
    /// was all that it asked for or not.
    pub(super) fn is_over(&self, rows: u64, was_full: bool) -> bool {
        match self.key {
            Key::Ctid => rows == 0,
            _ => !was_full,
        }
    }

    /// How many rows there are, if that can be told soon.
    pub(super) fn count(&self) -> Option<u64> {
        let counted = match self.dialect {
            Dialect::Sqlite => {
                database::query_one(&format!("SELECT count(*) FROM {}", self.table), params![])
            }
            Dialect::Postgres => database::query_one(
                &format!(
                    "SELECT CASE WHEN reltuples < 0 THEN NULL ELSE CAST(reltuples AS bigint) END \
                     FROM pg_catalog.pg_class WHERE oid = CAST({} AS regclass)",
                    literal(&self.table)
                ),
                params![],
            ),
        };
        match counted {
            Ok(count) => count,
            Err(error) => {
                log::debug!("count the rows: {error}");
                None
            }
        }
    }

    /// Hands the page behind `place` on; large rows in pieces.
    pub(super) fn next(
        &mut self,
        place: Option<&Place>,
        mut take: impl FnMut(&str) -> Result<()>,
    ) -> Result<Page> {
        let mut place = place.cloned();
        loop {
            match self.page(place.as_ref(), self.size) {
                Ok((text, page)) => {
                    if page.rows == 0 {
                        // Blocks without rows are passed by.
                        if page.last.is_none() {
                            return Ok(page);
                        }
                        place = page.last;
                        continue;
                    }
                    take(&text)?;
                    self.adapt(page.rows, text.len() as u64);
                    return Ok(page);
                }
                Err(error) if is_too_large(&error) && self.size > 1 => {
                    self.size = (self.size / 8).max(1);
                }
                Err(error) if is_too_large(&error) => return self.in_pieces(place.as_ref(), take),
                Err(error) => return Err(error),
            }
        }
    }

    fn adapt(&mut self, rows: u64, bytes: u64) {
        let fits = rows.saturating_mul(TARGET) / bytes.max(1);
        // Rows that follow may be larger.
        self.size = fits.clamp(1, MOST).min(self.size.saturating_mul(4));
    }

    /// One row, piece by piece.
    fn in_pieces(
        &self,
        place: Option<&Place>,
        mut take: impl FnMut(&str) -> Result<()>,
    ) -> Result<Page> {
        let mut values = Vec::new();
        let rows = self.rows(place, 1, &mut values);
        let from = values.len() + 1;
        let mut start = 1_i64;
        loop {
            let mut values = values.clone();
            values.push(Value::Integer(start));
            let piece: Option<(String, String)> = database::query_optional(
                &format!(
                    "SELECT substr(line, CAST(${from} AS integer), {PIECE}), {} FROM ({rows}) AS page",
                    self.own_key()
                ),
                values,
            )?;
            let Some((text, last)) = piece else {
                return Ok(Page::default());
            };
            let length = text.chars().count();
            take(&text)?;
            let read = i64::try_from(length).unwrap_or(i64::MAX);
            if read < PIECE {
                return Ok(Page {
                    rows: 1,
                    last: Some(serde_json::from_str(&last)?),
                });
            }
            start = start.saturating_add(read);
        }
    }

    fn page(&self, place: Option<&Place>, size: u64) -> Result<(String, Page)> {
        let mut values = Vec::new();
        let rows = self.rows(place, size, &mut values);
        let between = &self.between;
        let sql = match self.dialect {
            Dialect::Postgres => format!(
                "SELECT coalesce(string_agg(line, {between}), ''), count(*), \
                 CASE WHEN count(*) > 0 THEN {} END FROM ({rows}) AS page",
                self.last_key()
            ),
            // The value beside a maximum is that of its row.
            Dialect::Sqlite => format!(
                "SELECT text, rows, k FROM (SELECT coalesce(group_concat(line, {between}), '') AS text, \
                 count(*) AS rows, k, max(n) FROM (SELECT line, k, row_number() OVER () AS n \
                 FROM ({rows})))"
            ),
        };
        let (text, rows, last): (String, u64, Option<String>) = database::query_one(&sql, values)?;
        let last = match last {
            Some(last) => Some(serde_json::from_str(&last)?),
            None => self.next_blocks(place),
        };
        Ok((text, Page { rows, last }))
    }

    /// The key of the last row of Postgres' page. What grows from row to row
    /// is told by its largest value.
    fn last_key(&self) -> String {
        let last = |at: usize| format!("(array_agg(k{at}))[CAST(count(*) AS integer)]");
        match &self.key {
            Key::Columns(columns) if columns.len() == 1 && self.has_largest => {
                written(1, |_| "max(k0)".to_owned())
            }
            Key::Columns(columns) => written(columns.len(), last),
            _ => written(1, last),
        }
    }

    /// The key of a row of its own.
    fn own_key(&self) -> String {
        match (self.dialect, &self.key) {
            (Dialect::Sqlite, _) => "k".to_owned(),
            (_, Key::Columns(columns)) => written(columns.len(), |at| format!("k{at}")),
            _ => written(1, |at| format!("k{at}")),
        }
    }

    /// Where to go on behind blocks without rows, if there are more.
    pub(super) fn next_blocks(&self, place: Option<&Place>) -> Option<Place> {
        let Key::Ctid = self.key else {
            return None;
        };
        let next = block(place).saturating_add(BLOCKS);
        (next < self.blocks).then(|| vec![Part::Text(format!("({next},0)"))])
    }

    /// The statement that reads rows: their lines, and where they are.
    fn rows(&self, place: Option<&Place>, size: u64, values: &mut Vec<Value>) -> String {
        let Self { table, line, .. } = self;
        // A parameter, so that every page is the same statement.
        let limit = |values: &mut Vec<Value>| {
            values.push(Value::from(size));
            format!("LIMIT CAST(${} AS bigint)", values.len())
        };
        match &self.key {
            Key::RowId => {
                let after = match place.and_then(|place| place.first()) {
                    Some(Part::Number(id)) => {
                        values.push(Value::Integer(*id));
                        " WHERE t._rowid_ > $1"
                    }
                    _ => "",
                };
                let limit = limit(values);
                format!(
                    "SELECT {line} AS line, json_array(t._rowid_) AS k FROM {table} AS t{after} \
                     ORDER BY t._rowid_ {limit}"
                )
            }
            Key::Ctid => {
                let last = match place.and_then(|place| place.first()) {
                    Some(Part::Text(last)) => last.clone(),
                    _ => "(0,0)".to_owned(),
                };
                let end = block(place).saturating_add(BLOCKS);
                values.push(Value::Text(last));
                values.push(Value::Text(format!("({end},0)")));
                let limit = limit(values);
                format!(
                    "SELECT {line} AS line, t.ctid AS k0 \
                     FROM {table} AS t WHERE t.ctid > CAST(CAST($1 AS text) AS tid) \
                     AND t.ctid < CAST(CAST($2 AS text) AS tid) ORDER BY t.ctid {limit}"
                )
            }
            Key::Columns(columns) => {
                let names: Vec<String> = columns
                    .iter()
                    .map(|(name, _)| format!("t.{}", quoted(name)))
                    .collect();
                let order = names.join(", ");
                let mut after = String::new();
                if let Some(place) = place {
                    let bound: Vec<String> = place
                        .iter()
                        .zip(columns)
                        .map(|(part, (_, data_type))| {
                            values.push(match part {
                                Part::Number(number) => Value::Integer(*number),
                                Part::Text(text) => Value::Text(text.clone()),
                            });
                            let at = values.len();
                            match (self.dialect, part) {
                                (Dialect::Sqlite, _) => format!("${at}"),
                                (Dialect::Postgres, Part::Number(_)) => {
                                    format!("CAST(CAST(${at} AS bigint) AS {data_type})")
                                }
                                (Dialect::Postgres, Part::Text(_)) => {
                                    format!("CAST(CAST(${at} AS text) AS {data_type})")
                                }
                            }
                        })
                        .collect();
                    after = format!(" WHERE ({order}) > ({})", bound.join(", "));
                }
                let limit = limit(values);
                let key = match self.dialect {
                    Dialect::Sqlite => format!("json_array({order}) AS k"),
                    Dialect::Postgres => {
                        let keys: Vec<String> = names
                            .iter()
                            .enumerate()
                            .map(|(at, name)| format!("{name} AS k{at}"))
                            .collect();
                        keys.join(", ")
                    }
                };
                format!(
                    "SELECT {line} AS line, {key} FROM {table} AS t{after} \
                     ORDER BY {order} {limit}"
                )
            }
        }
    }
}

/// Values of a key as a JSON list of texts, on Postgres.
fn written(count: usize, value: impl Fn(usize) -> String) -> String {
    let texts: Vec<String> = (0..count)
        .map(|at| format!("CAST({} AS text)", value(at)))
        .collect();
    format!("CAST(json_build_array({}) AS text)", texts.join(", "))
}

fn is_too_large(error: &Error) -> bool {
    // What takes too long may be too large, too.
    matches!(error.code(), "sql_too_many_rows" | "sql_timeout") || error.sqlstate() == Some("54000")
}

/// The block in which a place of Postgres' is.
fn block(place: Option<&Place>) -> i64 {
    let Some(Part::Text(text)) = place.and_then(|place| place.first()) else {
        return 0;
    };
    let number = text.trim_start_matches('(').split(',').next();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn has_largest(table: &Table) -> bool {
    let [key] = table.primary_key.as_slice() else {
        return false;
    };
    let mut columns = table.columns.iter();
    columns.any(|column| {
        column.name == *key
            && matches!(
                column.kind.as_str(),
                "integer" | "text" | "numeric" | "date" | "timestamp"
            )
    })
}

fn key(table: &Table, dialect: Dialect) -> Key {
    let columns: Vec<&Column> = table
        .primary_key
        .iter()
        .filter_map(|name| table.columns.iter().find(|column| column.name == *name))
        .collect();
    // Of SQLite's values only these are the same again after JSON.
    let is_plain = |column: &&Column| {
        !column.nullable && matches!(column.kind.as_str(), "integer" | "text" | "uuid")
    };
    match dialect {
        _ if columns.is_empty() => match dialect {
            Dialect::Postgres => Key::Ctid,
            Dialect::Sqlite => Key::RowId,
        },
        Dialect::Sqlite if !columns.iter().all(is_plain) => Key::RowId,
        _ => Key::Columns(
            columns
                .iter()
                .map(|column| (column.name.clone(), column.data_type.clone()))
                .collect(),
        ),
    }
}
