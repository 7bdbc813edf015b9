//! Statements of which the server sends no row that is too large. A row
//! arrives in memory whole, and one value of Postgres' may have a gigabyte:
//! so the server measures it, and sends nulls in place of one beyond the
//! bound, with a last column that says whether all of it is there.

use crate::project::text;
use atlashub_core::Error;
use sqlx::{
    Column as _, TypeInfo as _,
    postgres::{PgColumn, PgTypeInfo, PgTypeKind},
};

/// How the statement's rows get into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form<'a> {
    /// As a table in `FROM`.
    Rows,
    /// What it returns of the rows that it writes, in `WITH`.
    Written,
    /// As the last part of its own `WITH`, since that writes and can stand no
    /// deeper: what comes before its last part, and that.
    Last(&'a str, &'a str),
}

/// The name under which a statement stands in `WITH`.
const NAME: &str = "_atlashub_rows";

/// Whether and how rows of a statement are measured.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// They are small by their types, or few and the server's own: a plan, a
    /// setting.
    Needless,
    /// By this statement.
    By(String),
    /// They may be large, and cannot be measured.
    Impossible,
}

/// How the rows of the statement are measured, `most` bytes being allowed.
pub(super) fn measure(sql: &str, columns: &[PgColumn], most: usize) -> Measure {
    if !columns.iter().any(|column| grows(column.type_info())) {
        return Measure::Needless;
    }
    let sql = sql.trim_end().trim_end_matches(';');
    match form(sql) {
        Some(form) => Measure::By(within(form, sql, columns, most)),
        None if ["EXPLAIN", "SHOW"].contains(&text::first_word(sql).as_str()) => Measure::Needless,
        None => Measure::Impossible,
    }
}

/// The error for a statement whose rows cannot be measured.
pub(super) fn refusal() -> Error {
    Error::invalid(
        "sql_syntax",
        "the size of this statement's rows cannot be measured: write it as a plain \
         `SELECT`, `INSERT`, `UPDATE` or `DELETE`",
    )
}

fn within(form: Form<'_>, sql: &str, columns: &[PgColumn], most: usize) -> String {
    let names: Vec<String> = (0..columns.len())
        .map(|number| format!("c{number}"))
        .collect();
    let sizes: Vec<String> = columns
        .iter()
        .zip(&names)
        .filter(|(column, _)| grows(column.type_info()))
        .map(|(column, name)| size(column.type_info(), name))
        .collect();
    let shown: Vec<String> = columns
        .iter()
        .zip(&names)
        .map(|(column, name)| {
            if grows(column.type_info()) {
                format!("CASE WHEN f.fits THEN f.{name} END")
            } else {
                format!("f.{name}")
            }
        })
        .collect();
    let (names, sizes, shown) = (names.join(", "), sizes.join(" + "), shown.join(", "));
    // A comment may be the last of it.
    match form {
        Form::Rows => format!(
            "SELECT {shown}, f.fits FROM (SELECT q.*, ({sizes} <= {most}) AS fits \
             FROM ({sql}\n) AS q({names})) AS f"
        ),
        Form::Written => format!(
            "WITH {NAME}({names}) AS ({sql}\n) SELECT {shown}, f.fits \
             FROM (SELECT q.*, ({sizes} <= {most}) AS fits FROM {NAME} AS q) AS f"
        ),
        Form::Last(before, last) => format!(
            "{before}, {NAME}({names}) AS ({last}\n) SELECT {shown}, f.fits \
             FROM (SELECT q.*, ({sizes} <= {most}) AS fits FROM {NAME} AS q) AS f"
        ),
    }
}

fn form(sql: &str) -> Option<Form<'_>> {
    let writes = |sql: &str| {
        text::runs(sql).any(|(word, _)| {
            ["insert", "update", "delete", "merge"]
                .iter()
                .any(|verb| word.eq_ignore_ascii_case(verb))
        })
    };
    match text::first_word(sql).as_str() {
        "SELECT" | "VALUES" | "TABLE" => Some(Form::Rows),
        // What writes within `WITH` cannot stand any deeper.
        "WITH" if !writes(sql) => Some(Form::Rows),
        "WITH" => last_part(sql).map(|(before, last)| Form::Last(before, last)),
        "INSERT" | "UPDATE" | "DELETE" => Some(Form::Written),
        _ => None,
    }
}

