//! Every file of the project as one archive. Bytes are copied in pieces of 64
//! KiB, whatever the files' sizes; `files` has the last word on each, as at a
//! download. A turn that ends within a file goes on within it. A file that is
//! deleted meanwhile is left out, and counted in the job's report; any other
//! that cannot be read fails the job.
//!
//! With metadata each file lies in a folder of its own, with a JSON beside it
//! that `POST /transfer/folder` understands: no two names are the same then,
//! whatever files are called.

use super::parts::{self, Parts};
use crate::{
    archive::zip,
    job::{Ended, Job, NewJob, Outcome, Turn},
};
use atlashub_files_client::{BASE, File, Page, Refusal, ask, download, from_cursor};
use atlashub_sdk::{
    http::{self, Answer},
    prelude::*,
};
use crc32fast::Hasher;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Files of a page of the list.
const PAGE: u32 = 200;
/// Most files of an archive: their names are kept for the list at its end.
const MOST: u64 = 100_000;
/// Most files of one that is to go in again: as many as `POST
/// /transfer/folder` takes.
const MOST_WITH_METADATA: u64 = 10_000;
/// What is read of a refusal, bytes.
const MOST_SAID: usize = 64 * 1024;

/// What a job is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    metadata: bool,
}

/// Writes down a job that does it.
pub(super) fn make(metadata: bool) -> Result<Job> {
    if metadata {
        // Whoever must not look users up is told at once.
        let _ = users::list(1, None)?;
    }
    let job = NewJob {
        kind: "export",
        what: "files",
        subject: None,
        format: "zip",
        bytes_total: None,
    };
    job.make(&Asked { metadata })
}

/// What stands beside a file, in the words of `POST /transfer/folder`.
#[derive(Debug, Serialize)]
struct Metadata<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    visibility: &'a str,
    tags: &'a [String],
    content_type: &'a str,
    created_at: &'a str,
    updated_at: &'a str,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Report {
    /// Files that are in the archive.
    files_taken: u64,
    /// Those that were deleted meanwhile.
    files_left_out: u64,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// Whether there are not too many files.
    #[serde(default)]
    counted: bool,
    /// The page of the list, and those of its files that are done.
    cursor: Option<String>,
    done: Vec<String>,
    /// The file that is being written.
    open: Option<Open>,
    /// Files that are in the archive.
    files: u64,
    /// Files that were deleted before they were read.
    #[serde(default)]
    left_out: u64,
    /// Entries that are noted.
    #[serde(default)]
    noted: u64,
    parts: u64,
    complete: bool,
    /// Whether the list of entries is in a part.
    listed: bool,
}

/// A file that is being written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Open {
    id: String,
    etag: String,
    entry: String,
    offset: u64,
    crc: u32,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    crc: u32,
    size: u64,
    start: u64,
}

struct Writer<'a> {
    turn: &'a mut Turn,
    state: State,
    parts: Parts,
    /// Bytes of the archive before the part that is being filled.
    before: u64,
    /// Entries that are not noted yet.
    entries: Vec<zip::Entry>,
    /// Whether what is known of each file stands beside it.
    metadata: bool,
    /// What users are called, by their ids.
    owners: BTreeMap<String, Option<String>>,
}

/// A turn at an archive of all files.
pub(super) fn work(turn: &mut Turn) -> Result<Ended> {
    let (asked, state): (Option<Asked>, State) = turn.kept()?;
    let mut writer = Writer {
        parts: Parts::new(state.parts),
        before: turn.job.bytes_done,
        entries: Vec::new(),
        metadata: asked.is_some_and(|asked| asked.metadata),
        owners: BTreeMap::new(),
        turn,
        state,
    };
    if !writer.state.counted {
        count(writer.most())?;
        writer.state.counted = true;
    }
    while !writer.state.complete {
        let page = page(writer.state.cursor.as_deref())?;
        match writer.page(&page)? {
            Ended::Done => {}
            ended => return Ok(ended),
        }
        writer.state.done.clear();
        writer.state.complete = page.next_cursor.is_none();
        writer.state.cursor = page.next_cursor;
    }
    if !writer.list()? {
        return Ok(Ended::Lost);
    }
    let report = Report {
        files_taken: writer.state.files,
        files_left_out: writer.state.left_out,
    };
    let outcome = parts::join(turn, "files.zip".to_owned(), "application/zip")?;
    turn.finish(Some(Outcome {
        report: Some(serde_json::to_string(&report)?),
        ..outcome
    }))
}

