//! `POST /transfer/folder`: a zip of files, each with a JSON of metadata
//! beside it, into the project's files: all of them, or none.
//!
//! Everything that can be found out is found out first: the archive is
//! unpacked once without keeping anything, names, sizes, checksums and
//! metadata are looked at, and so are the places where the files are to go.
//! Only then is the first one stored; should one fail after that, those before
//! it are deleted.

use crate::{
    access,
    archive::zip::{self, Found},
    jobs::note,
    source::Source,
};
use atlashub_files_client::{BASE, address, ask, ask_optional};
use atlashub_sdk::{
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

/// What became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    files: Vec<Stored>,
    bytes: u64,
    dry_run: bool,
}

#[derive(Debug, Serialize)]
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

pub(crate) fn import(caller: Caller, Json(wishes): Json<Wishes>) -> Result<Json<Report>> {
    access::require(&caller)?;
    let archive = Source::find(&wishes.source)?;
    let entries = zip::read_any(&archive)?;
    let (items, mut faults) = plan(&entries)?;
    if faults.is_empty() {
        faults = look(&items)?;
    }
    if !faults.is_empty() {
        return Err(refused(faults));
    }
    let mut report = Report {
        files: Vec::with_capacity(items.len()),
        bytes: items.iter().map(|item| item.entry.size).sum(),
        dry_run: wishes.dry_run,
    };
    for item in &items {
        let id = match wishes.dry_run {
            true => None,
            false => match store(item) {
                Ok(id) => Some(id),
                Err(error) => {
                    undo(&report);
                    return Err(refused(vec![Fault::of(&item.entry.name, &error)]));
                }
            },
        };
        report.files.push(Stored {
            file: item.entry.name.clone(),
            path: item.path.clone(),
            size: item.entry.size,
            id,
        });
    }
    if !wishes.dry_run {
        note("transfer.import", "files");
    }
    Ok(Json(report))
}

fn refused(faults: Vec<Fault>) -> Error {
    let count = faults.len();
    let report = serde_json::to_value(faults).unwrap_or_default();
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
    let made: Made = ask(call)?;
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
        if let Err(error) = ask::<serde_json::Value>(call) {
            forget(&made.id);
            return Err(error);
        }
    }
    Ok(made.id)
}

fn undo(report: &Report) {
    for id in report
        .files
        .iter()
        .filter_map(|stored| stored.id.as_deref())
    {
        forget(id);
    }
}

fn forget(id: &str) {
    let gone = http::delete(format!("{}?permanent=1", address(id))).send();
    match gone {
        Ok(answer) if answer.status.is_success() => {}
        Ok(answer) => log::error!("delete the file {id} again: {}", answer.status),
        Err(error) => log::error!("delete the file {id} again: {error}"),
    }
}
