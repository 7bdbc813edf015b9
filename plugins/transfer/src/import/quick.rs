//! Rows on their way in many at once: encoded as the database copies them, and
//! handed on while they are read. Nothing is kept of them: when one is not
//! taken, whichever it is, they are read again by the way that finds out.

use super::{Format, Formulas, Plan, Reader, rows::Row, users::Ids};
use atlashub_sdk::{
    database::{Column, Writer},
    prelude::*,
    sql::Dialect,
};
use atlashub_tables::cells;
use serde_json::Value as Json;

/// Rows and bytes of a batch.
const ROWS: u64 = 200_000;
const BYTES: usize = 16 * 1024 * 1024;
/// Bytes that are handed on at once.
const CHUNK: usize = 256 * 1024;

/// What a batch came to.
pub(super) enum Quick {
    /// All of it is in, and not committed yet.
    In {
        writer: Writer,
        rows: u64,
        /// Whether the source has no more.
        complete: bool,
    },
    /// It is to be read again up to about this row of it.
    Not(u64),
}

/// How rows are encoded.
pub(super) struct Encoder<'a> {
    plan: &'a Plan,
    columns: &'a [(usize, &'a Column)],
    ids: &'a Ids,
    dialect: Dialect,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        columns: &'a [(usize, &'a Column)],
        ids: &'a Ids,
        dialect: Dialect,
    ) -> Self {
        Self {
            plan,
            columns,
            ids,
            dialect,
        }
    }

    /// Reads a batch of rows into the table.
    pub(super) fn run(
        &self,
        reader: &mut Reader,
        is_refusal: impl Fn(&Error) -> bool,
    ) -> Result<Quick> {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(_, column)| column.name.clone())
            .collect();
        let writer = Writer::begin(&self.plan.table, &names)?;
        let mut lines = Vec::with_capacity(CHUNK + CHUNK / 4);
        let (mut rows, mut bytes, mut complete) = (0, 0, false);
        let again = |rows: u64| Ok(Quick::Not(rows));
        loop {
            let has_more = rows < ROWS && bytes + lines.len() < BYTES;
            if has_more {
                match self.line(reader, &mut lines)? {
                    Some(true) => rows += 1,
                    Some(false) => return again(rows + 1),
                    None => complete = true,
                }
            }
            let ends = complete || !has_more;
            if lines.len() < CHUNK && !ends {
                continue;
            }
            bytes += lines.len();
            // A row may be larger than what is taken at once.
            if lines.len() > 4 * 1024 * 1024 {
                return again(rows);
            }
            match writer.write(&lines) {
                Ok(()) => lines.clear(),
                Err(error) if is_refusal(&error) => return again(rows),
                Err(error) => return Err(error),
            }
            if ends {
                break;
            }
        }
        match writer.finish() {
            Ok(rows) => Ok(Quick::In {
                writer,
                rows,
                complete,
            }),
            Err(error) if is_refusal(&error) => again(rows),
            Err(error) => Err(error),
        }
    }

    /// The next row as a line; false for one that cannot be taken, none at the
    /// end.
    fn line(&self, reader: &mut Reader, lines: &mut Vec<u8>) -> Result<Option<bool>> {
        if self.dialect == Dialect::Postgres
            && let (Reader::Csv(csv), Format::Csv) = (&mut *reader, self.plan.format)
        {
            return csv.raw(|cells| self.cells(cells, lines));
        }
        let Some(record) = reader.next()? else {
            return Ok(None);
        };
        match record.into_row(self.plan, self.columns) {
            Ok(mut row) => {
                self.ids.put(&mut row);
                self.row(row, lines);
                Ok(Some(true))
            }
            Err(_) => Ok(Some(false)),
        }
    }

    /// A row of CSV as it stands in the source: what its cells hold Postgres
    /// looks at.
    fn cells(&self, cells: &[&[u8]], lines: &mut Vec<u8>) -> bool {
        if cells.len() != self.plan.from.len() {
            return false;
        }
        for (number, (at, column)) in self.columns.iter().enumerate() {
            if number > 0 {
                lines.push(b'\t');
            }
            let cell = cells.get(*at).copied().unwrap_or_default();
            if !cell_of(cell, column, self.plan.formulas, lines) {
                return false;
            }
        }
        lines.push(b'\n');
        true
    }

    fn row(&self, row: Row, lines: &mut Vec<u8>) {
        for (number, (value, (_, column))) in row.into_iter().zip(self.columns).enumerate() {
            if number > 0 {
                lines.push(b'\t');
            }
            let Some(text) = value else {
                lines.extend_from_slice(b"\\N");
                continue;
            };
            let text = match self.dialect {
                Dialect::Postgres => text,
                Dialect::Sqlite => as_sqlite_keeps(column, text),
            };
            escape(text.as_bytes(), lines);
        }
        lines.push(b'\n');
    }
}

