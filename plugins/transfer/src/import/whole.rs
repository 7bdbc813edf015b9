//! An archive of a project's tables, as plans for each of them. All that can
//! be found out about it is found out before anything is written: which
//! tables it has, whether they are here, and, in the job's first turns,
//! whether every piece of it is what it was.

use super::{
    Formulas, Mode, OnError, Wishes, Within,
    make::{Making, as_table},
    plan::{Format, Plan},
    users::Users,
};
use crate::{
    archive::{Contents, FORMAT, MANIFEST, Manifest, OLDEST, Piece, VERSION, hexadecimal, zip},
    names,
    source::{Encoding, Source},
};
use atlashub_sdk::{
    database::{self, Table},
    definitions::Definition,
    prelude::*,
};
use sha2::{Digest as _, Sha256};
use std::{borrow::Cow, collections::BTreeSet};

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
    /// Tables that are made before.
    pub(super) making: Making,
    /// Users that come along.
    pub(super) users: Option<Users>,
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
/// 422 `invalid_archive`; `tables_missing` with the definitions of those that
/// are not here and are not to be made; `cannot_be_made`.
pub(super) fn read(wishes: &Wishes, archive: &Source) -> Result<Whole> {
    let entries = zip::read(archive)?;
    let entry = |name: &str| {
        let found = entries.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| broken(format_args!("it has no `{name}`")))
    };
    let manifest = entry(MANIFEST)?.source()?;
    if manifest.size > MOST {
        return Err(broken("its manifest is too large"));
    }
    let manifest: Manifest = serde_json::from_slice(&manifest.bytes()?)
        .map_err(|error| broken(format_args!("its manifest makes no sense: {error}")))?;
    let is_known = (OLDEST..=VERSION).contains(&manifest.version);
    if manifest.format != FORMAT || !is_known {
        return Err(broken(format_args!(
            "it is `{}` {}, and `{FORMAT}` up to {VERSION} is understood here",
            manifest.format, manifest.version
        )));
    }
    let tables = database::describe()?;
    let is_wanted = |contents: &&Contents| {
        let object = format!("table:{}", contents.name);
        !wishes.leave_out.contains(&object)
    };
    let wanted: Vec<&Contents> = in_order(&manifest.tables)
        .into_iter()
        .filter(is_wanted)
        .collect();
    let missing: Vec<&Contents> = wanted
        .iter()
        .copied()
        .filter(|contents| find(&tables, &contents.name).is_none())
        .collect();
    if !missing.is_empty() && !wishes.create {
        return Err(Error::invalid(
            "tables_missing",
            format!(
                "{} tables of the archive are not here: with `create` they are made",
                missing.len()
            ),
        )
        .with_field(
            "tables",
            missing
                .iter()
                .map(|contents| serde_json::to_value(&contents.definition))
                .collect::<Result<Vec<_>, _>>()?,
        ));
    }
    let undo = wishes.within == Within::Transaction;
    if undo && wishes.on_error == OnError::Skip {
        return Err(Error::invalid(
            "invalid_body",
            "in one transaction all rows go in, or none: `on_error` is `stop` there",
        ));
    }
    if undo && missing.len() != wanted.len() {
        return Err(Error::invalid(
            "invalid_body",
            "a whole database is imported in one transaction only where all of its tables are made; \
             otherwise in batches, and `dry_run` tells beforehand what would not go in",
        ));
    }
    let making = making(wishes, &missing, &manifest, undo)?;
    let mut whole = Whole {
        plans: Vec::new(),
        checks: Vec::new(),
        rows: 0,
        making,
        users: None,
    };
    if wishes.users {
        let Some(users) = &manifest.users else {
            return Err(Error::invalid(
                "no_users",
                "the archive has no users: they are in it when it is exported with `users`",
            ));
        };
        let source = entry(&users.file)?.source()?;
        checks(
            &users.file,
            (users.size, &users.pieces),
            &source,
            &mut whole.checks,
        )?;
        whole.users = Some(Users::new(source, !wishes.dry_run));
    }
    for contents in wanted {
        let source = entry(&contents.file)?.source()?;
        let parts = (contents.size, contents.pieces.as_slice());
        checks(&contents.file, parts, &source, &mut whole.checks)?;
        let made = whole.making.definition(&contents.name);
        let table = match (find(&tables, &contents.name), made) {
            (Some(table), _) => Cow::Borrowed(table),
            // Rows cannot be tried in a table that is not there.
            (None, Some(_)) if wishes.dry_run => continue,
            (None, Some(made)) => Cow::Owned(as_table(&made.table)),
            (None, None) => continue,
        };
        whole.plans.push(plan(wishes, contents, &table, source)?);
        whole.rows = whole.rows.saturating_add(contents.rows);
    }
    if wishes.dry_run {
        whole.making = Making::default();
    }
    Ok(whole)
}

