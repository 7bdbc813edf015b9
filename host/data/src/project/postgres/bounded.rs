//! Statements of which the server sends no row that is too large. A row
//! arrives in memory whole, and one value of Postgres' may have a gigabyte:
//! so the server measures it, and sends nulls in place of one beyond the
//! bound, with a last column that says whether all of it is there.

use crate::project::text;
use sqlx::{
    Column as _, TypeInfo as _,
    postgres::{PgColumn, PgTypeInfo, PgTypeKind},
};

/// How the statement's rows get into another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As a table in `FROM`.
    Rows,
    /// What it returns of the rows that it writes, in `WITH`.
    Written,
    /// As the last of the queries that it names in its own `WITH`: what writes
    /// there cannot stand any deeper.
    With,
}

/// The statement with its rows measured; `None` for one whose rows are small
/// by their types, and for one that cannot stand within another.
pub(super) fn measured(sql: &str, columns: &[PgColumn], most: usize) -> Option<String> {
    let form = form(sql)?;
    let names: Vec<String> = (0..columns.len())
        .map(|number| format!("c{number}"))
        .collect();
    let sizes: Vec<String> = columns
        .iter()
        .zip(&names)
        .filter(|(column, _)| grows(column.type_info()))
        .map(|(column, name)| size(column.type_info(), name))
        .collect();
    if sizes.is_empty() {
        return None;
    }
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
    let sql = sql.trim_end().trim_end_matches(';');
    // A comment may be the last of it.
    Some(match form {
        Form::Rows => format!(
            "SELECT {shown}, f.fits FROM (SELECT q.*, ({sizes} <= {most}) AS fits \
             FROM ({sql}\n) AS q({names})) AS f"
        ),
        Form::Written => format!(
            "WITH q({names}) AS ({sql}\n) SELECT {shown}, f.fits \
             FROM (SELECT q.*, ({sizes} <= {most}) AS fits FROM q) AS f"
        ),
        Form::With => {
            let (with, statement) = text::split_with(sql)?;
            let own = unused(sql);
            format!(
                "{with}, {own}({names}) AS ({statement}\n) SELECT {shown}, f.fits \
                 FROM (SELECT {own}.*, ({sizes} <= {most}) AS fits FROM {own}) AS f"
            )
        }
    })
}

/// Whether a statement may answer rows of any size, and cannot be measured:
/// one that writes within a `WITH` that stands in parentheses.
pub(super) fn is_unbounded(sql: &str, columns: &[PgColumn]) -> bool {
    form(sql) == Some(Form::With)
        && text::split_with(sql).is_none()
        && columns.iter().any(|column| grows(column.type_info()))
}

/// A name that is not in the statement.
fn unused(sql: &str) -> String {
    let sql = sql.to_ascii_lowercase();
    let mut name = "q".to_owned();
    while sql.contains(&name) {
        name.push('_');
    }
    name
}

/// A statement that copies rows out.
pub(super) struct Copied {
    pub(super) sql: String,
    /// Whether each row has a last cell that says whether all of it is there.
    pub(super) is_measured: bool,
}

/// The rows of a statement that only reads as `COPY` writes them, measured
/// where they may be large.
pub(super) fn copied(sql: &str, columns: &[PgColumn], most: usize) -> Copied {
    let sql = sql.trim_end().trim_end_matches(';');
    let names: Vec<String> = (0..columns.len())
        .map(|number| format!("c{number}"))
        .collect();
    let sizes: Vec<String> = columns
        .iter()
        .zip(&names)
        .filter(|(column, _)| grows(column.type_info()))
        .map(|(column, name)| size(column.type_info(), name))
        .collect();
    if sizes.is_empty() {
        return Copied {
            sql: format!("COPY ({sql}\n) TO STDOUT"),
            is_measured: false,
        };
    }
    let shown: Vec<String> = columns
        .iter()
        .zip(&names)
        .map(|(column, name)| match grows(column.type_info()) {
            true => format!("CASE WHEN f.fits THEN f.{name} END"),
            false => format!("f.{name}"),
        })
        .collect();
    let (names, sizes, shown) = (names.join(", "), sizes.join(" + "), shown.join(", "));
    Copied {
        // It is measured once for all cells: `OFFSET` keeps it where it is.
        sql: format!(
            "COPY (SELECT {shown}, f.fits FROM (SELECT q.*, ({sizes} <= {most}) AS fits \
             FROM ({sql}\n) AS q({names}) OFFSET 0) AS f) TO STDOUT"
        ),
        is_measured: true,
    }
}

fn form(sql: &str) -> Option<Form> {
    let writes = |sql: &str| {
        text::runs(sql).any(|(word, _)| {
            ["insert", "update", "delete", "merge"]
                .iter()
                .any(|verb| word.eq_ignore_ascii_case(verb))
        })
    };
    match text::first_word(sql).as_str() {
        "SELECT" | "VALUES" | "TABLE" => Some(Form::Rows),
        "WITH" if writes(sql) => Some(Form::With),
        "WITH" => Some(Form::Rows),
        "INSERT" | "UPDATE" | "DELETE" => Some(Form::Written),
        _ => None,
    }
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
        let writing = "WITH a AS (DELETE FROM x RETURNING *) SELECT * FROM a";
        assert!(form(writing) == Some(Form::With));
        assert_eq!(unused(writing), "q");
        assert_eq!(unused("SELECT * FROM Q"), "q_");
        for sql in ["EXPLAIN SELECT 1", "SHOW all", "CREATE TABLE x (a int)"] {
            assert!(form(sql).is_none(), "{sql}");
        }
    }
}
