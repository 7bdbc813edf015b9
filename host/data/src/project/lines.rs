//! Rows as lines of text, as Postgres' `COPY` has them, for the engine that
//! does not write and read them itself.

use atlashub_core::{
    Error, Result,
    capability::{
        database::ColumnKind,
        sql::{SqlRows, SqlValue},
    },
};
use std::fmt::Write as _;

/// Writes rows, a line each.
pub(super) fn write(rows: &SqlRows) -> Vec<u8> {
    let mut lines = String::new();
    for row in &rows.rows {
        for (at, value) in row.iter().enumerate() {
            if at > 0 {
                lines.push('\t');
            }
            cell(value, &mut lines);
        }
        lines.push('\n');
    }
    lines.into_bytes()
}

fn cell(value: &SqlValue, lines: &mut String) {
    match value {
        SqlValue::Null => lines.push_str("\\N"),
        SqlValue::Boolean(value) => lines.push(if *value { 't' } else { 'f' }),
        SqlValue::Integer(value) => {
            let _ = write!(lines, "{value}");
        }
        SqlValue::Real(value) if value.is_infinite() => {
            lines.push_str(if *value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            });
        }
        SqlValue::Real(value) => {
            let _ = write!(lines, "{value:?}");
        }
        SqlValue::Text(value) => escaped(value, lines),
        SqlValue::Blob(bytes) => {
            lines.push_str("\\\\x");
            for byte in bytes {
                let _ = write!(lines, "{byte:02x}");
            }
        }
    }
}

fn escaped(text: &str, lines: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        lines.push_str(before);
        let mut chars = after.chars();
        lines.push_str(match chars.next() {
            Some('\t') => "\\t",
            Some('\n') => "\\n",
            Some('\r') => "\\r",
            _ => "\\\\",
        });
        rest = chars.as_str();
    }
    lines.push_str(rest);
}

/// What a column takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    kind: ColumnKind,
    /// Whether it keeps text, whatever its kind.
    is_text: bool,
}

impl Cell {
    pub(super) fn new(kind: ColumnKind, data_type: &str) -> Self {
        let is_text = data_type.eq_ignore_ascii_case("text");
        Self { kind, is_text }
    }

    fn value(self, text: String) -> SqlValue {
        let real = |text: &str| text.parse().ok().map(SqlValue::Real);
        let integer = |text: &str| text.parse().ok().map(SqlValue::Integer);
        let value = match self.kind {
            ColumnKind::Integer => integer(&text),
            ColumnKind::Boolean => match text.as_str() {
                "t" | "true" => Some(SqlValue::Integer(1)),
                "f" | "false" => Some(SqlValue::Integer(0)),
                other => integer(other),
            },
            ColumnKind::Real | ColumnKind::Numeric if !self.is_text => real(&text),
            ColumnKind::Bytes => text.strip_prefix("\\x").and_then(bytes).map(SqlValue::Blob),
            _ => None,
        };
        // What cannot be read is left to the database's words.
        value.unwrap_or(SqlValue::Text(text))
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Reads whole lines and hands each row on.
pub(super) fn read(
    lines: &[u8],
    cells: &[Cell],
    mut take: impl FnMut(Vec<SqlValue>) -> Result<()>,
) -> Result<()> {
    let broken = |why: &str| Error::invalid("sql_failed", format!("the lines of rows: {why}"));
    let text = std::str::from_utf8(lines).map_err(|_| broken("they are not UTF-8"))?;
    for line in text.split_terminator('\n') {
        let mut row = Vec::with_capacity(cells.len());
        let mut found = line.split('\t');
        for cell in cells {
            let text = found
                .next()
                .ok_or_else(|| broken("a row has too few cells"))?;
            row.push(match text {
                "\\N" => SqlValue::Null,
                text => cell.value(plain(text)),
            });
        }
        if found.next().is_some() {
            return Err(broken("a row has too many cells"));
        }
        take(row)?;
    }
    Ok(())
}

fn plain(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('v') => '\u{b}',
                Some(other) => other,
                None => break,
            },
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let row = vec![
            SqlValue::Integer(-7),
            SqlValue::Real(0.1),
            SqlValue::Text("a\tb\\n\n\r\\N".to_owned()),
            SqlValue::Null,
            SqlValue::Blob(vec![0, 255]),
            SqlValue::Text("\\N".to_owned()),
        ];
        let written = write(&SqlRows {
            columns: Vec::new(),
            rows: vec![row.clone(), row.clone()],
        });
        let cells = [
            (ColumnKind::Integer, "INTEGER"),
            (ColumnKind::Real, "REAL"),
            (ColumnKind::Text, "TEXT"),
            (ColumnKind::Text, "TEXT"),
            (ColumnKind::Bytes, "BLOB"),
            (ColumnKind::Text, "TEXT"),
        ]
        .map(|(kind, name)| Cell::new(kind, name));
        let mut rows = Vec::new();
        read(&written, &cells, |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
        assert_eq!(rows, [row.clone(), row]);
        assert!(read(b"1\n", &cells, |_| Ok(())).is_err());
    }
}
