//! `POST /transfer/folder`: a zip of files, each with a JSON of metadata
//! beside it, into the project's files: all of them, or none.
//!
//! Everything that can be found out is found out first: the archive is
//! unpacked once without keeping anything, names, sizes, checksums and
//! metadata are looked at, and so are the places where the files are to go,
//! and whose they are to be. Only then is the first one stored; should one fail
//! after that, or the job be cancelled, those before it are deleted. What cannot
//! be deleted at once the clock deletes: the job is not over before that.

use crate::{
    access,
    archive::zip::{self, Found},
    job::{Ended, Job, NewJob, Outcome, Turn},
    jobs::{Shown, note},
    source::Source,
    turns,
};
use atlashub_files_client::{BASE, File, address, ask as ask_files, ask_optional, send};
use atlashub_sdk::{
    events,
    http::{self, encoded},
    prelude::*,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a file's metadata is called: its own name with this behind it.
const BESIDE: &str = ".json";
/// The largest metadata, bytes.
const MOST_METADATA: u64 = 64 * 1024;
/// The largest file that is compressed in the archive, bytes: those that are
/// stored may be larger.
const MOST_UNPACKED: u64 = 16 * 1024 * 1024;
/// Most files, and bytes of all of them.
const MOST_FILES: usize = 10_000;
const MOST_BYTES: u64 = 32 << 30;
/// Files that a report names, and faults.
const MOST_TOLD: usize = 1_000;

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
    /// Whose it is to be: a user's id, e-mail address or handle; nobody's, as
    /// what a server stores, otherwise.
    owner: Option<String>,
    description: Option<String>,
    visibility: Option<String>,
    tags: Option<Vec<String>>,
    content_type: Option<String>,
    /// When it was made and changed where it comes from: not taken over.
    #[serde(rename = "created_at")]
    _created_at: Option<String>,
    #[serde(rename = "updated_at")]
    _updated_at: Option<String>,
}

/// A file, and what stands beside it.
type Pair<'a> = (&'a Found, &'a Found);

/// A file that is to be stored.
#[derive(Debug)]
struct Item<'a> {
    entry: &'a Found,
    path: String,
    /// The user's id.
    owner: Option<String>,
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
    /// The first of them.
    files: Vec<Stored>,
    /// How many there are.
    files_taken: u64,
    bytes: u64,
    dry_run: bool,
}

/// A row of `transfer.stored`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    file: String,
    path: String,
    /// The user's id.
    owner: Option<String>,
    size: u64,
    id: Option<String>,
    #[serde(default, skip_serializing)]
    etag: Option<String>,
}

/// A file that was stored, as it then was.
#[derive(Deserialize)]
struct Made {
    id: String,
    etag: String,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Whether everything was looked at.
    #[serde(default)]
    checked: bool,
    /// How many files are stored and noted.
    #[serde(default)]
    count: u64,
    /// The one that is being stored.
    #[serde(default)]
    open: Option<Open>,
}

/// Where a file goes that is being stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    path: String,
    owner: Option<String>,
    size: u64,
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
    take(turn).inspect_err(|_| {
        // Whoever ended the job meanwhile leaves to this turn what it was at.
        if let Err(error) = lost(turn, None) {
            log::warn!("look after the job {}: {error}", turn.job.id);
        }
    })
}

/// Takes the files that are not stored yet.
fn take(turn: &mut Turn) -> Result<Ended> {
    let (asked, mut state): (Asked, State) = turn.kept()?;
    let entries = zip::read_any(&asked.archive)?;
    let (pairs, mut faults) = pairs(&entries)?;
    let mut owners = Owners::default();
    if !state.checked {
        look(&pairs, &mut owners, &mut faults)?;
        if !faults.is_empty() {
            return Err(refused(&faults));
        }
        state.checked = true;
    }
    if let Some(open) = state.open.take() {
        forget_half(&turn.job, &open)?;
    }
    turn.job.bytes_total = Some(pairs.iter().map(|(entry, _)| entry.size).sum());
    let mut done = Vec::new();
    let before = usize::try_from(state.count).unwrap_or(usize::MAX);
    for pair in pairs.iter().skip(before) {
        let item = item(pair, &mut owners)?;
        let (mut id, mut etag) = (None, None);
        if !asked.dry_run {
            state.open = Some(Open {
                path: item.path.clone(),
                owner: item.owner.clone(),
                size: item.entry.size,
            });
            let last = done.last().cloned();
            if !keep(turn, &mut state, &mut done)? {
                return lost(turn, last);
            }
            if turn.is_over() {
                return Ok(Ended::GoesOn);
            }
            let made = store(&item).map_err(|error| match events::is_worth_retrying(&error) {
                true => error,
                false => refused(&[Fault::of(&item.entry.name, &taken(error, &item.path))]),
            })?;
            (id, etag) = (Some(made.id), Some(made.etag));
        }
        turn.job.bytes_done += item.entry.size;
        done.push(Stored {
            file: item.entry.name.clone(),
            path: item.path,
            owner: item.owner,
            size: item.entry.size,
            id,
            etag,
        });
    }
    state.open = None;
    let last = done.last().cloned();
    if !keep(turn, &mut state, &mut done)? {
        return lost(turn, last);
    }
    let report = Report {
        bytes: pairs.iter().map(|(entry, _)| entry.size).sum(),
        files: stored(&turn.job, MOST_TOLD)?,
        files_taken: state.count,
        dry_run: asked.dry_run,
    };
    turn.finish(Some(Outcome {
        report: Some(serde_json::to_string(&report)?),
        ..Outcome::default()
    }))
}

