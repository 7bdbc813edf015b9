//! `POST /transfer/preview`: what an import would read, before there is one.

use crate::{
    access,
    import::{Format, Reader, column_of, delimiter},
    names,
    source::{Encoding, Source},
};
use atlashub_sdk::prelude::*;
use atlashub_tables::{cells, times};
use std::collections::BTreeMap;

/// Rows that are shown.
const SHOWN: usize = 20;
/// Rows by which types are guessed.
const LOOKED_AT: usize = 200;
/// Most characters of a value that are shown.
const CHARACTERS: usize = 500;

/// What is to be looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    source: String,
    #[serde(default)]
    format: Format,
    delimiter: Option<String>,
    encoding: Option<String>,
    /// The table into which it is to go.
    table: Option<String>,
}

/// What is in it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    format: Format,
    encoding: Encoding,
    delimiter: Option<String>,
    size: u64,
    columns: Vec<Guess>,
    rows: Vec<Vec<Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Serialize)]
struct Guess {
    name: String,
    kind: &'static str,
}

pub(crate) fn look(caller: Caller, Json(wishes): Json<Wishes>) -> Result<Json<Shown>> {
    access::require(&caller)?;
    let source = Source::find(&wishes.source)?;
    let (encoding, skipped) = source.encoding(wishes.encoding.as_deref())?;
    let delimiter = delimiter(wishes.delimiter.as_deref())?;
    let mut reader = Reader::open(&source, wishes.format, encoding, delimiter, skipped)?;
    let names = reader.names()?;
    let mut rows = Vec::new();
    while rows.len() < LOOKED_AT
        && let Some(record) = reader.next()?
    {
        rows.push(record.shown(&names));
    }
    let columns = names
        .iter()
        .enumerate()
        .map(|(at, name)| Guess {
            name: name.clone(),
            kind: guess(rows.iter().filter_map(|row| row.get(at)?.as_deref())),
        })
        .collect();
    let mapping = match &wishes.table {
        None => None,
        Some(table) => {
            let table = names::table(table)?;
            let to = |name: &String| {
                let column = column_of(&table, name).filter(|column| !column.generated);
                (name.clone(), column.map(|column| column.name.clone()))
            };
            Some(names.iter().map(to).collect())
        }
    };
    rows.truncate(SHOWN);
    for value in rows.iter_mut().flatten().flatten() {
        if let Some((end, _)) = value.char_indices().nth(CHARACTERS) {
            value.truncate(end);
        }
    }
    Ok(Json(Shown {
        format: wishes.format,
        encoding,
        delimiter: (wishes.format == Format::Csv)
            .then(|| char::from(reader.delimiter()).to_string()),
        size: source.size,
        columns,
        rows,
        mapping,
    }))
}

/// The narrowest kind that has all of the values.
fn guess<'a>(values: impl Iterator<Item = &'a str>) -> &'static str {
    type Fits = fn(&str) -> bool;
    let kinds: [(&str, Fits); 7] = [
        ("integer", |text| text.parse::<i64>().is_ok()),
        ("numeric", |text| {
            text.parse::<f64>().is_ok_and(f64::is_finite)
        }),
        ("boolean", |text| {
            matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "t" | "f" | "yes" | "no"
            )
        }),
        ("date", |text| {
            text.len() == 10 && times::instant(text).is_some()
        }),
        ("timestamp", |text| times::instant(text).is_some()),
        ("uuid", |text| cells::uuid(text).is_some()),
        ("json", |text| {
            text.starts_with(['{', '['])
                && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        }),
    ];
    let mut left = kinds.to_vec();
    let mut any = false;
    for value in values {
        any = true;
        left.retain(|(_, fits)| fits(value));
    }
    match left.first() {
        Some((kind, _)) if any => kind,
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_guessed_that_has_every_value() {
        for (values, kind) in [
            (&["1", "-2"][..], "integer"),
            (&["1", "2.5"], "numeric"),
            (&["true", "no"], "boolean"),
            (&["2026-02-28"], "date"),
            (&["2026-02-28", "2026-02-28 10:00:00"], "timestamp"),
            (&["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "uuid"),
            (&["{}", "[1]"], "json"),
            (&["1", "x"], "text"),
            (&[], "text"),
        ] {
            assert_eq!(guess(values.iter().copied()), kind, "{values:?}");
        }
    }
}
