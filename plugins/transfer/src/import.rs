//! `POST /transfer/import`: rows of a source into a table.
//!
//! Rows go in by batches, each a transaction. How far the job is is noted
//! before a batch is made to last, with what tells later whether that came
//! about: so that a batch and its note do not come apart when a server is
//! killed in between.

mod batch;
mod counters;
mod once;
mod plan;
mod quick;
mod rows;
mod whole;
mod work;

pub(crate) use plan::{Format, column_of};
pub(crate) use rows::Reader;
pub(crate) use work::work;

use crate::{
    access,
    job::{Job, NewJob},
    jobs::{Shown, note},
    names,
    source::Source,
    turns,
};
use atlashub_sdk::prelude::*;
use plan::Plan;
use std::collections::BTreeMap;
use whole::Check;

/// What is to be imported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    #[serde(default)]
    what: What,
    /// An upload's id, or that of a job with a result.
    source: String,
    table: Option<String>,
    format: Option<String>,
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

/// Into what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// One table.
    #[default]
    Table,
    /// The tables of an archive.
    Database,
}

/// What a job is to do.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Asked {
    /// A plan for each table, in order.
    plans: Vec<Plan>,
    /// What is looked at before.
    checks: Vec<Check>,
    rows: Option<u64>,
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
    let job = write_down(wishes)?;
    turns::begin(&job)?;
    Ok((StatusCode::ACCEPTED, Json(Shown::brief(&job))))
}

/// What the platform asks for; it begins with whoever asked for it.
pub(crate) fn of_platform(wishes: serde_json::Value) -> Result<Job> {
    let wishes = serde_json::from_value(wishes)
        .map_err(|error| Error::invalid("invalid_body", format!("the import: {error}")))?;
    write_down(wishes)
}

/// Looks whether it can be done, and writes it down.
fn write_down(wishes: Wishes) -> Result<Job> {
    let source = Source::find(&wishes.source)?;
    let bytes_total = Some(source.size);
    let (job, asked) = match wishes.what {
        What::Table => {
            let Some(name) = &wishes.table else {
                return Err(Error::invalid("invalid_body", "name the table in `table`"));
            };
            let format = Format::named(wishes.format.as_deref())?;
            let plan = Plan::make(&wishes, format, &names::table(name)?, source)?;
            let asked = Asked {
                plans: vec![plan],
                ..Asked::default()
            };
            let job = NewJob {
                kind: "import",
                what: "table",
                subject: Some(name),
                format: format.as_str(),
                bytes_total,
            };
            (job, asked)
        }
        What::Database => {
            if !matches!(wishes.format.as_deref(), None | Some("zip")) || wishes.mapping.is_some() {
                return Err(Error::invalid(
                    "invalid_body",
                    "a database's `format` is `zip`, and it has no `mapping`",
                ));
            }
            let whole = whole::read(&wishes, &source)?;
            let asked = Asked {
                plans: whole.plans,
                checks: whole.checks,
                rows: Some(whole.rows),
            };
            let job = NewJob {
                kind: "import",
                what: "database",
                subject: None,
                format: "zip",
                bytes_total: None,
            };
            (job, asked)
        }
    };
    let job = job.make(&asked)?;
    if !wishes.dry_run {
        note(
            "transfer.import",
            wishes.table.as_deref().unwrap_or("database"),
        );
    }
    Ok(job)
}