/// The job is not this turn's any more: whoever ended it knows of all files but
/// the last one. Another turn that has the job now stores that itself, at the
/// same place.
fn lost(turn: &Turn, last: Option<Stored>) -> Result<Ended> {
    let job = Job::find_optional(&turn.job.id)?;
    let has_failed = |job: &Job| matches!(job.status.as_str(), "failed" | "cancelled");
    if job.as_ref().is_some_and(|job| !has_failed(job)) {
        return Ok(Ended::Lost);
    }
    let forgotten = match last {
        Some(Stored {
            id: Some(id), etag, ..
        }) => forget(&id, etag.as_deref()),
        _ => Ok(()),
    };
    let undone = forgotten.and_then(|()| job.map_or(Ok(()), |job| undo(&job, true)));
    if let Err(error) = undone {
        log::warn!(
            "files of the job {} are not taken back yet: {error}",
            turn.job.id
        );
    }
    Ok(Ended::Lost)
}

/// Notes how far it is, with the files that are done; false when the job is
/// not this turn's any more.
fn keep(turn: &Turn, state: &mut State, done: &mut Vec<Stored>) -> Result<bool> {
    let first = state.count;
    state.count += done.len() as u64;
    let noted = turn.note(state, |own| {
        for (n, stored) in (first..).zip(done.iter()) {
            own.execute(
                "INSERT INTO transfer.stored (job_id, n, file, path, owner, size, file_id, etag) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                params![
                    &turn.job.id,
                    n,
                    &stored.file,
                    &stored.path,
                    stored.owner.as_deref(),
                    stored.size,
                    stored.id.as_deref(),
                    stored.etag.as_deref()
                ],
            )?;
        }
        Ok(())
    })?;
    done.clear();
    Ok(noted)
}

/// The first of a job's files that are stored.
fn stored(job: &Job, most: usize) -> Result<Vec<Stored>> {
    sql::query(
        "SELECT file, path, owner, size, file_id AS id FROM transfer.stored \
         WHERE job_id = $1 ORDER BY n LIMIT $2",
        params![&job.id, most],
    )
}

fn refused(faults: &[Fault]) -> Error {
    let count = faults.len();
    let told = faults.get(..MOST_TOLD).unwrap_or(faults);
    let report = serde_json::json!({ "files_failed": count, "errors": told });
    Error::invalid(
        "folder_refused",
        format!("{count} of the files cannot be taken, and so none was"),
    )
    .with_field("report", report)
}

/// Which files there are, each with what stands beside it; and those that have
/// nothing.
fn pairs(entries: &[Found]) -> Result<(Vec<Pair<'_>>, Vec<Fault>)> {
    let by_name: BTreeMap<&str, &Found> = entries
        .iter()
        .filter(|entry| !entry.name.ends_with('/'))
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    let is_metadata = |name: &str| {
        name.strip_suffix(BESIDE)
            .is_some_and(|own| by_name.contains_key(own))
    };
    let (mut pairs, mut faults) = (Vec::new(), Vec::new());
    let mut bytes = 0_u64;
    for (name, entry) in by_name.iter().filter(|(name, _)| !is_metadata(name)) {
        bytes = bytes.saturating_add(entry.size);
        if pairs.len() + faults.len() >= MOST_FILES || bytes > MOST_BYTES {
            return Err(Error::invalid(
                "folder_too_large",
                format!("a folder has {MOST_FILES} files and {MOST_BYTES} bytes at most"),
            ));
        }
        match by_name.get(format!("{name}{BESIDE}").as_str()) {
            Some(beside) => pairs.push((*entry, *beside)),
            None => {
                let reason = format!("there is no `{name}{BESIDE}` beside it");
                faults.push(Fault::new(name, "metadata_missing", reason));
            }
        }
    }
    if pairs.is_empty() && faults.is_empty() {
        return Err(Error::invalid(
            "empty_source",
            "there is no file in the archive",
        ));
    }
    Ok((pairs, faults))
}

