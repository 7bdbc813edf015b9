//! `POST /transfer/import`: rows of a source into a table.
//!
//! Rows go in by batches, each a transaction. How far the job is is noted
//! before a batch is made to last, with what tells later whether that came
//! about: so that a batch and its note do not come apart when a server is
//! killed in between.

mod batch;
mod once;
mod plan;
mod rows;
mod work;

pub(crate) use plan::{Format, column_of};
pub(crate) use rows::Reader;
pub(crate) use work::work;

use crate::{
    access, drive,
    job::NewJob,
    jobs::{Shown, note},
    names,
    source::Source,
};
use atlashub_sdk::prelude::*;
use plan::Plan;
use std::collections::BTreeMap;

/// What is to be imported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    /// An upload's id, or that of a job with a result.
    pub(crate) source: String,
    pub(crate) table: String,
    #[serde(default)]
    pub(crate) format: Format,
    /// Columns of the table by those of the source; null for what is left
    /// out.
    mapping: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    mode: Mode,
    /// Columns that tell whether a row is there; the primary key otherwise.
    key: Option<Vec<String>>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default, rename = "in")]
    within: Within,
    #[serde(default)]
    on_error: OnError,
    delimiter: Option<String>,
    encoding: Option<String>,
    #[serde(default)]
    formulas: Formulas,
}

/// What becomes of rows that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// They are errors.
    #[default]
    Insert,
    /// They get the new values.
    Upsert,
}

/// What lasts when something goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Within {
    /// The batches before.
    #[default]
    Batches,
    /// Nothing.
    Transaction,
}

/// What becomes of the job when a row cannot be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnError {
    /// It fails.
    #[default]
    Stop,
    /// It goes on with the next row.
    Skip,
}

/// Whether a `'` before what looks like a formula is taken away, as exports
/// put it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Formulas {
    #[default]
    Restore,
    Keep,
}

/// A delimiter, as clients name it.
///
/// # Errors
/// 422 `invalid_body`.
pub(crate) fn delimiter(named: Option<&str>) -> Result<Option<u8>> {
    match named {
        None => Ok(None),
        Some("," | ";" | "\t" | "|") => Ok(named.and_then(|text| text.bytes().next())),
        Some(_) => Err(Error::invalid(
            "invalid_body",
            "`delimiter` is one of `,`, `;`, a tab and `|`",
        )),
    }
}

pub(crate) fn ask(caller: Caller, Json(wishes): Json<Wishes>) -> Result<(StatusCode, Json<Shown>)> {
    access::require(&caller)?;
    let table = names::table(&wishes.table)?;
    let source = Source::find(&wishes.source)?;
    let plan = Plan::make(&wishes, &table, source)?;
    let job = NewJob {
        kind: "import",
        what: "table",
        subject: Some(&wishes.table),
        format: wishes.format.as_str(),
        bytes_total: Some(plan.source.size),
    };
    let job = job.make(&plan)?;
    drive::begin(&job)?;
    if !wishes.dry_run {
        note("transfer.import", &wishes.table);
    }
    Ok((StatusCode::ACCEPTED, Json(Shown::brief(&job))))
}