/// The value as SQLite's tables keep it, as text; what cannot be read is left
/// to the database's words.
fn as_sqlite_keeps(column: &Column, text: String) -> String {
    match (cells::member(column, &text), column.kind.as_str()) {
        (Some(Json::String(digits)), "bytes") => format!("\\x{digits}"),
        (Some(Json::String(text)), _) => text,
        (Some(Json::Bool(truth)), _) => u8::from(truth).to_string(),
        (Some(Json::Number(number)), _) => number.to_string(),
        _ => text,
    }
}

/// A cell of CSV for a column; false when it cannot be taken.
fn cell_of(cell: &[u8], column: &Column, formulas: Formulas, lines: &mut Vec<u8>) -> bool {
    let is_text = column.kind == "text";
    let quoted = cell.first() == Some(&b'"');
    if cell.is_empty() {
        // Programs for tables know no other empty text.
        if !is_text || column.nullable {
            lines.extend_from_slice(b"\\N");
        }
        return true;
    }
    let whole;
    let mut text = cell;
    if quoted {
        let inner = cell.get(1..).unwrap_or_default();
        match inner.iter().position(|byte| *byte == b'"') {
            // As most cells are: the next quote is the last.
            Some(end) if end + 1 == inner.len() => text = inner.get(..end).unwrap_or_default(),
            _ => {
                whole = unquoted(inner);
                text = &whole;
            }
        }
    }
    if formulas == Formulas::Restore && (quoted || is_text) {
        text = restored(text);
    }
    if text.is_empty() && !matches!(column.kind.as_str(), "text" | "other" | "array") {
        lines.extend_from_slice(b"\\N");
        return true;
    }
    // Postgres would take any text for the bytes that it is written in.
    let is_taken =
        |text: &[u8]| str::from_utf8(text).is_ok_and(|text| cells::bytes(text).is_some());
    if column.kind == "bytes" && !is_taken(text) {
        return false;
    }
    escape(text, lines)
}

/// What stands between the quotes. What stands behind the last of them belongs
/// to it, as most programs have it.
fn unquoted(inner: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        whole.extend_from_slice(before);
        let after = after.get(1..).unwrap_or_default();
        match after.strip_prefix(b"\"") {
            Some(after) => {
                whole.push(b'"');
                rest = after;
            }
            None => {
                rest = after;
                break;
            }
        }
    }
    whole.extend_from_slice(rest);
    whole
}

/// Without the `'` that an export put before what looks like a formula.
fn restored(text: &[u8]) -> &[u8] {
    let Some(rest) = text.strip_prefix(b"'") else {
        return text;
    };
    let first = rest.iter().find(|byte| **byte != b'\'');
    match first {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => rest,
        _ => text,
    }
}

/// Writes a cell with its escapes; false when it has a NUL, which no text has.
fn escape(text: &[u8], lines: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r' | 0))
    {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        lines.extend_from_slice(before);
        let (found, after) = after.split_first().unwrap_or((&0, &[]));
        lines.extend_from_slice(match found {
            b'\\' => b"\\\\",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => return false,
        });
        rest = after;
    }
    lines.extend_from_slice(rest);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cell: &str, kind: &str, nullable: bool) -> Option<String> {
        let column = Column {
            name: "c".to_owned(),
            kind: kind.to_owned(),
            nullable,
            ..Column::default()
        };
        let mut lines = Vec::new();
        cell_of(cell.as_bytes(), &column, Formulas::Restore, &mut lines)
            .then(|| String::from_utf8_lossy(&lines).into_owned())
    }

    #[test]
    fn cells_of_csv_become_cells_of_the_database() {
        for (cell, kind, expected) in [
            ("5", "integer", "5"),
            ("", "integer", "\\N"),
            ("\"\"", "integer", "\\N"),
            ("", "text", "\\N"),
            ("\"\"", "text", ""),
            ("\"a \"\"b\"\" c\"", "text", "a \"b\" c"),
            ("\"a\"b", "text", "ab"),
            ("a\"b", "text", "a\"b"),
            ("\"a\r\n\tb\\\"", "text", "a\\r\\n\\tb\\\\"),
            ("'=1", "text", "=1"),
            ("\"''=1\"", "text", "'=1"),
            ("'tis", "text", "'tis"),
            ("'=1", "integer", "'=1"),
            ("\\x00ff", "bytes", "\\\\x00ff"),
            ("\\N", "text", "\\\\N"),
        ] {
            assert_eq!(line(cell, kind, true).as_deref(), Some(expected), "{cell}");
        }
        assert_eq!(line("", "text", false).as_deref(), Some(""));
        assert_eq!(line("a\0b", "text", true), None);
        for no_bytes in ["hello", "\"hello\"", "\\x0", "\\xzz", "\\000"] {
            assert_eq!(line(no_bytes, "bytes", true), None, "{no_bytes}");
        }
    }
}
