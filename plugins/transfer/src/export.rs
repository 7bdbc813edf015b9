//! `POST /transfer/export`: a table as an object.

mod copy;
mod database;
mod dump;
mod files;
mod lines;
mod pages;
mod parts;
mod statements;

use crate::{
    access,
    job::{Ended, Job, NewJob, Turn},
    jobs::{Shown, note},
    names, turns,
};
use atlashub_sdk::{database as tables, prelude::*, sql::Dialect};
use copy::{Copied, Copy};
use lines::Lines;
use pages::{Pages, Place};
use parts::Parts;

/// What is to be exported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    what: String,
    table: Option<String>,
    format: Option<String>,
    /// Columns, in their order; all when nothing is said.
    columns: Option<Vec<String>>,
    #[serde(default)]
    delimiter: Delimiter,
    #[serde(default)]
    formulas: Formulas,
    /// Of all files: whether what is known of each stands beside it.
    #[serde(default)]
    metadata: bool,
    /// Of an archive: whether the project's users are in it.
    #[serde(default)]
    users: bool,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A line of cells for each row.
    #[default]
    Csv,
    /// One list of objects.
    Json,
    /// An object a line.
    Ndjson,
}

impl Format {
    /// The format of that name; CSV when nothing is said.
    fn named(name: Option<&str>) -> Result<Self> {
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

    /// The name, as clients write it and as files end.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// What stands between cells. None of these is part of a number, a date or a
/// UUID, which are written as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Delimiter {
    /// `,`
    #[default]
    #[serde(rename = ",")]
    Comma,
    /// `;`
    #[serde(rename = ";")]
    Semicolon,
    /// A tab.
    #[serde(rename = "\t")]
    Tab,
    /// `|`
    #[serde(rename = "|")]
    Bar,
}

impl Delimiter {
    /// The character.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Tab => "\t",
            Self::Bar => "|",
        }
    }
}

/// What becomes of cells that a program for tables would calculate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Formulas {
    /// They get a `'` before them.
    #[default]
    Neutralise,
    /// They stay as they are.
    Keep,
}

/// What a job is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    table: String,
    columns: Option<Vec<String>>,
    format: Format,
    delimiter: Delimiter,
    formulas: Formulas,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The last row that a part has.
    place: Option<Place>,
    /// Parts that there are.
    parts: u64,
    /// Rows of a page, as far as that is known.
    page: u64,
    /// Whether every row is in a part.
    complete: bool,
}

pub(crate) fn ask(caller: Caller, Json(wishes): Json<Wishes>) -> Result<(StatusCode, Json<Shown>)> {
    access::require(&caller)?;
    let job = write_down(wishes)?;
    turns::begin(&job)?;
    note(
        "transfer.export",
        job.subject.as_deref().unwrap_or(&job.what),
    );
    Ok((StatusCode::ACCEPTED, Json(Shown::brief(&job))))
}

/// A job that the platform asks for: of the whole database, unless something
/// else is named.
pub(crate) fn of_platform(mut wishes: serde_json::Value) -> Result<Job> {
    if wishes.is_null() {
        wishes = serde_json::json!({});
    }
    if let Some(wishes) = wishes.as_object_mut() {
        let _ = wishes.entry("what").or_insert_with(|| "database".into());
    }
    let wishes: Wishes = serde_json::from_value(wishes)
        .map_err(|error| Error::invalid("invalid_body", format!("the export: {error}")))?;
    let job = write_down(wishes)?;
    note(
        "transfer.export",
        job.subject.as_deref().unwrap_or(&job.what),
    );
    Ok(job)
}

/// Writes a job down.
fn write_down(wishes: Wishes) -> Result<Job> {
    let is_archive =
        wishes.what == "database" && matches!(wishes.format.as_deref(), None | Some("zip"));
    if wishes.users && !is_archive {
        return Err(Error::invalid(
            "invalid_body",
            "`users` is for archives: `what` is `database` there, and `format` is `zip`",
        ));
    }
    match wishes.what.as_str() {
        "table" => table(wishes),
        "database" => whole(&wishes),
        "files" => all_files(&wishes),
        other => Err(Error::invalid(
            "not_supported",
            format!("`{other}` cannot be exported; `what` is `table`, `database` or `files`"),
        )),
    }
}

/// Every file as one archive.
fn all_files(wishes: &Wishes) -> Result<Job> {
    if !matches!(wishes.format.as_deref(), None | Some("zip")) {
        return Err(Error::invalid(
            "not_supported",
            "all files are exported as `zip`",
        ));
    }
    files::make(wishes.metadata)
}

/// Every table as an archive, or as SQL.
fn whole(wishes: &Wishes) -> Result<Job> {
    let (format, asked) = match wishes.format.as_deref() {
        None | Some("zip") => ("zip", database::asked(wishes.users)?),
        Some("sql") => ("sql", dump::ask()?),
        Some(_) => {
            return Err(Error::invalid(
                "not_supported",
                "the whole database is exported as `zip` or `sql`",
            ));
        }
    };
    let job = NewJob {
        kind: "export",
        what: "database",
        subject: None,
        format,
        bytes_total: None,
    };
    job.make(&asked)
}

