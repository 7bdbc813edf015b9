//! Rows out of Postgres many at once: as its `COPY` writes them, made into
//! lines of the format here. Rows that are too large for it come as a page.

use super::{
    Format, Formulas,
    lines::Lines,
    pages::{Pages, Part, Place},
};
use crate::names::quoted;
use atlashub_sdk::{
    database::{Column, Reader},
    prelude::*,
};

/// Rows of a statement at first, and at most.
pub(super) const FIRST: u64 = 20_000;
const MOST: u64 = 200_000;
/// The fewest rows that are tried again in one statement.
const FEW: u64 = 100;

/// What becomes of a cell.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It is written as it is.
    Plain,
    Truth,
    Time,
    /// Without its escapes.
    Raw,
    /// In quotes; with a `'` before what looks like a formula, or not.
    Text {
        guarded: bool,
    },
}

/// How a statement ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// There are more rows.
    More,
    /// That was all.
    All,
    /// A row is too large.
    TooLarge,
    /// Whoever took the rows wants no more.
    Stopped,
}

/// Copies a table, statement by statement.
#[derive(Debug)]
pub(super) struct Copy {
    /// What is selected.
    cells: Vec<String>,
    kinds: Vec<Kind>,
    delimiter: u8,
    end: &'static str,
    /// Rows of the next statement.
    size: u64,
}

impl Copy {
    pub(super) fn new(lines: &Lines, columns: &[&Column]) -> Self {
        let (cells, kinds) = match lines.format() {
            Format::Csv => columns
                .iter()
                .map(|column| {
                    let cell = format!("t.{}", quoted(&column.name));
                    (cell, kind(column, lines.formulas()))
                })
                .unzip(),
            Format::Json | Format::Ndjson => (vec![lines.of_row(columns)], vec![Kind::Raw]),
        };
        Self {
            cells,
            kinds,
            delimiter: lines.delimiter(),
            end: lines.end(),
            size: FIRST,
        }
    }

    /// Copies what comes behind `place`, some rows of it. `take` is told how
    /// many rows a chunk of text has and where the last of them is; it says
    /// whether it takes more. Begins with what stands between rows unless
    /// `is_first`.
    pub(super) fn next(
        &mut self,
        pages: &Pages,
        place: Option<&Place>,
        mut is_first: bool,
        mut take: impl FnMut(&mut dyn FnMut(&mut Vec<u8>) -> Chunk) -> Result<bool>,
    ) -> Result<Copied> {
        let (sql, keys) = pages.statement(&self.cells, place, self.size);
        let reader = Reader::open(&sql)?;
        let mut rows = 0;
        loop {
            let chunk = match reader.read() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) if error.code() == "sql_too_many_rows" => return Ok(Copied::TooLarge),
                Err(error) if error.code() == "sql_timeout" && self.size > FEW => {
                    self.size = (self.size / 8).max(FEW);
                    return Ok(Copied::More);
                }
                Err(error) => return Err(error),
            };
            let goes_on = take(&mut |into| {
                let written = self.write(&chunk, &keys, is_first, into);
                is_first &= written.rows == 0;
                rows += written.rows;
                written
            })?;
            if !goes_on {
                return Ok(Copied::Stopped);
            }
        }
        let was_full = rows >= self.size;
        if was_full {
            self.size = (self.size * 2).min(MOST);
        }
        Ok(match pages.is_over(rows, was_full) {
            true => Copied::All,
            false => Copied::More,
        })
    }

    /// Writes whole lines of the database's as lines of the format.
    fn write(&self, chunk: &[u8], keys: &[usize], is_first: bool, into: &mut Vec<u8>) -> Chunk {
        let mut rows = 0;
        let mut last = Vec::new();
        let mut rest = chunk;
        while !rest.is_empty() {
            if rows > 0 || !is_first {
                into.extend_from_slice(self.end.as_bytes());
            }
            last.clear();
            let mut at = 0;
            loop {
                let stop = rest.iter().position(|byte| matches!(byte, b'\t' | b'\n'));
                let stop = stop.unwrap_or(rest.len());
                let cell = rest.get(..stop).unwrap_or_default();
                let ends = rest.get(stop).is_none_or(|byte| *byte == b'\n');
                rest = rest.get(stop + 1..).unwrap_or_default();
                if let Some(kind) = self.kinds.get(at) {
                    if at > 0 {
                        into.push(self.delimiter);
                    }
                    write(*kind, cell, into);
                }
                if keys.contains(&at) {
                    last.push((at, cell));
                }
                at += 1;
                if ends {
                    break;
                }
            }
            rows += 1;
        }
        let value = |key: &usize| {
            let (_, cell) = last.iter().find(|(at, _)| at == key)?;
            let mut text = Vec::new();
            plain(cell, None, &mut text);
            Some(Part::Text(String::from_utf8(text).ok()?))
        };
        Chunk {
            rows,
            last: keys.iter().map(value).collect(),
        }
    }
}

/// What a chunk of text had.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) rows: u64,
    /// Where its last row is.
    pub(super) last: Option<Place>,
}

fn kind(column: &Column, formulas: Formulas) -> Kind {
    match column.kind.as_str() {
        "integer" | "real" | "numeric" | "uuid" | "date" | "time" => Kind::Plain,
        "boolean" => Kind::Truth,
        "timestamp" => Kind::Time,
        "bytes" => Kind::Raw,
        // JSON and arrays begin with brackets, or are numbers and words.
        "json" | "array" => Kind::Text { guarded: false },
        _ => Kind::Text {
            guarded: formulas == Formulas::Neutralise,
        },
    }
}