/// Looks through the list before the first byte is copied.
///
/// # Errors
/// 422 `too_many_files`.
fn count(most: u64) -> Result<()> {
    let (mut files, mut cursor) = (0, None);
    loop {
        let page = page(cursor.as_deref())?;
        files += page.items.len() as u64;
        if files > most {
            return Err(too_many(most));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn too_many(most: u64) -> Error {
    Error::invalid(
        "too_many_files",
        format!("an archive like this has {most} files at most"),
    )
}

/// Files in the order in which they came, so that none is passed by while
/// others are added.
fn page(cursor: Option<&str>) -> Result<Page<File>> {
    let url = format!("{BASE}/files?sort=created_at&limit={PAGE}");
    ask(http::get(from_cursor(&url, cursor)))
}

impl Writer<'_> {
    /// Most files that it takes.
    const fn most(&self) -> u64 {
        match self.metadata {
            true => MOST_WITH_METADATA,
            false => MOST,
        }
    }

    fn offset(&self) -> u64 {
        self.before + self.parts.len()
    }

    fn page(&mut self, page: &Page<File>) -> Result<Ended> {
        for file in &page.items {
            if self.state.done.contains(&file.id) {
                continue;
            }
            if self.turn.is_over() {
                return Ok(match self.flush()? {
                    true => Ended::GoesOn,
                    false => Ended::Lost,
                });
            }
            if !self.add(file)? {
                return Ok(Ended::Lost);
            }
            self.state.done.push(file.id.clone());
        }
        Ok(Ended::Done)
    }

    /// Adds a file; false when the job is not this turn's any more.
    fn add(&mut self, file: &File) -> Result<bool> {
        // Some may have been added since they were counted.
        if self.state.files >= self.most() {
            return Err(too_many(self.most()));
        }
        let begun = self.state.open.take().filter(|open| open.id == file.id);
        let mut headers = Headers::default();
        if let Some(open) = &begun {
            headers.set("range", format!("bytes={}-", open.size));
            headers.set("if-range", open.etag.clone());
        }
        let mut answer = download(&file.id, &headers)?;
        let is_failure =
            answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS;
        if is_failure || (begun.is_none() && !is_gone_or_there(answer.status)) {
            return Err(unread(file, answer));
        }
        let mut open = match begun {
            Some(open) if answer.status == StatusCode::PARTIAL_CONTENT => open,
            // All of its bytes were there already.
            Some(open)
                if answer.status == StatusCode::RANGE_NOT_SATISFIABLE && open.size == file.size =>
            {
                answer.body = Body::empty();
                open
            }
            Some(open) => {
                return Err(Error::conflict(
                    "file_changed",
                    format!("`{}` was changed while it was exported", open.entry),
                ));
            }
            None if answer.status == StatusCode::OK => {
                let entry = match self.metadata {
                    true => format!("{}/{}", file.id, plain(&file.filename)),
                    false => name(file),
                };
                let offset = self.offset();
                self.parts.push(&zip::head(&entry));
                Open {
                    id: file.id.clone(),
                    etag: file.etag.clone(),
                    entry,
                    offset,
                    ..Open::default()
                }
            }
            None => {
                // It was deleted meanwhile.
                self.state.left_out += 1;
                return Ok(true);
            }
        };
        let mut crc = Hasher::new_with_initial_len(open.crc, open.size);
        while let Some(chunk) = answer.body.chunk()? {
            crc.update(&chunk);
            open.size += chunk.len() as u64;
            self.parts.push(&chunk);
            if self.parts.is_full() {
                open.crc = crc.clone().finalize();
                self.state.open = Some(open.clone());
                if !self.flush()? {
                    return Ok(false);
                }
            }
        }
        open.crc = crc.finalize();
        self.state.open = None;
        self.state.files += 1;
        self.parts.push(&zip::foot(open.crc, open.size));
        let beside = format!("{}.json", open.entry);
        self.entries.push(zip::Entry {
            name: open.entry,
            crc: open.crc,
            size: open.size,
            offset: open.offset,
        });
        if self.metadata {
            self.describe(file, beside)?;
        }
        Ok(true)
    }

    /// Adds what is known of a file.
    fn describe(&mut self, file: &File, name: String) -> Result<()> {
        let owner = match &file.owner_id {
            Some(id) => self.owner(id)?,
            None => None,
        };
        let text = serde_json::to_vec(&Metadata {
            path: path(file),
            owner,
            description: file.description.as_deref(),
            visibility: &file.visibility,
            tags: &file.tags,
            content_type: &file.mime_type,
            created_at: &file.created_at,
            updated_at: &file.updated_at,
        })?;
        let (crc, size) = (crc32fast::hash(&text), text.len() as u64);
        let offset = self.offset();
        self.parts.push(&zip::head(&name));
        self.parts.push(&text);
        self.parts.push(&zip::foot(crc, size));
        self.entries.push(zip::Entry {
            name,
            crc,
            size,
            offset,
        });
        Ok(())
    }

    /// What an owner is called here and elsewhere; none for what is no user,
    /// such as a key. Who is shut out keeps the id, so that nobody else gets
    /// the files.
    fn owner(&mut self, id: &str) -> Result<Option<String>> {
        if let Some(known) = self.owners.get(id) {
            return Ok(known.clone());
        }
        let called = match users::get(id)? {
            Some(user) => Some(user.email.or(user.handle).unwrap_or(user.id)),
            None => users::existing(&[id.to_owned()])?.pop_first(),
        };
        self.owners.insert(id.to_owned(), called.clone());
        Ok(called)
    }

    /// Writes the part that is being filled.
    fn flush(&mut self) -> Result<bool> {
        self.turn.job.bytes_done += self.parts.len();
        self.before = self.turn.job.bytes_done;
        self.state.parts = self.parts.number() + 1;
        let entries = std::mem::take(&mut self.entries);
        let first = self.state.noted;
        self.state.noted += entries.len() as u64;
        let id = self.turn.job.id.clone();
        self.parts.write_with(self.turn, &self.state, |own| {
            for (n, entry) in (first..).zip(&entries) {
                own.execute(
                    "INSERT INTO transfer.entries (job_id, n, name, crc, size, start) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    params![
                        &id,
                        n,
                        &entry.name,
                        i64::from(entry.crc),
                        entry.size,
                        entry.offset
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// Writes the list of entries.
    fn list(&mut self) -> Result<bool> {
        if self.state.listed {
            return Ok(true);
        }
        let mut entries = Vec::new();
        loop {
            let page: Vec<Entry> = sql::query(
                "SELECT name, crc, size, start FROM transfer.entries WHERE job_id = $1 AND n >= $2 \
                 ORDER BY n LIMIT 1000",
                params![&self.turn.job.id, entries.len()],
            )?;
            if page.is_empty() {
                break;
            }
            entries.extend(page.into_iter().map(|entry| zip::Entry {
                name: entry.name,
                crc: entry.crc,
                size: entry.size,
                offset: entry.start,
            }));
        }
        entries.extend(self.entries.iter().cloned());
        let list = zip::list(&entries, self.offset());
        self.parts.push(&list);
        self.state.listed = true;
        self.flush()
    }
}

/// Whether a file can be read, or is not there any more.
fn is_gone_or_there(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::GONE
    )
}

/// Why a file cannot be read: in `files`' words, and which file it is.
fn unread(file: &File, answer: Answer) -> Error {
    let status = answer.status;
    let said = answer.body.bytes(MOST_SAID).unwrap_or_default();
    let refused = Refusal::new(status, &said).into_error();
    Error::new(
        refused.status(),
        refused.code().to_owned(),
        format!(
            "the file {} (`{}`) cannot be read: {} ({status})",
            file.id,
            path(file),
            refused.detail()
        ),
    )
}

/// Where a file is in the archive: below its owner, at its path. Whatever it
/// is called, it is unpacked below the archive. Where it cannot be called there
/// what it is called, another may be called so: it lies in a folder of its own,
/// as does what looks like such a folder.
fn name(file: &File) -> String {
    let path = path(file);
    let parts = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."));
    let plain = parts.map(plain).collect::<Vec<_>>().join("/");
    let first = plain.split('/').next().unwrap_or_default();
    let own = match plain == path && Uuid::try_parse(first).is_err() {
        true => plain,
        false => format!("{}/{plain}", file.id),
    };
    match &file.owner_id {
        Some(owner) => format!("users/{owner}/{own}"),
        None => format!("server/{own}"),
    }
}

/// The name with its folders.
fn path(file: &File) -> &str {
    match file.path.as_str() {
        "" => &file.filename,
        path => path,
    }
}

/// A name as every system unpacks it.
fn plain(name: &str) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '\\' | ':');
    let plain = |c| if is_odd(c) { '_' } else { c };
    name.chars().map(plain).collect()
}
