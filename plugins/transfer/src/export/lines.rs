//! Rows as lines of text, in SQL: the database writes them, and they pass
//! through here as they are.
//!
//! In CSV texts are always in quotes and other values never, so that nothing,
//! an empty text and a number are told apart. Whatever a kind of column
//! holds looks the same from both engines.

use super::{Delimiter, Format, Formulas};
use crate::names::{literal, quoted};
use atlashub_sdk::{
    database::{self, Column},
    sql::Dialect,
};

/// Most names and values in one call of SQLite's, which takes 127 arguments.
const MAX_PAIRS: usize = 60;
/// What programs for tables take for the start of a formula.
const FORMULAS: [&str; 4] = ["=", "+", "-", "@"];

/// The largest number there is, besides the infinite.
const LARGEST: &str = "1.7976931348623157e308";

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    format: Format,
    delimiter: Delimiter,
    formulas: Formulas,
    dialect: Dialect,
}

impl Lines {
    pub(super) fn new(format: Format, delimiter: Delimiter, formulas: Formulas) -> Self {
        Self {
            format,
            delimiter,
            formulas,
            dialect: database::dialect(),
        }
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn formulas(&self) -> Formulas {
        self.formulas
    }

    /// What stands between cells.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter.as_str().bytes().next().unwrap_or(b',')
    }

    /// What comes before the first row.
    pub(super) fn head(&self, columns: &[&Column]) -> String {
        match self.format {
            Format::Csv => {
                let names: Vec<String> =
                    columns.iter().map(|column| quoted(&column.name)).collect();
                format!("{}{}", names.join(self.delimiter.as_str()), self.end())
            }
            Format::Json => "[\n".to_owned(),
            Format::Ndjson => String::new(),
        }
    }

    /// What stands between two rows.
    pub(super) fn end(&self) -> &'static str {
        match self.format {
            Format::Csv => "\r\n",
            Format::Json => ",\n",
            Format::Ndjson => "\n",
        }
    }

    /// What comes behind the last row.
    pub(super) fn foot(&self, rows: u64) -> String {
        match self.format {
            Format::Csv | Format::Ndjson if rows == 0 => String::new(),
            Format::Csv | Format::Ndjson => self.end().to_owned(),
            Format::Json => "\n]\n".to_owned(),
        }
    }

    /// The line of a row of `t`.
    pub(super) fn of_row(&self, columns: &[&Column]) -> String {
        match (self.format, self.dialect) {
            (Format::Csv, _) => {
                let cells: Vec<String> = columns.iter().map(|column| self.cell(column)).collect();
                cells.join(&format!(" || {} || ", self.text(self.delimiter.as_str())))
            }
            (_, Dialect::Postgres) => {
                let values: Vec<String> = columns
                    .iter()
                    .map(|column| format!("t.{}", quoted(&column.name)))
                    .collect();
                format!(
                    "(SELECT CAST(row_to_json(r) AS text) FROM (SELECT {}) AS r)",
                    values.join(", ")
                )
            }
            (_, Dialect::Sqlite) => object(columns),
        }
    }

    /// Control characters in a text that both engines read.
    fn text(&self, text: &str) -> String {
        match text {
            "\t" => self.character(9).to_owned(),
            other => literal(other),
        }
    }

    fn character(&self, code: u8) -> String {
        match self.dialect {
            Dialect::Postgres => format!("chr({code})"),
            Dialect::Sqlite => format!("char({code})"),
        }
    }

    /// A cell of CSV; never NULL.
    fn cell(&self, column: &Column) -> String {
        let value = format!("t.{}", quoted(&column.name));
        let kind = column.kind.as_str();
        match self.dialect {
            Dialect::Postgres => match kind {
                "integer" | "real" | "numeric" | "boolean" | "uuid" | "date" | "time" | "bytes" => {
                    format!("coalesce(CAST({value} AS text), '')")
                }
                // As JSON has it: with a `T`, and with an offset.
                "timestamp" => {
                    format!("coalesce(btrim(CAST(to_json({value}) AS text), '\"'), '')")
                }
                _ => self.quoted_cell(&format!("CAST({value} AS text)"), kind),
            },
            Dialect::Sqlite => {
                let as_text = self.quoted_cell(&format!("CAST({value} AS TEXT)"), kind);
                match kind {
                    "integer" => or_text(&value, &value, &as_text),
                    "real" => or_text(&value, &exact(&value), &as_text),
                    "numeric" => format!(
                        "CASE WHEN typeof({value}) = 'real' THEN {} \
                         WHEN {value} GLOB '*[^0-9.eE+-]*' THEN {as_text} ELSE coalesce({value}, '') END",
                        exact(&value)
                    ),
                    "boolean" => format!(
                        "CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' ELSE '' END"
                    ),
                    "timestamp" => format!("coalesce({}, '')", shown_time(&value)),
                    "bytes" => {
                        format!(
                            "CASE WHEN {value} IS NULL THEN '' ELSE '\\x' || lower(hex({value})) END"
                        )
                    }
                    "date" | "uuid" => {
                        format!(
                            "CASE WHEN {value} GLOB '*[^0-9a-fA-F-]*' THEN {as_text} ELSE coalesce({value}, '') END"
                        )
                    }
                    _ => as_text,
                }
            }
        }
    }

    /// A text in quotes; nothing for NULL.
    fn quoted_cell(&self, text: &str, kind: &str) -> String {
        // JSON and arrays begin with brackets, or are numbers and words.
        let before = if self.formulas == Formulas::Keep || matches!(kind, "json" | "array") {
            "'\"'".to_owned()
        } else {
            let first = match self.dialect {
                Dialect::Postgres => format!("left(ltrim({text}, ''''), 1)"),
                Dialect::Sqlite => format!("substr(ltrim({text}, ''''), 1, 1)"),
            };
            let starts: Vec<String> = FORMULAS.iter().map(|start| literal(start)).collect();
            let starts = format!(
                "{}, {}, {}",
                starts.join(", "),
                self.character(9),
                self.character(13)
            );
            let code = match self.dialect {
                Dialect::Postgres => "ascii",
                Dialect::Sqlite => "unicode",
            };
            // Of most texts it is enough to look at the first character: one
            // of these, or a quote before one.
            format!(
                "CASE WHEN {code}({text}) IN (39, 61, 43, 45, 64, 9, 13) AND {first} IN ({starts}) THEN '\"''' ELSE '\"' END"
            )
        };
        format!("coalesce({before} || replace({text}, '\"', '\"\"') || '\"', '')")
    }
}

