//! Rows of a source, whatever its form, as texts that columns can hold.

use super::{Format, Formulas};
use crate::source::{Csv, Encoding, Field, Objects, Source};
use atlashub_sdk::{database::Column, prelude::*};
use atlashub_tables::cells;
use serde_json::{Value as Json, value::RawValue};

/// A row: for each column its value as text, if it has one.
pub(super) type Row = Vec<Option<String>>;

/// Why a row cannot be taken.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) column: Option<String>,
    pub(super) value: Option<String>,
    pub(super) code: String,
    pub(super) reason: String,
}

/// Most characters of a value that are told.
const SHOWN: usize = 200;

impl Refusal {
    pub(super) fn new(code: &str, reason: impl Into<String>) -> Self {
        Self {
            column: None,
            value: None,
            code: code.to_owned(),
            reason: reason.into(),
        }
    }

    fn at(mut self, column: &str, value: &str) -> Self {
        self.column = Some(column.to_owned());
        self.value = Some(value.chars().take(SHOWN).collect());
        self
    }
}

/// Reads a source.
#[derive(Debug)]
pub(crate) enum Reader {
    Csv(Csv),
    Objects(Objects),
}

/// A row as it stands in the source.
#[derive(Debug)]
pub(crate) enum Record {
    Fields(Vec<Field>),
    Members(std::collections::BTreeMap<String, Box<RawValue>>),
}

impl Reader {
    /// Reads from `offset` on.
    pub(crate) fn open(
        source: &Source,
        format: Format,
        encoding: Encoding,
        delimiter: Option<u8>,
        offset: u64,
    ) -> Result<Self> {
        Ok(match format {
            Format::Csv => Self::Csv(Csv::new(source, encoding, delimiter, offset, 0)?),
            Format::Json | Format::Ndjson => Self::Objects(Objects::new(source, encoding, offset)?),
        })
    }

    /// Goes on at a row of a source with so many columns.
    pub(super) fn resume(plan: &super::Plan, offset: u64) -> Result<Self> {
        let Plan {
            source,
            format,
            encoding,
            delimiter,
            from,
            ..
        } = plan;
        Ok(match format {
            Format::Csv => Self::Csv(Csv::new(
                source,
                *encoding,
                Some(*delimiter),
                offset,
                from.len(),
            )?),
            Format::Json | Format::Ndjson => {
                Self::Objects(Objects::new(source, *encoding, offset)?)
            }
        })
    }

    /// The names of the source's columns: of its first line, or of its first
    /// object, which is not passed by.
    pub(crate) fn names(&mut self) -> Result<Vec<String>> {
        match self {
            Self::Csv(csv) => csv.header(),
            Self::Objects(objects) => match objects.peek()? {
                Some(names) => Ok(names),
                None => Err(Error::invalid(
                    "empty_source",
                    "there is no object in the source",
                )),
            },
        }
    }

    pub(crate) fn offset(&self) -> u64 {
        match self {
            Self::Csv(csv) => csv.offset(),
            Self::Objects(objects) => objects.offset(),
        }
    }

    pub(crate) fn delimiter(&self) -> u8 {
        match self {
            Self::Csv(csv) => csv.delimiter(),
            Self::Objects(_) => b',',
        }
    }

    /// The next row; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Record>> {
        Ok(match self {
            Self::Csv(csv) => csv.next()?.map(Record::Fields),
            Self::Objects(objects) => objects.next()?.map(Record::Members),
        })
    }
}

use super::Plan;

impl Record {
    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Fields(fields) => fields.iter().map(|field| field.text.len() + 4).sum(),
            Self::Members(members) => members
                .iter()
                .map(|(name, value)| name.len() + value.get().len())
                .sum(),
        }
    }

    /// What it has for the columns of the source, to be looked at.
    pub(crate) fn shown(&self, names: &[String]) -> Vec<Option<String>> {
        match self {
            Self::Fields(fields) => fields
                .iter()
                .map(|field| (!field.is_nothing()).then(|| field.text.clone()))
                .collect(),
            Self::Members(members) => names
                .iter()
                .map(|name| members.get(name).map(|raw| plain(raw)).unwrap_or_default())
                .collect(),
        }
    }

    /// The row for the table's columns, which stand at these places of the
    /// source.
    pub(super) fn into_row(
        self,
        plan: &Plan,
        columns: &[(usize, &Column)],
    ) -> Result<Row, Refusal> {
        match self {
            Self::Fields(mut fields) => {
                if fields.len() != plan.from.len() {
                    return Err(Refusal::new(
                        "ragged_row",
                        format!(
                            "the row has {} cells, the first line has {}",
                            fields.len(),
                            plan.from.len()
                        ),
                    ));
                }
                columns
                    .iter()
                    .map(|(at, column)| {
                        let field = fields.get_mut(*at).map(|field| Field {
                            text: std::mem::take(&mut field.text),
                            quoted: field.quoted,
                        });
                        of_field(field, column, plan.formulas)
                    })
                    .collect()
            }
            Self::Members(mut members) => {
                if let Some(unknown) = members.keys().find(|name| !plan.from.contains(name)) {
                    return Err(Refusal::new(
                        "unknown_member",
                        format!("the first object has no member `{unknown}`"),
                    ));
                }
                columns
                    .iter()
                    .map(|(at, column)| {
                        let raw = plan.from.get(*at).and_then(|name| members.remove(name));
                        raw.map_or(Ok(None), |raw| of_member(&raw, column))
                    })
                    .collect()
            }
        }
    }
}

