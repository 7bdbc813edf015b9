//! Every file of the project as one archive. Bytes are copied in pieces of 64
//! KiB, whatever the files' sizes; `files` has the last word on each, as at a
//! download. A turn that ends within a file goes on within it.
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
use atlashub_sdk::{http, prelude::*};
use crc32fast::Hasher;
use serde_json::json;
use std::collections::BTreeMap;

/// Files of a page of the list.
const PAGE: u32 = 200;
/// Most files of an archive: their names are kept for the list at its end.
const MOST: u64 = 100_000;
/// Most files of one that is to go in again: as many as `POST
/// /transfer/folder` takes.
const MOST_WITH_METADATA: u64 = 10_000;

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

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The page of the list, and those of its files that are done.
    cursor: Option<String>,
    done: Vec<String>,
    /// The file that is being written.
    open: Option<Open>,
    /// Files that are in the archive.
    files: u64,
    /// Files of the list that were deleted before it was their turn.
    #[serde(default)]
    gone: u64,
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
    let report = json!({ "files": writer.state.files, "files_gone": writer.state.gone });
    let outcome = parts::join(turn, "files.zip".to_owned(), "application/zip")?;
    turn.finish(Some(Outcome {
        report: Some(report.to_string()),
        ..outcome
    }))
}

/// Files in the order in which they came, so that none is passed by while
/// others are added.
fn page(cursor: Option<&str>) -> Result<Page<File>> {
    let url = format!("{BASE}/files?sort=created_at&limit={PAGE}");
    ask(http::get(from_cursor(&url, cursor)))
}

impl Writer<'_> {
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
        let most = match self.metadata {
            true => MOST_WITH_METADATA,
            false => MOST,
        };
        if self.state.files >= most {
            return Err(Error::invalid(
                "too_many_files",
                format!("an archive like this has {most} files at most"),
            ));
        }
        let begun = self.state.open.take().filter(|open| open.id == file.id);
        let mut headers = Headers::default();
        if let Some(open) = &begun {
            headers.set("range", format!("bytes={}-", open.size));
            headers.set("if-range", open.etag.clone());
        }
        let mut answer = download(&file.id, &headers)?;
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
            // It was deleted meanwhile.
            None if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) => {
                self.state.gone += 1;
                return Ok(true);
            }
            None => {
                let refused = atlashub_files_client::read::<()>(answer, Refusal::into_error);
                return Err(refused.err().unwrap_or_else(unreadable));
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

/// Where a file is in the archive: below its owner, at its path. Whatever it
/// is called, it is unpacked below the archive.
fn name(file: &File) -> String {
    let parts = path(file)
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."));
    let plain: Vec<String> = parts.map(plain).collect();
    match &file.owner_id {
        Some(owner) => format!("users/{owner}/{}", plain.join("/")),
        None => format!("server/{}", plain.join("/")),
    }
}

/// The name with its folders.
fn path(file: &File) -> &str {
    match file.path.as_str() {
        "" => &file.filename,
        path => path,
    }
}

/// A name as every system unpacks it: what some take for something else is
/// written with signs that look alike, so that no two names become the same.
fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        ':' => '\u{ff1a}',
        '\\' => '\u{ff3c}',
        // Control characters have pictures of their own.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('_'),
        '\x7f' => '\u{2421}',
        c if c.is_control() => '_',
        c => c,
    };
    name.chars().map(plain).collect()
}

/// An answer that is none of those that a file's bytes come with.
fn unreadable() -> Error {
    Error::new(
        StatusCode::BAD_GATEWAY,
        "upstream_failed",
        "the files cannot be asked",
    )
}
