//! What SQLite lacks of searching in texts, for the project's own tables:
//! `text_matches(text, pattern)` and `text_imatches(text, pattern)` for regular
//! expressions as Postgres' `~` and `~*` take them, and `text_search(text,
//! words, form)` for full-text search as Postgres does it with the
//! configuration `simple`: words in small letters, no stems, no stop words.
//!
//! Bounded by the size of what is searched and of what a pattern becomes; a
//! regular expression takes time in the product of both, whatever it is.

mod index;
mod pattern;
mod query;

use super::functions::{text, too_big};
use index::Index;
use query::Query;
use regex::Regex;
use rusqlite::{
    Connection, Error, Result, ffi,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};
use std::convert::Infallible;

/// Largest text that a regular expression looks through, bytes.
const MAX_MATCHED_BYTES: usize = 256 * 1024;
/// Largest text that is looked through for words, bytes.
const MAX_SEARCHED_BYTES: usize = 1024 * 1024;

/// What begins the message about a pattern that cannot be read.
pub(super) const INVALID_PATTERN: &str = "invalid regular expression";
/// What begins the message about words that cannot be read.
pub(super) const INVALID_QUERY: &str = "syntax error in tsquery";

/// Puts the functions in place.
pub(super) fn install(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection
        .create_scalar_function(c"text_matches", 2, flags, |context| matches(context, false))?;
    connection
        .create_scalar_function(c"text_imatches", 2, flags, |context| matches(context, true))?;
    connection.create_scalar_function(c"text_search", 3, flags, search)
}

fn matches(context: &Context<'_>, fold: bool) -> Result<Option<bool>> {
    let (Some(whole), true) = (text(context, 0), is_there(context, 1)) else {
        return Ok(None);
    };
    // Read once for all rows of a statement.
    let read = context.get_or_create_aux(1, |_| {
        let pattern = text(context, 1).unwrap_or_default();
        Ok::<Result<Regex, String>, Infallible>(pattern::read(&pattern, fold))
    })?;
    if whole.len() > MAX_MATCHED_BYTES {
        return Err(too_big());
    }
    match &*read {
        Ok(pattern) => Ok(Some(pattern.is_match(&whole))),
        Err(message) => Err(refused(INVALID_PATTERN, message)),
    }
}

fn search(context: &Context<'_>) -> Result<Option<bool>> {
    let (Some(whole), true) = (text(context, 0), is_there(context, 1)) else {
        return Ok(None);
    };
    let read = context.get_or_create_aux(1, |_| {
        let words = text(context, 1).unwrap_or_default();
        let form = text(context, 2).unwrap_or_default();
        Ok::<Result<Query, String>, Infallible>(Query::read(&words, &form))
    })?;
    if whole.len() > MAX_SEARCHED_BYTES {
        return Err(too_big());
    }
    match &*read {
        Ok(query) => Ok(Some(query.holds(&Index::of(&whole)))),
        Err(message) => Err(refused(INVALID_QUERY, message)),
    }
}

fn is_there(context: &Context<'_>, index: usize) -> bool {
    !matches!(context.get_raw(index), ValueRef::Null)
}

fn refused(what: &str, message: &str) -> Error {
    Error::SqliteFailure(
        ffi::Error::new(ffi::SQLITE_ERROR),
        Some(format!("{what}: {message}")),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        install(&connection).unwrap();
        connection
    }

    #[test]
    fn rows_are_found_by_patterns_and_words() {
        let connection = connection();
        connection
            .execute_batch(
                "CREATE TABLE t (id INTEGER, text TEXT); \
                 INSERT INTO t VALUES (1, 'Water the plants'), (2, 'weed'), (3, NULL), (4, 'WEED')",
            )
            .unwrap();
        let ids = |condition: &str| -> Vec<i64> {
            let sql = format!("SELECT id FROM t WHERE {condition} ORDER BY id");
            let mut statement = connection.prepare(&sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_>>().unwrap()
        };
        assert_eq!(ids("text_matches(text, '^w')"), [2]);
        assert_eq!(ids("NOT text_imatches(text, '^w')"), [0_i64; 0]);
        assert_eq!(ids("text_imatches(text, 'd$')"), [2, 4]);
        assert_eq!(ids("text_search(text, 'plants | weed', 'fts')"), [1, 2, 4]);
        assert_eq!(ids("text_search(text, 'the plants', 'phfts')"), [1]);
        assert_eq!(ids("text_search(text, NULL, 'fts')"), [0_i64; 0]);
    }

    #[test]
    fn what_cannot_be_read_or_is_too_large_is_an_error() {
        let connection = connection();
        let said = |expression: &str| {
            let read: Result<Option<bool>> =
                connection.query_row(&format!("SELECT {expression}"), [], |row| row.get(0));
            read.unwrap_err().to_string()
        };
        assert!(said("text_matches('a', '(')").starts_with(INVALID_PATTERN));
        assert!(said("text_search('a', 'a &', 'fts')").starts_with(INVALID_QUERY));
        let large = "replace(hex(zeroblob(1000000)), '0', 'a')";
        for call in [
            format!("text_matches({large}, 'b')"),
            format!("text_search({large}, 'b', 'fts')"),
        ] {
            assert!(said(&call).contains("too big"), "{}", said(&call));
        }
    }
}