fn table(wishes: Wishes) -> Result<Job> {
    let format = Format::named(wishes.format.as_deref())?;
    let Some(name) = wishes.table else {
        return Err(Error::invalid("invalid_body", "name the table in `table`"));
    };
    let table = names::table(&name)?;
    if names::columns(&table, wishes.columns.as_deref())?.is_empty() {
        return Err(Error::invalid("invalid_body", "name a column in `columns`"));
    }
    let job = NewJob {
        kind: "export",
        what: "table",
        subject: Some(&name),
        format: format.as_str(),
        bytes_total: None,
    };
    job.make(&Asked {
        table: name.clone(),
        columns: wishes.columns,
        format,
        delimiter: wishes.delimiter,
        formulas: wishes.formulas,
    })
}

/// A turn at an export.
pub(crate) fn work(turn: &mut Turn) -> Result<Ended> {
    match (turn.job.what.as_str(), turn.job.format.as_str()) {
        ("files", _) => return files::work(turn),
        ("database", "sql") => return dump::work(turn),
        ("database", _) => return database::work(turn),
        _ => {}
    }
    let (asked, mut state): (Asked, State) = turn.kept()?;
    let table = names::table(&asked.table)?;
    let columns = names::columns(&table, asked.columns.as_deref())?;
    let lines = Lines::new(asked.format, asked.delimiter, asked.formulas);
    let mut pages = Pages::new(&table, &lines.of_row(&columns), lines.end(), state.page)?;
    if turn.job.rows_total.is_none() {
        turn.job.rows_total = pages.count();
    }
    let mut parts = Parts::new(state.parts);
    if state.parts == 0 {
        parts.push(lines.head(&columns).as_bytes());
    }
    let mut ended = None;
    let mut copy = (tables::dialect() == Dialect::Postgres).then(|| Copy::new(&lines, &columns));
    while !state.complete {
        ended = match &mut copy {
            Some(copy) => copied(turn, &mut state, &lines, (&mut pages, copy), &mut parts)?,
            None => page(turn, &mut state, &lines, &mut pages, &mut parts)?,
        };
        if ended.is_some() {
            break;
        }
    }
    match ended {
        Some(ended) => Ok(ended),
        None => {
            let name = format!("{}.{}", asked.table, asked.format.as_str());
            let outcome = parts::join(turn, name, asked.format.content_type())?;
            turn.finish(Some(outcome))
        }
    }
}

/// Exports the next page of rows. Answers how the turn has ended, if it has.
fn page(
    turn: &mut Turn,
    state: &mut State,
    lines: &Lines,
    pages: &mut Pages,
    parts: &mut Parts,
) -> Result<Option<Ended>> {
    let mut between = match turn.job.rows_done {
        0 => "",
        _ => lines.end(),
    };
    let page = pages.next(state.place.as_ref(), |text| {
        parts.push(std::mem::take(&mut between).as_bytes());
        parts.push(text.as_bytes());
        Ok(())
    })?;
    match page.last {
        Some(place) => state.place = Some(place),
        None => state.complete = true,
    }
    turn.job.rows_done += page.rows;
    state.page = pages.size();
    flush(turn, state, lines, parts)
}

/// Exports the rows of the next statement, which copies them. Answers how the
/// turn has ended, if it has.
fn copied(
    turn: &mut Turn,
    state: &mut State,
    lines: &Lines,
    (pages, copy): (&mut Pages, &mut Copy),
    parts: &mut Parts,
) -> Result<Option<Ended>> {
    let mut ended = None;
    let place = state.place.clone();
    let is_first = turn.job.rows_done == 0;
    let copied = copy.next(pages, place.as_ref(), is_first, |write| {
        let chunk = write(parts.bytes());
        turn.job.rows_done += chunk.rows;
        state.place = chunk.last.or_else(|| state.place.take());
        ended = flush(turn, state, lines, parts)?;
        Ok(ended.is_none())
    })?;
    match copied {
        Copied::Stopped => return Ok(ended),
        Copied::More => return Ok(None),
        Copied::TooLarge => {
            pages.begin_small();
            return page(turn, state, lines, pages, parts);
        }
        Copied::All => {}
    }
    match pages.next_blocks(state.place.as_ref()) {
        Some(next) => state.place = Some(next),
        None => state.complete = true,
    }
    flush(turn, state, lines, parts)
}

/// Writes the part that is being filled, when it is time.
fn flush(
    turn: &mut Turn,
    state: &mut State,
    lines: &Lines,
    parts: &mut Parts,
) -> Result<Option<Ended>> {
    if state.complete {
        parts.push(lines.foot(turn.job.rows_done).as_bytes());
    }
    let over = turn.is_over();
    if parts.is_full() || state.complete || over {
        turn.job.bytes_done += parts.len();
        state.parts = parts.number() + 1;
        if !parts.write(turn, state)? {
            return Ok(Some(Ended::Lost));
        }
    }
    Ok((over && !state.complete).then_some(Ended::GoesOn))
}
