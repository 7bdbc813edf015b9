//! `POST /transfer/import`: rows of a source into a table.
//!
//! Rows go in by batches, each a transaction. How far the job is is noted
//! before a batch is made to last, with what tells later whether that came
//! about: so that a batch and its note do not come apart when a server is
//! killed in between.

mod batch;
mod counters;
mod make;
mod once;
mod plan;
mod quick;
mod refused;
mod rows;
mod users;
mod whole;
mod work;

pub(crate) use counters::Behind;
pub(crate) use make::undo;
pub(crate) use plan::{Format, column_of};
pub(crate) use rows::Reader;
pub(crate) use users::Told;
pub(crate) use work::work;

use crate::{
    access,
    job::{Job, NewJob},
    jobs::{Shown, note},
    names,
    propose::Sample,
    source::Source,
    turns,
};
use atlashub_sdk::{
    database,
    definitions::{Definition, NewTable},
    prelude::*,
};
use make::Making;
use plan::Plan;
use std::collections::BTreeMap;
use users::Users;
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
    /// Whether tables are made that are not there.
    #[serde(default)]
    create: bool,
    /// The table to be made, as the admin's own call takes it; one that fits
    /// the source otherwise.
    definition: Option<serde_json::Value>,
    /// Parts of tables that are not made, as `cannot_be_made` names them.
    #[serde(default)]
    leave_out: Vec<String>,
    /// Whether an archive's users become users here.
    #[serde(default)]
    users: bool,
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
    /// Tables that are made before.
    #[serde(default)]
    making: Making,
    /// Users that come along.
    #[serde(default)]
    users: Option<Users>,
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
fn write_down(mut wishes: Wishes) -> Result<Job> {
    let source = Source::find(&wishes.source)?;
    let bytes_total = Some(source.size);
    let (job, asked) = match wishes.what {
        What::Table => {
            if wishes.users {
                return Err(Error::invalid(
                    "invalid_body",
                    "`users` is for archives: `what` is `database` there",
                ));
            }
            let Some(name) = wishes.table.clone() else {
                return Err(Error::invalid("invalid_body", "name the table in `table`"));
            };
            let format = Format::named(wishes.format.as_deref())?;
            let asked = if wishes.create {
                of_new_table(&mut wishes, format, &name, source)?
            } else if wishes.definition.is_some() {
                return Err(Error::invalid(
                    "invalid_body",
                    "a `definition` is for a table that is made: say `create`",
                ));
            } else {
                Asked {
                    plans: vec![Plan::make(&wishes, format, &names::table(&name)?, source)?],
                    ..Asked::default()
                }
            };
            let job = NewJob {
                kind: "import",
                what: "table",
                subject: wishes.table.as_deref(),
                format: format.as_str(),
                bytes_total,
            };
            (job, asked)
        }
        What::Database => {
            let is_plain = wishes.mapping.is_none() && wishes.definition.is_none();
            if !matches!(wishes.format.as_deref(), None | Some("zip")) || !is_plain {
                return Err(Error::invalid(
                    "invalid_body",
                    "a database's `format` is `zip`, and it has no `mapping` and no `definition`",
                ));
            }
            let whole = whole::read(&wishes, &source)?;
            let asked = Asked {
                plans: whole.plans,
                checks: whole.checks,
                rows: Some(whole.rows),
                making: whole.making,
                users: whole.users,
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

/// An import into a table that is made for it.
fn of_new_table(wishes: &mut Wishes, format: Format, name: &str, source: Source) -> Result<Asked> {
    let tables = database::describe()?;
    if tables.iter().any(|own| own.name.eq_ignore_ascii_case(name)) {
        return Err(Error::conflict(
            "table_exists",
            format!("there is a table or view `{name}` already"),
        ));
    }
    let table = match wishes.definition.take() {
        Some(given) => given_table(given, name)?,
        None => {
            let (encoding, skipped) = source.encoding(wishes.encoding.as_deref())?;
            let delimiter = delimiter(wishes.delimiter.as_deref())?;
            let sample = Sample::read(&source, format, encoding, delimiter, skipped)?;
            let (table, mapping) = sample.propose(name);
            wishes.mapping.get_or_insert(mapping);
            table
        }
    };
    let plan = Plan::make(wishes, format, &make::as_table(&table), source)?;
    let definition = Definition {
        table,
        ..Definition::default()
    };
    let undo = wishes.within == Within::Transaction;
    let making = Making::plan(vec![definition], &[], &wishes.leave_out, undo)?;
    let mut asked = Asked {
        making,
        ..Asked::default()
    };
    // Rows cannot be tried in a table that is not there.
    if wishes.dry_run {
        asked.making = Making::default();
    } else {
        asked.plans.push(plan);
    }
    Ok(asked)
}

/// The table that the caller wants.
fn given_table(mut given: serde_json::Value, name: &str) -> Result<NewTable> {
    if let Some(members) = given.as_object_mut() {
        let own = members.entry("name").or_insert_with(|| name.into());
        if own.as_str().is_some_and(str::is_empty) {
            *own = name.into();
        }
    }
    let table: NewTable = serde_json::from_value(given)
        .map_err(|error| Error::invalid("invalid_schema", format!("the definition: {error}")))?;
    if table.name != name {
        return Err(Error::invalid(
            "invalid_schema",
            "`definition` and `table` name different tables",
        ));
    }
    Ok(table)
}