/// Users whom metadata name, by that name.
#[derive(Default)]
struct Owners(BTreeMap<String, Option<String>>);

impl Owners {
    /// The user's id.
    ///
    /// # Errors
    /// 422 `unknown_user`.
    fn id(&mut self, name: &str) -> Result<String> {
        if !self.0.contains_key(name) {
            let id = match Uuid::try_parse(name) {
                Ok(id) => users::existing(&[id.to_string()])?.pop_first(),
                Err(_) => users::find(name)?.map(|user| user.id),
            };
            self.0.insert(name.to_owned(), id);
        }
        let found = self.0.get(name).cloned().flatten();
        found.ok_or_else(|| {
            Error::invalid(
                "unknown_user",
                format!("the project has no user `{name}`, whose it is to be"),
            )
        })
    }
}

fn item<'a>((entry, beside): &Pair<'a>, owners: &mut Owners) -> Result<Item<'a>> {
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
    let owner = metadata.owner.as_deref().map(|name| owners.id(name));
    let path = metadata.path.clone().unwrap_or_else(|| entry.name.clone());
    Ok(Item {
        entry,
        path: path.trim_matches('/').to_owned(),
        owner: owner.transpose()?,
        metadata,
    })
}

/// Finds what is wrong with them: their bytes, their metadata, and whether
/// their places are free.
fn look(pairs: &[Pair<'_>], owners: &mut Owners, faults: &mut Vec<Fault>) -> Result<()> {
    let mut places = BTreeSet::new();
    for pair in pairs {
        let name = &pair.0.name;
        // Its checksum, before anything is kept.
        let found = item(pair, owners).and_then(|item| {
            item.entry.unpack(|_| Ok(()))?;
            Ok(item)
        });
        let found = match found {
            Ok(item) if !places.insert((item.owner.clone(), item.path.clone())) => {
                Some(Fault::new(
                    name,
                    "path_taken",
                    format!("another file goes to `{}`, too", item.path),
                ))
            }
            Ok(item) => place_is_free(&item)?,
            Err(error) if error.status().is_client_error() => Some(Fault::of(name, &error)),
            Err(error) => return Err(error),
        };
        faults.extend(found);
    }
    Ok(())
}

/// Where one asks what lies at a place.
fn at(path: &str, owner: Option<&str>) -> String {
    let owner = owner.map(|owner| format!("&owner={}", encoded(owner)));
    let owner = owner.unwrap_or_default();
    format!("{BASE}/files/at?path={}{owner}", encoded(path))
}

fn place_is_free(item: &Item<'_>) -> Result<Option<Fault>> {
    let name = &item.entry.name;
    let url = at(&item.path, item.owner.as_deref());
    match ask_optional::<serde_json::Value>(http::get(url)) {
        Ok(None) => Ok(None),
        Ok(Some(_)) => Ok(Some(Fault::of(name, &path_taken(&item.path)))),
        Err(error) if error.status().is_client_error() => Ok(Some(Fault::of(name, &error))),
        Err(error) => Err(error),
    }
}

fn path_taken(path: &str) -> Error {
    Error::conflict(
        "path_taken",
        format!("there is something at `{path}` already"),
    )
}

/// Where a file came to lie since its place was looked at, that is said.
fn taken(error: Error, path: &str) -> Error {
    match error.code() {
        "precondition_failed" => path_taken(path),
        _ => error,
    }
}

fn unpacked(entry: &Found) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.unpack(|piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(bytes)
}

/// Stores a file with its metadata where nothing lies; nothing is left of it
/// when that fails.
fn store(item: &Item<'_>) -> Result<Made> {
    let kind = item.metadata.content_type.as_deref();
    let call = http::post(format!("{BASE}/files/upload"))
        .header("file-path", encoded(&item.path))
        .header("content-type", kind.unwrap_or("application/octet-stream"))
        .header("content-length", item.entry.size.to_string())
        .header("if-none-match", "*");
    let call = match &item.owner {
        Some(owner) => call.header("file-owner", owner.clone()),
        None => call,
    };
    let call = if item.entry.deflated || item.entry.size == 0 {
        call.body(unpacked(item.entry)?)
    } else {
        call.stream(item.entry.source()?.body()?)
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
            // If that fails, the place is still noted.
            let _ = forget(&made.id, Some(&made.etag));
            return Err(error);
        }
    }
    Ok(made)
}

