//! `POST /transfer/folder`: a zip of files, each with a JSON of metadata
//! beside it, into the project's files: all of them, or none.
//!
//! Everything that can be found out is found out first: the archive is
//! unpacked once without keeping anything, names, sizes, checksums and
//! metadata are looked at, and so are the places where the files are to go.
//! Only then is the first one stored; should one fail after that, or the job be
//! cancelled, those before it are deleted.

use crate::{
    access,
    archive::zip::{self, Found},
    job::{Ended, Job, NewJob, Outcome, Turn},
    jobs::{Shown, note},
    source::Source,
    turns,
};
use atlashub_files_client::{BASE, File, address, ask as ask_files, ask_optional};
use atlashub_sdk::{
    events,
    http::{self, encoded},
    prelude::*,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a file's metadata is called: its own name with this behind it.
const BESIDE: &str = ".json";
/// The largest metadata, bytes.
const MOST_METADATA: u64 = 64 * 1024;
/// The largest file that is compressed in the archive, bytes: those that are
/// stored may be larger.
const MOST_UNPACKED: u64 = 16 * 1024 * 1024;
/// Most files, and bytes of all of them.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 8 << 30;

/// What is to be taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    source: String,
    #[serde(default)]
    dry_run: bool,
}

/// What stands beside a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// Where it goes; its name in the archive otherwise.
    path: Option<String>,
    description: Option<String>,
    visibility: Option<String>,
    tags: Option<Vec<String>>,
    content_type: Option<String>,
}

/// A file that is to be stored.
#[derive(Debug)]
struct Item<'a> {
    entry: &'a Found,
    path: String,
    metadata: Metadata,
}

/// What is wrong with a file.
#[derive(Debug, Serialize)]
struct Fault {
    file: String,
    code: String,
    reason: String,
}

impl Fault {
    fn new(file: &str, code: &str, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            code: code.to_owned(),
            reason: reason.into(),
        }
    }

    fn of(file: &str, error: &Error) -> Self {
        Self::new(file, error.code(), error.detail())
    }
}

/// What a job is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    archive: Source,
    dry_run: bool,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Report {
    files: Vec<Stored>,
    bytes: u64,
    dry_run: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    file: String,
    path: String,
    size: u64,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    stored: Vec<Stored>,
    /// Where the file goes that is being stored.
    storing: Option<String>,
}

/// `POST /transfer/folder`.
pub(crate) fn ask(caller: Caller, Json(wishes): Json<Wishes>) -> Result<(StatusCode, Json<Shown>)> {
    access::require(&caller)?;
    let archive = Source::find(&wishes.source)?;
    let job = NewJob {
        kind: "import",
        what: "files",
        subject: None,
        format: "zip",
        bytes_total: Some(archive.size),
    };
    let job = job.make(&Asked {
        archive,
        dry_run: wishes.dry_run,
    })?;
    turns::begin(&job)?;
    if !wishes.dry_run {
        note("transfer.import", "files");
    }
    Ok((StatusCode::ACCEPTED, Json(Shown::brief(&job))))
}

/// A turn at a folder.
pub(crate) fn work(turn: &mut Turn) -> Result<Ended> {
    let (asked, mut state): (Asked, State) = turn.kept()?;
    let entries = zip::read_any(&asked.archive)?;
    let (items, mut faults) = plan(&entries)?;
    let is_new = state.stored.is_empty() && state.storing.is_none();
    if faults.is_empty() && is_new {
        faults = look(&items)?;
    }
    if !faults.is_empty() {
        return Err(refused(&faults));
    }
    if let Some(path) = state.storing.take() {
        forget_half(&turn.job, &path)?;
    }
    turn.job.bytes_total = Some(items.iter().map(|item| item.entry.size).sum());
    for item in items.iter().skip(state.stored.len()) {
        let mut id = None;
        if !asked.dry_run {
            state.storing = Some(item.path.clone());
            if !turn.note(&state, |_| Ok(()))? {
                return Ok(Ended::Lost);
            }
            if turn.is_over() {
                return Ok(Ended::GoesOn);
            }
            let made = store(item).map_err(|error| match events::is_worth_retrying(&error) {
                true => error,
                false => refused(&[Fault::of(&item.entry.name, &error)]),
            })?;
            id = Some(made);
        }
        turn.job.bytes_done += item.entry.size;
        state.stored.push(Stored {
            file: item.entry.name.clone(),
            path: item.path.clone(),
            size: item.entry.size,
            id,
        });
    }
    state.storing = None;
    if !turn.note(&state, |_| Ok(()))? {
        // Whoever took the job back knows of all but the last.
        if let Some(id) = state.stored.last().and_then(|stored| stored.id.as_deref()) {
            forget(id);
        }
        return Ok(Ended::Lost);
    }
    let report = Report {
        bytes: items.iter().map(|item| item.entry.size).sum(),
        files: state.stored,
        dry_run: asked.dry_run,
    };
    turn.finish(Some(Outcome {
        report: Some(serde_json::to_string(&report)?),
        ..Outcome::default()
    }))
}

fn refused(faults: &[Fault]) -> Error {
    let count = faults.len();
    let report = serde_json::json!({ "files_failed": count, "errors": faults });
    Error::invalid(
        "folder_refused",
        format!("{count} files cannot be taken, and so none was"),
    )
    .with_field("report", report)
}

