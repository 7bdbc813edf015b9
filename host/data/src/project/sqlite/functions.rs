//! SQLite's own `instr`, `replace`, `trim`, `ltrim` and `rtrim` take time in
//! the product of their arguments' lengths, within one step that nothing can
//! stop: minutes for two values of a few megabytes. These take their place,
//! with the same results, in time that grows with the sum.
//!
//! Beside them stand the functions that row policies use, and `base64`.

use super::{search, statement::MAX_VALUE_BYTES};
use atlashub_core::capability::database::BoundCaller;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use rusqlite::{
    Connection, Error, Result, ffi,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};
use std::{borrow::Cow, collections::HashSet, sync::Arc};

/// Most byte comparisons in a search through a blob.
const MAX_COMPARISONS: usize = 1 << 28;

/// Puts the functions in place.
pub(super) fn install(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(c"instr", 2, flags, instr)?;
    connection.create_scalar_function(c"replace", 3, flags, replace)?;
    for count in [1, 2] {
        connection.create_scalar_function(c"trim", count, flags, |context| {
            trimmed(context, |text, set| text.trim_matches(set))
        })?;
        connection.create_scalar_function(c"ltrim", count, flags, |context| {
            trimmed(context, |text, set| text.trim_start_matches(set))
        })?;
        connection.create_scalar_function(c"rtrim", count, flags, |context| {
            trimmed(context, |text, set| text.trim_end_matches(set))
        })?;
    }
    Ok(())
}

/// Who calls, for the functions of policies; none for who reaches all rows.
pub(super) type CallerCell = Arc<Mutex<Option<Arc<BoundCaller>>>>;

/// Puts in place what statements on the project's own tables may call:
/// `caller_id()`, `caller_role()`, `caller_has_role(name)`,
/// `caller_claims()`, `base64(bytes)`, and what searches in texts.
///
/// They are deterministic within a run, which is all that SQLite asks: it
/// keeps a result until the statement ends, and no longer.
pub(super) fn install_caller(connection: &Connection, cell: &CallerCell) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    search::install(connection)?;
    let caller = Arc::clone(cell);
    connection.create_scalar_function(c"caller_id", 0, flags, move |_| {
        let id = caller.lock().as_ref().and_then(|caller| caller.id());
        Ok(id.map(|id| id.hyphenated().to_string()))
    })?;
    let caller = Arc::clone(cell);
    connection.create_scalar_function(c"caller_role", 0, flags, move |_| {
        Ok(caller
            .lock()
            .as_ref()
            .map_or("service", |caller| caller.role()))
    })?;
    let caller = Arc::clone(cell);
    connection.create_scalar_function(c"caller_has_role", 1, flags, move |context| {
        let name = text(context, 0).unwrap_or_default();
        Ok(match caller.lock().as_ref() {
            None => name == "service",
            Some(caller) => caller.role() == name || caller.roles().iter().any(|own| *own == name),
        })
    })?;
    let caller = Arc::clone(cell);
    connection.create_scalar_function(c"caller_claims", 0, flags, move |_| {
        Ok(caller.lock().as_ref().map_or_else(
            || r#"{"role":"service"}"#.to_owned(),
            |caller| caller.claims().to_owned(),
        ))
    })?;
    connection.create_scalar_function(c"base64", 1, flags, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Null => None,
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => {
                let length = bytes.len().div_ceil(3).saturating_mul(4);
                if length > MAX_VALUE_BYTES {
                    return Err(too_big());
                }
                Some(STANDARD.encode(bytes))
            }
            ValueRef::Integer(value) => Some(STANDARD.encode(value.to_string())),
            ValueRef::Real(value) => Some(STANDARD.encode(value.to_string())),
        })
    })
}

/// An argument as text; `None` for NULL.
pub(super) fn text<'a>(context: &'a Context<'_>, index: usize) -> Option<Cow<'a, str>> {
    match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(Cow::Owned(value.to_string())),
        ValueRef::Real(value) => Some(Cow::Owned(format!("{value:?}"))),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
    }
}

/// The failure for a value beyond what a function takes.
pub(super) fn too_big() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None)
}

fn position(at: usize) -> Value {
    Value::Integer(i64::try_from(at).unwrap_or(i64::MAX))
}

