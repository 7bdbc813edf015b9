//! A table for a source that has none yet: its columns by their names, with
//! the narrowest types that hold what the first rows have. The caller may
//! correct it.

use crate::{
    import::{Format, Reader},
    source::{Encoding, Source},
};
use atlashub_sdk::{
    definitions::{Column, NewTable},
    prelude::*,
};
use atlashub_tables::{cells, times};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Rows by which types are guessed.
const LOOKED_AT: usize = 200;
/// Most bytes of a name that is proposed: both engines keep it, and a number
/// behind it.
const NAME: usize = 50;

/// What a source begins with.
pub(crate) struct Sample {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// What stands between cells.
    pub(crate) delimiter: u8,
}

impl Sample {
    /// Reads the first rows.
    pub(crate) fn read(
        source: &Source,
        format: Format,
        encoding: Encoding,
        delimiter: Option<u8>,
        skipped: u64,
    ) -> Result<Self> {
        let mut reader = Reader::open(source, format, encoding, delimiter, skipped)?;
        let names = reader.names()?;
        let mut rows = Vec::new();
        while rows.len() < LOOKED_AT
            && let Some(record) = reader.next()?
        {
            rows.push(record.shown(&names));
        }
        Ok(Self {
            names,
            rows,
            delimiter: reader.delimiter(),
        })
    }

    /// The values of a column, as far as rows have one.
    pub(crate) fn values(&self, at: usize) -> impl Iterator<Item = &str> + Clone {
        self.rows
            .iter()
            .filter_map(move |row| row.get(at)?.as_deref())
    }

    /// A table for it, and where its columns go.
    pub(crate) fn propose(&self, name: &str) -> (NewTable, BTreeMap<String, Option<String>>) {
        let mut table = NewTable::new(name);
        let mut mapping = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (at, own) in self.names.iter().enumerate() {
            let name = free(&plain(own, at), &mut taken);
            let mut column = Column::new(&name, column_type(self.values(at)));
            let is_key = name == "id" && table.key().is_empty() && self.tells_apart(at);
            if is_key {
                column = column.primary_key();
            }
            mapping.insert(own.clone(), Some(name));
            table.columns.push(column);
        }
        (table, mapping)
    }

    /// Whether every row has a value of its own there.
    fn tells_apart(&self, at: usize) -> bool {
        let mut seen = HashSet::new();
        !self.rows.is_empty()
            && self.values(at).all(|value| seen.insert(value))
            && seen.len() == self.rows.len()
    }
}

/// What can be the name of a column.
fn plain(name: &str, at: usize) -> String {
    let mut plain = String::new();
    for c in name.trim().to_lowercase().chars() {
        if plain.len() + c.len_utf8() > NAME {
            break;
        }
        if c.is_alphanumeric() {
            plain.push(c);
        } else if !plain.is_empty() && !plain.ends_with('_') {
            plain.push('_');
        }
    }
    let plain = plain.trim_end_matches('_');
    let is_taken = ["sqlite", "pg_"]
        .iter()
        .any(|begin| plain.starts_with(begin));
    match plain.chars().next() {
        None => format!("column_{}", at + 1),
        Some(first) if first.is_numeric() || is_taken => format!("c_{plain}"),
        Some(_) => plain.to_owned(),
    }
}

/// The name, or one that nothing has yet.
fn free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut own = name.to_owned();
    let mut number = 1;
    while !taken.insert(own.clone()) {
        number += 1;
        own = format!("{name}_{number}");
    }
    own
}

/// The type of a column that holds the values as they are: a number that
/// would lose digits, as in `007`, is a text.
fn column_type<'a>(values: impl Iterator<Item = &'a str> + Clone) -> &'static str {
    match guess(values.clone()) {
        "integer" => {
            let mut values = values;
            let same = |text: &str| {
                text.parse::<i64>()
                    .is_ok_and(|number| number.to_string() == text)
            };
            if values.all(same) { "bigint" } else { "text" }
        }
        "numeric" => {
            let mut values = values;
            let padded = |text: &str| {
                let digits = text.trim_start_matches('-');
                text.starts_with('+')
                    || (digits.starts_with('0') && digits.len() > 1 && !digits.starts_with("0."))
            };
            if values.any(padded) {
                "text"
            } else {
                "numeric"
            }
        }
        kind => kind,
    }
}

/// The narrowest kind that has all of the values.
pub(crate) fn guess<'a>(values: impl Iterator<Item = &'a str>) -> &'static str {
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

    #[test]
    fn a_number_that_would_lose_digits_is_a_text() {
        for (values, kind) in [
            (&["1", "-2"][..], "bigint"),
            (&["007", "8"], "text"),
            (&["+254700000001"], "text"),
            (&["0.5", "12"], "numeric"),
            (&["01.5"], "text"),
        ] {
            assert_eq!(column_type(values.iter().copied()), kind, "{values:?}");
        }
    }

    #[test]
    fn columns_get_names_that_both_engines_take() {
        let row = ["1", "x", "y", "z", "2026-01-01"];
        let row = row.map(|value| Some(value.to_owned())).to_vec();
        let names = ["ID", "Größe (cm)", "größe-cm", "2nd", "--"];
        let sample = Sample {
            names: names.map(str::to_owned).to_vec(),
            rows: vec![row],
            delimiter: b',',
        };
        let (table, mapping) = sample.propose("things");
        let made: Vec<(&str, &str)> = table
            .columns
            .iter()
            .map(|own| (own.name.as_str(), own.column_type.as_str()))
            .collect();
        assert_eq!(
            made,
            [
                ("id", "bigint"),
                ("größe_cm", "text"),
                ("größe_cm_2", "text"),
                ("c_2nd", "text"),
                ("column_5", "date"),
            ]
        );
        assert_eq!(table.key(), ["id"]);
        let to = mapping.get("--").cloned().flatten();
        assert_eq!(to.as_deref(), Some("column_5"));
    }
}