/// What a table that is not strict holds may be a text, whatever its column
/// says.
fn or_text(value: &str, plain: &str, text: &str) -> String {
    format!("CASE typeof({value}) WHEN 'null' THEN '' WHEN 'text' THEN {text} ELSE {plain} END")
}

/// A number with as many digits as it takes to be the same again.
fn exact(value: &str) -> String {
    format!(
        "CASE WHEN CAST(CAST({value} AS TEXT) AS REAL) = {value} THEN CAST({value} AS TEXT) \
         ELSE printf('%!.17g', {value}) END"
    )
}

/// A time as Postgres shows it in JSON.
fn shown_time(value: &str) -> String {
    format!(
        "iif({value} GLOB '*T*.???Z', \
         rtrim(rtrim(substr({value}, 1, length({value}) - 1), '0'), '.') || '+00:00', {value})"
    )
}

/// The JSON of a row on SQLite.
fn object(columns: &[&Column]) -> String {
    let mut chunks = columns.chunks(MAX_PAIRS);
    let pairs = |chunk: &[&Column], name: fn(&str) -> String| {
        let pairs: Vec<String> = chunk
            .iter()
            .map(|column| format!("{}, {}", literal(&name(&column.name)), shown(column)))
            .collect();
        pairs.join(", ")
    };
    let first = pairs(chunks.next().unwrap_or_default(), |name| name.to_owned());
    chunks.fold(format!("json_object({first})"), |text, chunk| {
        let more = pairs(chunk, |name| format!("$.\"{name}\""));
        format!("json_set({text}, {more})")
    })
}

/// A value of such a row.
fn shown(column: &Column) -> String {
    let value = format!("t.{}", quoted(&column.name));
    let as_json =
        format!("json(CASE WHEN json_valid({value}) THEN {value} ELSE json_quote({value}) END)");
    match column.kind.as_str() {
        "boolean" => {
            format!("json(CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END)")
        }
        "json" | "array" => as_json,
        "numeric" if column.data_type.eq_ignore_ascii_case("text") => as_json,
        // JSON of SQLite's own has fewer digits than it takes.
        "real" | "numeric" => format!(
            "json(CASE WHEN {value} IS NULL THEN 'null' \
             WHEN typeof({value}) <> 'real' THEN json_quote({value}) \
             WHEN {value} > {LARGEST} THEN '\"Infinity\"' WHEN {value} < -{LARGEST} THEN '\"-Infinity\"' \
             ELSE {} END)",
            exact(&value)
        ),
        "timestamp" => shown_time(&value),
        "bytes" => format!("iif({value} IS NULL, NULL, '\\x' || lower(hex({value})))"),
        _ => value,
    }
}
