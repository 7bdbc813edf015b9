//! What to change in a statement that the database did not take. A parser of
//! ours reads the text once more, after the refusal alone: it gives words and
//! decides nothing.

use crate::project::text;
use atlashub_core::{Error, capability::sql::Dialect};
use sqlparser::{
    dialect::{PostgreSqlDialect, SQLiteDialect},
    parser::{Parser, ParserError},
};

/// What statements begin with.
const BEGINNINGS: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "CREATE", "ALTER", "DROP", "EXPLAIN",
];
/// Longest text that is read for a hint, bytes.
const MAX_BYTES: usize = 100_000;

/// Adds a `hint` to the refusal of a statement whose text is at fault, unless
/// the database gave one.
pub(super) fn advise(error: Error, sql: &str, dialect: Dialect) -> Error {
    let is_mended_by_words = error.code() == "sql_syntax" && !error.fields().contains_key("hint");
    if !is_mended_by_words || sql.len() > MAX_BYTES {
        return error;
    }
    match hint(sql, dialect) {
        Some(hint) => error.with_field("hint", hint),
        None => error,
    }
}

fn hint(sql: &str, dialect: Dialect) -> Option<String> {
    let first = text::first_word(sql);
    if let Some(meant) = meant(&first) {
        return Some(format!("did you mean `{meant}` instead of `{first}`?"));
    }
    let parsed = match dialect {
        Dialect::Sqlite => Parser::parse_sql(&SQLiteDialect {}, sql),
        Dialect::Postgres => Parser::parse_sql(&PostgreSqlDialect {}, sql),
    };
    match parsed {
        Ok(statements) if statements.len() > 1 => Some(format!(
            "one statement is run at a time: run these {} one after the other",
            statements.len()
        )),
        // The text is sound; what it names is not there, as the database says.
        Ok(_) => None,
        Err(ParserError::RecursionLimitExceeded) => {
            Some("it is nested too deeply: split it up".to_owned())
        }
        Err(ParserError::TokenizerError(said) | ParserError::ParserError(said)) => {
            Some(in_our_words(&said))
        }
    }
}

/// The beginning that a word is one or two letters away from.
fn meant(first: &str) -> Option<&'static str> {
    if first.len() < 4 || BEGINNINGS.contains(&first) {
        return None;
    }
    BEGINNINGS
        .iter()
        .copied()
        .filter(|word| word.len() > 4 || first.len() < 6)
        .map(|word| (strsim::osa_distance(first, word), word))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, word)| word)
}

/// `Expected: x, found: y at Line: 1, Column: 8`, said as the rest of the
/// messages are.
fn in_our_words(said: &str) -> String {
    let (what, place) = match said.rsplit_once(" at Line: ") {
        Some((what, place)) => (what, place.split_once(", Column: ")),
        None => (said, None),
    };
    let what = match what
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.split_once(", found: "))
    {
        Some((expected, "EOF")) => format!("it ends where {expected} is expected"),
        Some((expected, found)) => format!("`{found}` stands where {expected} is expected"),
        None => lower_first(what),
    };
    match place {
        Some((line, column)) => format!("line {line}, column {column}: {what}"),
        None => what,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn said(sql: &str) -> Option<String> {
        let both = [Dialect::Sqlite, Dialect::Postgres].map(|dialect| {
            let refusal = Error::invalid("sql_syntax", "syntax error");
            let error = advise(refusal, sql, dialect);
            error
                .fields()
                .get("hint")
                .map(|hint| hint.as_str().unwrap().to_owned())
        });
        assert_eq!(both[0], both[1], "{sql}");
        both[0].clone()
    }

    #[test]
    fn the_hint_says_what_to_change() {
        for (sql, hint) in [
            ("SELEC 1", "did you mean `SELECT` instead of `SELEC`?"),
            (
                "udpate x SET a = 1",
                "did you mean `UPDATE` instead of `UDPATE`?",
            ),
            (
                "SELECT 1; SELECT 2; SELECT 3",
                "one statement is run at a time: run these 3 one after the other",
            ),
            (
                "SELECT id FRM x WHERE",
                "line 1, column 15: `x` stands where end of statement is expected",
            ),
            (
                "SELECT * FROM x WHERE",
                "it ends where an expression is expected",
            ),
            ("SELECT 'x", "line 1, column 8: unterminated string literal"),
        ] {
            assert_eq!(said(sql).as_deref(), Some(hint), "{sql}");
        }
    }

    #[test]
    fn a_sound_text_and_a_hint_of_the_database_are_left_alone() {
        assert_eq!(said("SELECT nothing FROM nowhere"), None);
        let error = Error::invalid("sql_syntax", "x").with_field("hint", "theirs");
        let error = advise(error, "SELEC 1", Dialect::Postgres);
        assert_eq!(error.fields()["hint"], "theirs");
        let error = Error::conflict("sql_constraint", "x");
        assert!(
            advise(error, "SELEC 1", Dialect::Sqlite)
                .fields()
                .is_empty()
        );
    }
}
