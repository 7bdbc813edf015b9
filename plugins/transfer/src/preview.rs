//! `POST /transfer/preview`: what an import would read, before there is one.

use crate::{
    access,
    import::{Format, column_of, delimiter},
    names,
    propose::{Sample, guess},
    source::{Encoding, Source},
};
use atlashub_sdk::{definitions::NewTable, prelude::*};
use std::collections::BTreeMap;

/// Rows that are shown.
const SHOWN: usize = 20;
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
    /// Whether that one is to be made.
    #[serde(default)]
    create: bool,
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
    /// A table for it, as `definition` of an import takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<NewTable>,
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
    let sample = Sample::read(&source, wishes.format, encoding, delimiter, skipped)?;
    let names = &sample.names;
    let columns = names
        .iter()
        .enumerate()
        .map(|(at, name)| Guess {
            name: name.clone(),
            kind: guess(sample.values(at)),
        })
        .collect();
    let (mapping, definition) = match &wishes.table {
        name if wishes.create => {
            let (table, mapping) = sample.propose(name.as_deref().unwrap_or_default());
            (Some(mapping), Some(table))
        }
        None => (None, None),
        Some(table) => {
            let table = names::table(table)?;
            let to = |name: &String| {
                let column = column_of(&table, name).filter(|column| names::takes_values(column));
                (name.clone(), column.map(|column| column.name.clone()))
            };
            (Some(names.iter().map(to).collect()), None)
        }
    };
    let Sample {
        mut rows,
        delimiter,
        ..
    } = sample;
    rows.truncate(SHOWN);
    for value in rows.iter_mut().flatten().flatten() {
        if let Some((end, _)) = value.char_indices().nth(CHARACTERS) {
            value.truncate(end);
        }
    }
    Ok(Json(Shown {
        format: wishes.format,
        encoding,
        delimiter: (wishes.format == Format::Csv).then(|| char::from(delimiter).to_string()),
        size: source.size,
        columns,
        rows,
        mapping,
        definition,
    }))
}
