//! An archive of a project's tables, as plans for each of them. All that can
//! be found out about it is found out before anything is written: which
//! tables it has, whether they are here, and, in the job's first turns,
//! whether every piece of it is what it was.

use super::{
    Formulas, Mode, Wishes, Within,
    plan::{Format, Plan},
};
use crate::{
    archive::{Contents, FORMAT, MANIFEST, Manifest, VERSION, hexadecimal, zip},
    source::{Encoding, Source},
};
use atlashub_sdk::{
    database::{self, Table},
    prelude::*,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The largest manifest that is read, bytes.
const MOST: u64 = 8 * 1024 * 1024;

/// A piece of an archive that is to be looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Check {
    pub(super) source: Source,
    pub(super) sha256: String,
}

impl Check {
    /// Whether the piece is what it was.
    ///
    /// # Errors
    /// 422 `checksum_mismatch`.
    pub(super) fn verify(&self) -> Result<()> {
        let mut sha = Sha256::new();
        let mut body = self.source.body()?;
        while let Some(chunk) = body.chunk()? {
            sha.update(&chunk);
        }
        if hexadecimal(&sha.finalize()) == self.sha256.to_ascii_lowercase() {
            return Ok(());
        }
        Err(Error::invalid(
            "checksum_mismatch",
            "the archive is damaged: a piece of it is not what its manifest says; nothing was imported",
        ))
    }
}

/// What came of reading an archive.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) plans: Vec<Plan>,
    pub(super) checks: Vec<Check>,
    pub(super) rows: u64,
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::invalid(
        "invalid_archive",
        format!("the archive cannot be read: {why}"),
    )
}

/// Reads an archive's manifest, and compares it with the tables that there are.
///
/// # Errors
/// 422 `invalid_archive`, `tables_missing` with the definitions of those that
/// are not here.
pub(super) fn read(wishes: &Wishes, archive: &Source) -> Result<Whole> {
    if wishes.within == Within::Transaction {
        return Err(Error::invalid(
            "invalid_body",
            "a whole database is imported in batches; `dry_run` tells beforehand what would not go in",
        ));
    }
    let entries = zip::read(archive)?;
    let entry = |name: &str| {
        let found = entries.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| broken(format_args!("it has no `{name}`")))
    };
    let manifest = &entry(MANIFEST)?.source;
    if manifest.size > MOST {
        return Err(broken("its manifest is too large"));
    }
    let manifest: Manifest = serde_json::from_slice(&manifest.bytes()?)
        .map_err(|error| broken(format_args!("its manifest makes no sense: {error}")))?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        return Err(broken(format_args!(
            "it is `{}` {}, and `{FORMAT}` {VERSION} is understood here",
            manifest.format, manifest.version
        )));
    }
    let tables = database::describe()?;
    let missing: Vec<serde_json::Value> = in_order(&manifest.tables)
        .into_iter()
        .filter(|contents| find(&tables, &contents.name).is_none())
        .map(|contents| contents.definition.clone())
        .collect();
    if !missing.is_empty() {
        return Err(Error::invalid(
            "tables_missing",
            format!(
                "{} tables of the archive are not here; an admin makes them of `tables`",
                missing.len()
            ),
        )
        .with_field("tables", missing));
    }
    let mut whole = Whole {
        plans: Vec::new(),
        checks: Vec::new(),
        rows: 0,
    };
    for contents in in_order(&manifest.tables) {
        let Some(table) = find(&tables, &contents.name) else {
            continue;
        };
        let source = entry(&contents.file)?.source.clone();
        checks(contents, &source, &mut whole.checks)?;
        whole.plans.push(plan(wishes, contents, table, source)?);
        whole.rows = whole.rows.saturating_add(contents.rows);
    }
    Ok(whole)
}

fn find<'a>(tables: &'a [Table], name: &str) -> Option<&'a Table> {
    let mut tables = tables.iter();
    tables.find(|table| table.name == name && table.kind == "table")
}

/// Tables before those that refer to them, as far as there is such an order.
fn in_order(contents: &[Contents]) -> Vec<&Contents> {
    let names: BTreeSet<&str> = contents.iter().map(|own| own.name.as_str()).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::new();
    let mut left: Vec<&Contents> = contents.iter().collect();
    while !left.is_empty() {
        let is_ready = |own: &&Contents| {
            parents(own).all(|parent| {
                parent == own.name || done.contains(parent) || !names.contains(parent)
            })
        };
        let (mut ready, mut rest): (Vec<&Contents>, Vec<&Contents>) =
            left.into_iter().partition(is_ready);
        if ready.is_empty() {
            // They refer to each other: as they stand.
            ready.append(&mut rest);
        }
        done.extend(ready.iter().map(|own| own.name.as_str()));
        order.extend(ready);
        left = rest;
    }
    order
}

/// The tables that a table's foreign keys name.
fn parents(contents: &Contents) -> impl Iterator<Item = &str> {
    let keys = contents.definition.get("foreign_keys");
    let keys = keys
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten();
    keys.filter_map(|key| key.get("table")?.as_str())
}

fn checks(contents: &Contents, source: &Source, into: &mut Vec<Check>) -> Result<()> {
    let mut start = 0_u64;
    for piece in &contents.pieces {
        into.push(Check {
            source: source.part(start, piece.size)?,
            sha256: piece.sha256.clone(),
        });
        start = start.saturating_add(piece.size);
    }
    if start != source.size || contents.size != source.size {
        return Err(broken(format_args!(
            "`{}` has another size than the manifest says",
            contents.file
        )));
    }
    Ok(())
}

fn plan(wishes: &Wishes, contents: &Contents, table: &Table, source: Source) -> Result<Plan> {
    let members = contents
        .definition
        .get("columns")
        .and_then(serde_json::Value::as_array);
    let from: Vec<String> = members
        .into_iter()
        .flatten()
        .filter_map(|column| column.get("name")?.as_str().map(str::to_owned))
        .collect();
    let mut to = Vec::with_capacity(from.len());
    for name in &from {
        let column = table.columns.iter().find(|column| column.name == *name);
        let column = column.ok_or_else(|| {
            Error::invalid(
                "unmapped_column",
                format!("the table `{}` here has no column `{name}`", table.name),
            )
        })?;
        to.push((!column.generated).then(|| column.name.clone()));
    }
    if wishes.mode == Mode::Upsert && table.primary_key.is_empty() {
        return Err(Error::invalid(
            "no_unique_key",
            format!(
                "the table `{}` has no primary key to tell rows apart by",
                table.name
            ),
        ));
    }
    Ok(Plan {
        source,
        table: table.name.clone(),
        format: Format::Ndjson,
        encoding: Encoding::Utf8,
        delimiter: b',',
        first: 0,
        from,
        to,
        mode: wishes.mode,
        key: match wishes.mode {
            Mode::Insert => Vec::new(),
            Mode::Upsert => table.primary_key.clone(),
        },
        dry_run: wishes.dry_run,
        within: wishes.within,
        on_error: wishes.on_error,
        formulas: Formulas::Keep,
    })
}