fn of_field(
    field: Option<Field>,
    column: &Column,
    formulas: Formulas,
) -> Result<Option<String>, Refusal> {
    let Some(field) = field else {
        return Ok(None);
    };
    let is_text = column.kind == "text";
    if field.is_nothing() {
        // Programs for tables know no other empty text.
        return Ok((is_text && !column.nullable).then(String::new));
    }
    let text = match formulas {
        Formulas::Restore if field.quoted || is_text => restored(field.text),
        _ => field.text,
    };
    if text.is_empty() && !matches!(column.kind.as_str(), "text" | "other" | "array") {
        return Ok(None);
    }
    checked(text, column).map(Some)
}

/// Without the `'` that an export put before what looks like a formula.
fn restored(text: String) -> String {
    let Some(rest) = text.strip_prefix('\'') else {
        return text;
    };
    let first = rest.trim_start_matches('\'').chars().next();
    if matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r')) {
        return rest.to_owned();
    }
    text
}

fn of_member(raw: &RawValue, column: &Column) -> Result<Option<String>, Refusal> {
    let text = raw.get();
    if text == "null" {
        return Ok(None);
    }
    let text = match column.kind.as_str() {
        "json" => text.to_owned(),
        "array" if text.starts_with('[') => {
            let value: Json = serde_json::from_str(text).unwrap_or_default();
            let mut literal = String::new();
            array(&value, &mut literal);
            literal
        }
        _ => plain(raw).unwrap_or_default(),
    };
    checked(text, column).map(Some)
}

/// A text without its quotes; anything else as it is written.
fn plain(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).ok(),
        Some(b'n') => None,
        _ => Some(text.to_owned()),
    }
}

/// An array as Postgres writes it.
fn array(value: &Json, into: &mut String) {
    match value {
        Json::Array(values) => {
            into.push('{');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                array(value, into);
            }
            into.push('}');
        }
        Json::Null => into.push_str("NULL"),
        Json::String(text) => super::batch::element(text, into),
        other => super::batch::element(&other.to_string(), into),
    }
}

/// Refuses what a column cannot hold, as far as that can be told here; the
/// database has the last word.
fn checked(text: String, column: &Column) -> Result<String, Refusal> {
    let unfit = |text: &str| {
        let reason = cells::unfit(&column.kind, text);
        Refusal::new("invalid_value", reason).at(&column.name, text)
    };
    if text.contains('\0') {
        return Err(
            Refusal::new("invalid_value", "a text contains a NUL character")
                .at(&column.name, &text),
        );
    }
    let fits = match column.kind.as_str() {
        "integer" => text.trim().parse::<i64>().is_ok(),
        "boolean" => cells::truth(&text).is_some(),
        "uuid" => cells::uuid(&text).is_some(),
        "bytes" => cells::bytes(&text).is_some(),
        "real" | "numeric" => text.trim().parse::<f64>().is_ok(),
        "json" => serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(),
        _ => true,
    };
    if fits { Ok(text) } else { Err(unfit(&text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_come_back_as_they_went() {
        for (text, expected) in [
            ("'=1", "=1"),
            ("''=1", "'=1"),
            ("'-5", "-5"),
            ("'tis", "'tis"),
            ("=1", "=1"),
            ("'", "'"),
        ] {
            assert_eq!(restored(text.to_owned()), expected);
        }
    }

    #[test]
    fn arrays_are_written_as_postgres_reads_them() {
        let mut text = String::new();
        array(
            &serde_json::json!([[1, null], ["a\"b\\", "NULL"]]),
            &mut text,
        );
        assert_eq!(text, r#"{{"1",NULL},{"a\"b\\","NULL"}}"#);
    }
}