fn instr(context: &Context<'_>) -> Result<Value> {
    if let (ValueRef::Blob(haystack), ValueRef::Blob(needle)) =
        (context.get_raw(0), context.get_raw(1))
    {
        if needle.is_empty() {
            return Ok(position(1));
        }
        if haystack.len().saturating_mul(needle.len()) > MAX_COMPARISONS {
            return Err(too_big());
        }
        let found = haystack
            .windows(needle.len())
            .position(|window| window == needle);
        return Ok(position(found.map_or(0, |at| at + 1)));
    }
    let (Some(haystack), Some(needle)) = (text(context, 0), text(context, 1)) else {
        return Ok(Value::Null);
    };
    let before = haystack
        .find(&*needle)
        .and_then(|at| haystack.get(..at))
        .map(|before| before.chars().count());
    Ok(position(before.map_or(0, |count| count + 1)))
}

fn replace(context: &Context<'_>) -> Result<Value> {
    let (Some(whole), Some(pattern), Some(with)) =
        (text(context, 0), text(context, 1), text(context, 2))
    else {
        return Ok(Value::Null);
    };
    if pattern.is_empty() {
        return Ok(Value::Text(whole.into_owned()));
    }
    let count = whole.matches(&*pattern).count();
    let length = whole.len() - count * pattern.len() + count.saturating_mul(with.len());
    if length > MAX_VALUE_BYTES {
        return Err(too_big());
    }
    Ok(Value::Text(whole.replace(&*pattern, &with)))
}

fn trimmed(
    context: &Context<'_>,
    trim: impl for<'a> Fn(&'a str, &dyn Fn(char) -> bool) -> &'a str,
) -> Result<Value> {
    let Some(whole) = text(context, 0) else {
        return Ok(Value::Null);
    };
    let rest = if context.len() == 1 {
        trim(&whole, &|c| c == ' ')
    } else {
        let Some(characters) = text(context, 1) else {
            return Ok(Value::Null);
        };
        let set: HashSet<char> = characters.chars().collect();
        trim(&whole, &|c| set.contains(&c))
    };
    Ok(Value::Text(rest.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use rusqlite::types::Value;

    /// Expressions whose results must be those of SQLite's own functions.
    const SAME: &[&str] = &[
        "instr('häuser', 'u')",
        "instr('abc', 'x')",
        "instr('abc', '')",
        "instr('', 'a')",
        "instr(NULL, 'a')",
        "instr('a', NULL)",
        "instr(x'010203', x'0203')",
        "instr(x'010203', x'')",
        "instr(x'616263', 'c')",
        "instr(12345, 34)",
        "instr(1.5, '.')",
        "replace('aaa', 'a', 'bb')",
        "replace('aaa', 'aa', 'b')",
        "replace('abc', '', 'x')",
        "replace('abc', 'b', '')",
        "replace('abc', NULL, '')",
        "replace(NULL, 'a', 'b')",
        "replace(1212, 1, 3)",
        "replace('ä.ä', 'ä', '')",
        "trim('  a b  ')",
        "trim(char(9) || ' a')",
        "ltrim('xxaxx', 'x')",
        "rtrim('xxaxx', 'x')",
        "trim('äbäcä', 'äb')",
        "trim('abc', '')",
        "trim('aaa', 'a')",
        "trim(NULL)",
        "trim('a', NULL)",
        "trim(0.5)",
        "rtrim(100, 0)",
        "typeof(trim(100))",
    ];

    #[test]
    fn results_are_those_of_the_functions_replaced() {
        let (own, original) = (
            Connection::open_in_memory().unwrap(),
            Connection::open_in_memory().unwrap(),
        );
        install(&own).unwrap();
        for expression in SAME {
            let value = |connection: &Connection| -> Value {
                let sql = format!("SELECT {expression}");
                connection.query_row(&sql, [], |row| row.get(0)).unwrap()
            };
            assert_eq!(value(&own), value(&original), "{expression}");
        }
    }

    #[test]
    fn large_arguments_take_no_time() {
        let connection = Connection::open_in_memory().unwrap();
        install(&connection).unwrap();
        let started = std::time::Instant::now();
        let sql = "WITH big(a, b) AS (SELECT replace(hex(zeroblob(2000000)), '0', 'a'), \
                   replace(hex(zeroblob(1000000)), '0', 'a') || 'b') \
                   SELECT instr(a, b), length(replace(a, b, '')), length(trim(a, b)) FROM big";
        let found: (i64, i64, i64) = connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        assert_eq!(found, (0, 4_000_000, 0));
        assert!(started.elapsed() < std::time::Duration::from_secs(5));
        let blobs = "SELECT instr(zeroblob(2000000), zeroblob(1000000))";
        let searched = connection.query_row(blobs, [], |row| row.get::<_, i64>(0));
        assert!(searched.is_err());
    }
}