/// Takes back what an import that did not come to its end has stored; with
/// `is_over` nobody stores anything for it any more, and nothing is left to be
/// done when this succeeds.
///
/// # Errors
/// When a file cannot be deleted: it stays noted, and the others are gone.
pub(crate) fn undo(job: &Job, is_over: bool) -> Result<()> {
    /// Files at a time.
    const STEP: usize = 500;
    let mut failed = None;
    let mut behind = -1_i64;
    loop {
        let some: Vec<(i64, Option<String>, Option<String>)> = sql::query(
            "SELECT n, file_id, etag FROM transfer.stored WHERE job_id = $1 AND n > $2 \
             ORDER BY n LIMIT $3",
            params![&job.id, behind, STEP],
        )?;
        for (n, id, etag) in &some {
            let id = id.as_deref();
            match id.map_or(Ok(()), |id| forget(id, etag.as_deref())) {
                Ok(()) => {
                    sql::execute(
                        "DELETE FROM transfer.stored WHERE job_id = $1 AND n = $2",
                        params![&job.id, *n],
                    )?;
                }
                Err(error) => failed = Some(error),
            }
            behind = *n;
        }
        if some.len() < STEP {
            break;
        }
    }
    let state: Option<State> = job.state()?;
    if let Some(open) = state.and_then(|state| state.open) {
        forget_half(job, &open)?;
    }
    match failed {
        Some(error) => Err(error),
        None if is_over => job.nothing_is_left(),
        None => Ok(()),
    }
}

/// Deletes what a turn that was cut short may have stored there: the place was
/// free when the job began, what lies there now is as long, and came while a
/// turn may have been at it. What another import has stored there is its own.
fn forget_half(job: &Job, open: &Open) -> Result<()> {
    /// What lies at a path, when it is a file.
    #[derive(Deserialize)]
    struct There {
        file: Option<File>,
    }
    let found: Option<There> = ask_optional(http::get(at(&open.path, open.owner.as_deref())))?;
    let began = job.started_at.unwrap_or(i64::MAX);
    let ended = job.last_turn_ends();
    let file = found.and_then(|there| there.file);
    let is_it =
        |file: &File| (began..=ended).contains(&file.created_ms()) && file.size == open.size;
    match file.filter(is_it) {
        Some(file) if !is_of_another(job, open, &file.id)? => forget(&file.id, Some(&file.etag)),
        _ => Ok(()),
    }
}

/// Whether another import has stored that file, or stores one there.
fn is_of_another(job: &Job, open: &Open, id: &str) -> Result<bool> {
    let stored: i64 = sql::query_one(
        "SELECT count(*) FROM transfer.stored WHERE file_id = $1 AND job_id <> $2",
        params![id, &job.id],
    )?;
    if stored > 0 {
        return Ok(true);
    }
    let others: Vec<String> = sql::query(
        "SELECT state FROM transfer.jobs WHERE kind = 'import' AND what = 'files' AND state <> '' \
         AND status IN ('queued', 'running') AND id <> $1",
        params![&job.id],
    )?;
    for state in others {
        let state: State = serde_json::from_str(&state)?;
        let is_there = |own: &Open| (&own.path, &own.owner) == (&open.path, &open.owner);
        if state.open.as_ref().is_some_and(is_there) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes a file again. One that has other bytes meanwhile is somebody's, and
/// stays.
///
/// # Errors
/// When it may still be there as it was stored.
fn forget(id: &str, etag: Option<&str>) -> Result<()> {
    let call = http::delete(format!("{}?permanent=1", address(id)));
    let call = match etag {
        Some(etag) => call.header("if-match", etag),
        None => call,
    };
    let answer = send(call)?;
    if answer.status.is_success() || matches!(answer.status.as_u16(), 404 | 410 | 412) {
        return Ok(());
    }
    log::error!("delete the file {id} again: {}", answer.status);
    Err(Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "file_not_taken_back",
        format!("the file {id} cannot be deleted again"),
    ))
}