/// What is to be made of an archive's tables.
fn making(
    wishes: &Wishes,
    missing: &[&Contents],
    manifest: &Manifest,
    undo: bool,
) -> Result<Making> {
    if missing.is_empty() {
        return Ok(Making::default());
    }
    let definitions = missing.iter().map(|contents| Definition {
        table: contents.definition.clone(),
        policies: contents.policies.clone(),
        left_out: contents.left_out.clone(),
    });
    Making::plan(
        definitions.collect(),
        &manifest.left_out,
        &wishes.leave_out,
        undo,
    )
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
    let keys = contents.definition.foreign_keys.iter();
    keys.map(|key| key.table.as_str())
}

/// What is to be looked at of an entry with so many bytes in these pieces.
fn checks(
    file: &str,
    (size, pieces): (u64, &[Piece]),
    source: &Source,
    into: &mut Vec<Check>,
) -> Result<()> {
    let mut start = 0_u64;
    for piece in pieces {
        into.push(Check {
            source: source.part(start, piece.size)?,
            sha256: piece.sha256.clone(),
        });
        start = start.saturating_add(piece.size);
    }
    if start != source.size || size != source.size {
        return Err(broken(format_args!(
            "`{file}` has another size than the manifest says"
        )));
    }
    Ok(())
}

fn plan(wishes: &Wishes, contents: &Contents, table: &Table, source: Source) -> Result<Plan> {
    let defined: Vec<String> = contents
        .definition
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let from = match contents.columns.is_empty() {
        true => defined.clone(),
        false => contents.columns.clone(),
    };
    let is_left = |name: &str| {
        let object = format!("column:{}.{name}", contents.name);
        !defined.iter().any(|own| own == name) || wishes.leave_out.contains(&object)
    };
    let mut to = Vec::with_capacity(from.len());
    for name in &from {
        let column = table.columns.iter().find(|column| column.name == *name);
        match column {
            Some(column) => to.push(names::takes_values(column).then(|| column.name.clone())),
            // What was calculated where it comes from.
            None if is_left(name) => to.push(None),
            None => {
                return Err(Error::invalid(
                    "unmapped_column",
                    format!("the table `{}` here has no column `{name}`", table.name),
                ));
            }
        }
    }
    let key = match wishes.mode {
        Mode::Insert => Vec::new(),
        Mode::Upsert => key(table, &to)?,
    };
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
        key,
        dry_run: wishes.dry_run,
        // Its tables are what goes when it fails.
        within: Within::Batches,
        on_error: wishes.on_error,
        formulas: Formulas::Keep,
    })
}

/// What tells a table's rows apart, all of which is among what goes in.
fn key(table: &Table, to: &[Option<String>]) -> Result<Vec<String>> {
    let refused = |why: String| Err(Error::invalid("no_unique_key", why));
    if table.primary_key.is_empty() {
        return refused(format!(
            "the table `{}` has no primary key to tell rows apart by",
            table.name
        ));
    }
    let is_given = |name: &String| to.iter().flatten().any(|column| column == name);
    match table.primary_key.iter().find(|name| !is_given(name)) {
        None => Ok(table.primary_key.clone()),
        Some(missing) => refused(format!(
            "the archive has nothing for `{missing}`, by which rows of the table `{}` are told apart",
            table.name
        )),
    }
}