/// Which files there are, with their metadata; and what is wrong with them.
fn plan(entries: &[Found]) -> Result<(Vec<Item<'_>>, Vec<Fault>)> {
    let by_name: BTreeMap<&str, &Found> = entries
        .iter()
        .filter(|entry| !entry.name.ends_with('/'))
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    let is_metadata = |name: &str| {
        name.strip_suffix(BESIDE)
            .is_some_and(|own| by_name.contains_key(own))
    };
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    let mut bytes = 0_u64;
    let mut paths = BTreeSet::new();
    for (name, entry) in by_name.iter().filter(|(name, _)| !is_metadata(name)) {
        bytes = bytes.saturating_add(entry.size);
        if items.len() + faults.len() >= MOST_FILES || bytes > MOST_BYTES {
            return Err(Error::invalid(
                "folder_too_large",
                format!("a folder has {MOST_FILES} files and {MOST_BYTES} bytes at most"),
            ));
        }
        let Some(beside) = by_name.get(format!("{name}{BESIDE}").as_str()) else {
            let reason = format!("there is no `{name}{BESIDE}` beside it");
            faults.push(Fault::new(name, "metadata_missing", reason));
            continue;
        };
        match item(entry, beside) {
            Ok(item) if !paths.insert(item.path.clone()) => {
                let reason = format!("another file goes to `{}`, too", item.path);
                faults.push(Fault::new(name, "path_taken", reason));
            }
            Ok(item) => items.push(item),
            Err(error) => faults.push(Fault::of(name, &error)),
        }
    }
    if items.is_empty() && faults.is_empty() {
        return Err(Error::invalid(
            "empty_source",
            "there is no file in the archive",
        ));
    }
    Ok((items, faults))
}

fn item<'a>(entry: &'a Found, beside: &Found) -> Result<Item<'a>> {
    if beside.size > MOST_METADATA {
        return Err(Error::invalid(
            "invalid_metadata",
            format!("its metadata has more than {MOST_METADATA} bytes"),
        ));
    }
    let metadata: Metadata = serde_json::from_slice(&unpacked(beside)?)
        .map_err(|error| Error::invalid("invalid_metadata", format!("its metadata: {error}")))?;
    if entry.deflated && entry.size > MOST_UNPACKED {
        return Err(Error::invalid(
            "compressed_file_too_large",
            format!("of more than {MOST_UNPACKED} bytes a file is stored in the archive (zip -0)"),
        ));
    }
    // Its checksum, before anything is kept.
    entry.unpack(|_| Ok(()))?;
    let path = metadata.path.clone().unwrap_or_else(|| entry.name.clone());
    Ok(Item {
        entry,
        path: path.trim_matches('/').to_owned(),
        metadata,
    })
}

fn unpacked(entry: &Found) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.unpack(|piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(bytes)
}

/// Whether the places are free.
fn look(items: &[Item<'_>]) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for item in items {
        let url = format!("{BASE}/files/at?path={}", encoded(&item.path));
        match ask_optional::<serde_json::Value>(http::get(url)) {
            Ok(None) => {}
            Ok(Some(_)) => {
                let reason = format!("there is something at `{}` already", item.path);
                faults.push(Fault::new(&item.entry.name, "path_taken", reason));
            }
            Err(error) if error.status().is_client_error() => {
                faults.push(Fault::of(&item.entry.name, &error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(faults)
}

/// Stores a file with its metadata; nothing is left of it when that fails.
fn store(item: &Item<'_>) -> Result<String> {
    let kind = item.metadata.content_type.as_deref();
    let call = http::post(format!("{BASE}/files/upload"))
        .header("file-path", encoded(&item.path))
        .header("content-type", kind.unwrap_or("application/octet-stream"))
        .header("content-length", item.entry.size.to_string());
    let call = if item.entry.deflated || item.entry.size == 0 {
        call.body(unpacked(item.entry)?)
    } else {
        call.stream(item.entry.source.body()?)
    };
    let made: Made = ask_files(call)?;
    let mut more = serde_json::Map::new();
    let Metadata {
        description,
        visibility,
        tags,
        ..
    } = &item.metadata;
    for (name, value) in [
        (
            "description",
            description.as_ref().map(|text| text.clone().into()),
        ),
        (
            "visibility",
            visibility.as_ref().map(|text| text.clone().into()),
        ),
        ("tags", tags.as_ref().map(|tags| tags.clone().into())),
    ] {
        if let Some(value) = value {
            more.insert(name.to_owned(), value);
        }
    }
    if !more.is_empty() {
        let call = http::call(Method::PATCH, address(&made.id)).json(&more)?;
        if let Err(error) = ask_files::<serde_json::Value>(call) {
            forget(&made.id);
            return Err(error);
        }
    }
    Ok(made.id)
}

/// Takes back what an import that is not done has stored.
pub(crate) fn undo(job: &Job) -> Result<()> {
    let state: Option<State> = job.state()?;
    let Some(state) = state else {
        return Ok(());
    };
    for id in state
        .stored
        .iter()
        .filter_map(|stored| stored.id.as_deref())
    {
        forget(id);
    }
    match &state.storing {
        Some(path) => forget_half(job, path),
        None => Ok(()),
    }
}

/// Deletes what a turn that was cut short may have stored there: the place was
/// free when the job began.
fn forget_half(job: &Job, path: &str) -> Result<()> {
    let url = format!("{BASE}/files/at?path={}", encoded(path));
    let found: Option<File> = ask_optional(http::get(url))?;
    let began = job.started_at.unwrap_or(i64::MAX);
    if let Some(file) = found.filter(|file| file.created_ms() >= began) {
        forget(&file.id);
    }
    Ok(())
}

fn forget(id: &str) {
    let gone = http::delete(format!("{}?permanent=1", address(id))).send();
    match gone {
        Ok(answer) if answer.status.is_success() => {}
        Ok(answer) => log::error!("delete the file {id} again: {}", answer.status),
        Err(error) => log::error!("delete the file {id} again: {error}"),
    }
}
