//! What an import is to do, checked before it begins: which column of the
//! source goes into which of the table.

use super::{Formulas, Mode, OnError, Reader, Wishes, Within, delimiter};
use crate::{
    names,
    source::{Encoding, Source},
};
use atlashub_sdk::{
    database::{Column, Table},
    prelude::*,
};
use std::collections::BTreeSet;

/// In which form the source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A line of cells for each row, the first with the columns' names.
    #[default]
    Csv,
    /// One list of objects.
    Json,
    /// An object a line.
    Ndjson,
}

impl Format {
    /// The format of that name; CSV when nothing is said.
    pub(super) fn named(name: Option<&str>) -> Result<Self> {
        match name {
            None | Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            Some("ndjson") => Ok(Self::Ndjson),
            Some(_) => Err(Error::invalid(
                "invalid_body",
                "a table's `format` is `csv`, `json` or `ndjson`",
            )),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }
}

/// A job's plan.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) table: String,
    pub(crate) format: Format,
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    /// Where the first row begins, in bytes of the source.
    pub(crate) first: u64,
    /// The source's columns.
    pub(crate) from: Vec<String>,
    /// For each of them the column of the table, if it has one.
    pub(crate) to: Vec<Option<String>>,
    pub(crate) mode: Mode,
    /// Columns that tell whether a row is there; none for inserts.
    pub(crate) key: Vec<String>,
    pub(crate) dry_run: bool,
    pub(crate) within: Within,
    pub(crate) on_error: OnError,
    pub(crate) formulas: Formulas,
}

impl Plan {
    /// Looks at the source and at the table.
    ///
    /// # Errors
    /// What does not fit together.
    pub(super) fn make(
        wishes: &Wishes,
        format: Format,
        table: &Table,
        source: Source,
    ) -> Result<Self> {
        if wishes.within == Within::Transaction && wishes.on_error == OnError::Skip {
            return Err(Error::invalid(
                "invalid_body",
                "in one transaction all rows go in, or none: `on_error` is `stop` there",
            ));
        }
        let (encoding, skipped) = source.encoding(wishes.encoding.as_deref())?;
        let mut reader = Reader::open(
            &source,
            format,
            encoding,
            delimiter(wishes.delimiter.as_deref())?,
            skipped,
        )?;
        let from = reader.names()?;
        let to = mapped(wishes, table, &from)?;
        let key = match wishes.mode {
            Mode::Insert => Vec::new(),
            Mode::Upsert => key(wishes, table, &to)?,
        };
        Ok(Self {
            table: table.name.clone(),
            format,
            encoding,
            delimiter: reader.delimiter(),
            first: reader.offset(),
            source,
            from,
            to,
            mode: wishes.mode,
            key,
            dry_run: wishes.dry_run,
            within: wishes.within,
            on_error: wishes.on_error,
            formulas: wishes.formulas,
        })
    }
}

/// The column of the table for one of the source's of that name.
pub(crate) fn column_of<'a>(table: &'a Table, name: &str) -> Option<&'a Column> {
    let exact = table.columns.iter().find(|column| column.name == name);
    let plain = |name: &str| {
        let words = name.trim().to_lowercase();
        words.replace([' ', '-'], "_")
    };
    let alike = || {
        table
            .columns
            .iter()
            .find(|column| plain(&column.name) == plain(name))
    };
    exact.or_else(alike)
}

fn mapped(wishes: &Wishes, table: &Table, from: &[String]) -> Result<Vec<Option<String>>> {
    if let Some(mapping) = &wishes.mapping
        && let Some(unknown) = mapping.keys().find(|name| !from.contains(name))
    {
        return Err(Error::invalid(
            "unknown_source_column",
            format!("`mapping` names `{unknown}`, and the source has no such column"),
        ));
    }
    let mut to = Vec::with_capacity(from.len());
    let mut taken = BTreeSet::new();
    for name in from {
        let column = match wishes
            .mapping
            .as_ref()
            .and_then(|mapping| mapping.get(name))
        {
            Some(None) => None,
            Some(Some(wanted)) => {
                let column = names::column(table, wanted)?;
                if !names::takes_values(column) {
                    return Err(Error::invalid(
                        "generated_column",
                        format!("the database makes the values of `{wanted}` itself"),
                    ));
                }
                Some(column)
            }
            None => match column_of(table, name) {
                // What an export has of it is made again.
                Some(column) if !names::takes_values(column) => None,
                Some(column) => Some(column),
                None => {
                    return Err(Error::invalid(
                        "unmapped_column",
                        format!(
                            "the table `{}` has no column `{name}`: say in `mapping` where it goes, or null to leave it out",
                            table.name
                        ),
                    ));
                }
            },
        };
        if let Some(column) = column
            && !taken.insert(column.name.clone())
        {
            return Err(Error::invalid(
                "column_mapped_twice",
                format!("two columns of the source go into `{}`", column.name),
            ));
        }
        to.push(column.map(|column| column.name.clone()));
    }
    if taken.is_empty() {
        return Err(Error::invalid(
            "unmapped_column",
            "no column of the source goes into the table",
        ));
    }
    Ok(to)
}

fn key(wishes: &Wishes, table: &Table, to: &[Option<String>]) -> Result<Vec<String>> {
    let key = wishes
        .key
        .clone()
        .unwrap_or_else(|| table.primary_key.clone());
    let same = |set: &[String]| {
        !set.is_empty() && set.len() == key.len() && set.iter().all(|name| key.contains(name))
    };
    if !same(&table.primary_key) && !table.unique.iter().any(|set| same(set)) {
        return Err(Error::invalid(
            "no_unique_key",
            "rows are told apart by the primary key, or by columns in `key` that are unique together",
        ));
    }
    let is_given = |name: &String| to.iter().flatten().any(|column| column == name);
    if let Some(missing) = key.iter().find(|name| !is_given(name)) {
        return Err(Error::invalid(
            "no_unique_key",
            format!("no column of the source goes into `{missing}`, by which rows are told apart"),
        ));
    }
    Ok(key)
}