/// Splits a statement after its `WITH`; nothing for one with clauses that
/// are rare there.
fn last_part(sql: &str) -> Option<(&str, &str)> {
    let mut rest = after_word(sql, "WITH")?;
    rest = after_word(rest, "RECURSIVE").unwrap_or(rest);
    loop {
        (_, rest) = text::identifier(text::skip_blanks(rest))?;
        if text::skip_blanks(rest).starts_with('(') {
            rest = text::after_parenthesis(text::skip_blanks(rest))?;
        }
        rest = after_word(rest, "AS")?;
        rest = after_word(rest, "NOT").unwrap_or(rest);
        rest = after_word(rest, "MATERIALIZED").unwrap_or(rest);
        rest = text::skip_blanks(rest);
        if !rest.starts_with('(') {
            return None;
        }
        rest = text::after_parenthesis(rest)?;
        match text::skip_blanks(rest).strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "VALUES", "TABLE"];
    if !verbs.contains(&text::first_word(rest).as_str()) {
        return None;
    }
    Some((sql.get(..sql.len().checked_sub(rest.len())?)?, rest))
}

/// What follows the word that comes next, if it is this one.
fn after_word<'a>(sql: &'a str, word: &str) -> Option<&'a str> {
    let rest = text::skip_blanks(sql);
    let (found, after) = rest.split_at_checked(word.len())?;
    let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
    (found.eq_ignore_ascii_case(word) && ends).then_some(after)
}

/// Whether a value of the type may be large.
fn grows(info: &PgTypeInfo) -> bool {
    const SMALL: &[&str] = &[
        "BOOL",
        "INT2",
        "INT4",
        "INT8",
        "OID",
        "FLOAT4",
        "FLOAT8",
        "NUMERIC",
        "UUID",
        "DATE",
        "TIME",
        "TIMETZ",
        "TIMESTAMP",
        "TIMESTAMPTZ",
        "INTERVAL",
        "NAME",
        "\"CHAR\"",
        "INET",
        "CIDR",
        "MACADDR",
        "MACADDR8",
        "MONEY",
    ];
    match info.kind() {
        PgTypeKind::Domain(base) => grows(base),
        PgTypeKind::Enum(_) | PgTypeKind::Pseudo => false,
        _ => !SMALL.contains(&info.name()),
    }
}

/// The bytes of a value: told without reading it where it is text.
fn size(info: &PgTypeInfo, name: &str) -> String {
    let value = if info.name() == "BYTEA" {
        name.to_owned()
    } else {
        format!("{name}::text")
    };
    format!("coalesce(octet_length({value}), 0)::bigint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_stand_within_another_statement_does() {
        for sql in [
            "select 1",
            "(VALUES (1))",
            "TABLE x",
            "WITH a AS (SELECT 1) SELECT * FROM a",
        ] {
            assert!(form(sql) == Some(Form::Rows), "{sql}");
        }
        for sql in [
            "insert into x values (1) returning *",
            "UPDATE x SET a = 1 RETURNING a",
        ] {
            assert!(form(sql) == Some(Form::Written), "{sql}");
        }
        for (before, last) in [
            ("WITH a AS (DELETE FROM x RETURNING *)", " SELECT * FROM a"),
            (
                "with recursive a(b, \"c)\") as not materialized (delete from x -- )\n returning ')'), \
                 \"AS\" AS (SELECT 1)",
                " /* then */ (SELECT 2)",
            ),
            (
                "WITH delete AS (SELECT 1)",
                " INSERT INTO x SELECT 1 RETURNING y",
            ),
        ] {
            let sql = format!("{before}{last}");
            assert_eq!(form(&sql), Some(Form::Last(before, last)), "{sql}");
        }
        for sql in [
            "WITH a AS (DELETE FROM x RETURNING *) SEARCH DEPTH FIRST BY b SET c SELECT * FROM a",
            "WITH a AS (DELETE FROM x",
            "EXPLAIN SELECT 1",
            "SHOW all",
            "CREATE TABLE x (a int)",
        ] {
            assert!(form(sql).is_none(), "{sql}");
        }
    }
}