fn write(kind: Kind, cell: &[u8], into: &mut Vec<u8>) {
    if cell == b"\\N" {
        return;
    }
    match kind {
        Kind::Plain => into.extend_from_slice(cell),
        Kind::Truth if cell == b"t" => into.extend_from_slice(b"true"),
        Kind::Truth => into.extend_from_slice(b"false"),
        Kind::Time => time(cell, into),
        Kind::Raw => plain(cell, None, into),
        Kind::Text { guarded } => {
            into.push(b'"');
            if guarded && is_formula(cell) {
                into.push(b'\'');
            }
            plain(cell, Some(b'"'), into);
            into.push(b'"');
        }
    }
}

/// Whether a program for tables would calculate it.
fn is_formula(cell: &[u8]) -> bool {
    let mut rest = cell;
    while let Some(after) = rest.strip_prefix(b"'") {
        rest = after;
    }
    matches!(
        rest,
        [b'=' | b'+' | b'-' | b'@', ..] | [b'\\', b't' | b'r', ..]
    )
}

/// The cell without its escapes; `doubled` is written twice.
fn plain(cell: &[u8], doubled: Option<u8>, into: &mut Vec<u8>) {
    let mut rest = cell;
    loop {
        let stop = rest
            .iter()
            .position(|byte| *byte == b'\\' || Some(*byte) == doubled);
        let Some((before, [found, after @ ..])) = stop.and_then(|at| rest.split_at_checked(at))
        else {
            into.extend_from_slice(rest);
            return;
        };
        into.extend_from_slice(before);
        if *found != b'\\' {
            into.extend_from_slice(&[*found, *found]);
            rest = after;
            continue;
        }
        let Some((escaped, after)) = after.split_first() else {
            return;
        };
        into.push(match escaped {
            b't' => b'\t',
            b'n' => b'\n',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            other => *other,
        });
        rest = after;
    }
}

/// A time as JSON has it: with a `T`, and with hours and minutes of an offset.
fn time(cell: &[u8], into: &mut Vec<u8>) {
    let Some(blank) = cell.iter().position(|byte| *byte == b' ') else {
        // `infinity`.
        into.extend_from_slice(cell);
        return;
    };
    let (date, time) = cell.split_at_checked(blank).unwrap_or((cell, &[]));
    let time = time.get(1..).unwrap_or_default();
    into.extend_from_slice(date);
    into.push(b'T');
    // ` BC` may stand behind.
    let end = time.iter().position(|byte| *byte == b' ');
    let (time, era) = time
        .split_at_checked(end.unwrap_or(time.len()))
        .unwrap_or((time, &[]));
    into.extend_from_slice(time);
    let offset = time.iter().rposition(|byte| matches!(byte, b'+' | b'-'));
    if offset.is_some_and(|at| time.len() - at == 3) {
        into.extend_from_slice(b":00");
    }
    into.extend_from_slice(era);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: Kind, cell: &str) -> String {
        let mut text = Vec::new();
        write(kind, cell.as_bytes(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn cells_of_the_database_become_cells_of_csv() {
        let text = Kind::Text { guarded: true };
        for (kind, cell, expected) in [
            (Kind::Plain, "-7", "-7"),
            (Kind::Plain, "\\N", ""),
            (Kind::Truth, "t", "true"),
            (Kind::Raw, "\\\\x00ff", "\\x00ff"),
            (text, "", "\"\""),
            (text, "\\\\N", "\"\\N\""),
            (text, "a \"b\"\\tc\\r\\n", "\"a \"\"b\"\"\tc\r\n\""),
            (text, "=1", "\"'=1\""),
            (text, "''=1", "\"'''=1\""),
            (text, "\\t=1", "\"'\t=1\""),
            (text, "'tis", "\"'tis\""),
            (Kind::Text { guarded: false }, "=1", "\"=1\""),
            (
                Kind::Time,
                "2026-03-01 12:00:00.25+00",
                "2026-03-01T12:00:00.25+00:00",
            ),
            (
                Kind::Time,
                "2026-03-01 12:00:00+05:30",
                "2026-03-01T12:00:00+05:30",
            ),
            (Kind::Time, "2026-03-01 12:00:00", "2026-03-01T12:00:00"),
            (
                Kind::Time,
                "0044-03-15 12:00:00+00 BC",
                "0044-03-15T12:00:00+00:00 BC",
            ),
            (Kind::Time, "infinity", "infinity"),
        ] {
            assert_eq!(written(kind, cell), expected, "{cell}");
        }
    }

    #[test]
    fn lines_are_counted_and_the_place_of_the_last_is_told() {
        let copy = Copy {
            cells: Vec::new(),
            kinds: vec![Kind::Plain, Kind::Text { guarded: true }],
            delimiter: b';',
            end: "\r\n",
            size: FIRST,
        };
        let mut text = Vec::new();
        let chunk = copy.write(b"1\ta\t(0,1)\n2\t\\N\t(0,2)\n", &[2, 0], true, &mut text);
        assert_eq!(chunk.rows, 2);
        let place = ["(0,2)", "2"].map(|text| Part::Text(text.to_owned()));
        assert_eq!(chunk.last, Some(place.to_vec()));
        assert_eq!(text, b"1;\"a\"\r\n2;");
        text.clear();
        let _ = copy.write(b"3\tb\t(0,3)\n", &[2], false, &mut text);
        assert_eq!(text, b"\r\n3;\"b\"");
    }
}
