//! `POST /files/zip`: files and folders as one archive, written while it is
//! read. Bytes are copied in pieces of 64 KiB, whatever the files' sizes; the
//! archive is stored, not compressed, and has ZIP64 where it must.

use crate::{
    BUCKET,
    access::{self, Permission, Role},
    disposition::{self, Disposition},
    folders, name,
    record::{COLUMNS, Record},
    tree::{self, Folder},
};
use atlashub_sdk::prelude::*;
use std::{
    collections::HashSet,
    io::{self, Write as _},
};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// Most files in an archive.
const MOST: usize = 10_000;
/// From this size on an entry is written as ZIP64; well below 4 GiB, so that
/// what surrounds it fits, too.
const LARGE: u64 = 0xF000_0000;

/// What is to be in the archive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    folder_ids: Vec<String>,
}

/// A file of the archive.
#[derive(Debug)]
struct Entry {
    name: String,
    object_key: String,
    size: u64,
    updated_at: i64,
}

/// What an archive has in it.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    entries: Vec<Entry>,
    names: HashSet<String>,
}

pub(crate) fn zip(caller: Caller, Json(wishes): Json<Wishes>) -> Result<Response> {
    let mut contents = Contents::default();
    let mut title = "files".to_owned();
    if wishes.ids.len() > MOST {
        return Err(too_many());
    }
    for id in &wishes.ids {
        let record = Record::live_for(id, &caller, Permission::Read, Role::Viewer)?;
        let filename = record.filename.clone();
        contents.add(record, &filename)?;
    }
    for id in &wishes.folder_ids {
        let folder = folders::live_for(id, &caller, Permission::Read, Role::Viewer)?;
        title.clone_from(&folder.name);
        contents.add_folder(&folder)?;
    }
    if wishes.ids.is_empty() && wishes.folder_ids.is_empty() {
        access::scope(&caller, Permission::Read)?;
        return Err(Error::invalid("invalid_body", "name files in `ids`"));
    }
    if wishes.folder_ids.len() + wishes.ids.len() > 1 {
        "files".clone_into(&mut title);
    }
    Ok(contents.into_response(&title))
}

fn too_many() -> Error {
    Error::invalid(
        "too_many_files",
        format!("an archive has {MOST} files at most"),
    )
}

impl Contents {
    /// All files of a folder, under its name.
    pub(crate) fn add_folder(&mut self, folder: &Folder) -> Result<()> {
        let records: Vec<Record> = sql::query(
            &format!(
                "SELECT {COLUMNS} FROM files.objects WHERE owner = $1 AND deleted_at IS NULL \
                 AND substr(path, 1, CAST($3 AS INTEGER)) = $2 ORDER BY path LIMIT {}",
                MOST + 1
            ),
            params![
                &folder.owner,
                format!("{}/", folder.path),
                tree::characters(&folder.path) + 1
            ],
        )?;
        for record in records {
            let below = record.path.strip_prefix(&folder.path);
            let inside = format!("{}{}", folder.name, below.unwrap_or_default());
            self.add(record, &inside)?;
        }
        Ok(())
    }

    /// A file under a name; one that is taken gets a number.
    fn add(&mut self, record: Record, inside: &str) -> Result<()> {
        if self.entries.len() == MOST {
            return Err(too_many());
        }
        let inside: String = inside
            .chars()
            .map(|c| if c.is_control() { '_' } else { c })
            .collect();
        let (above, last) = name::split(&inside);
        let mut number = 1;
        let name = loop {
            let last = name::numbered(last, number);
            let name = if above.is_empty() {
                last
            } else {
                format!("{above}/{last}")
            };
            if self.names.insert(name.clone()) {
                break name;
            }
            number += 1;
        };
        self.entries.push(Entry {
            name,
            object_key: record.object_key,
            size: record.size,
            updated_at: record.updated_at,
        });
        Ok(())
    }

    /// The archive as an answer.
    pub(crate) fn into_response(self, title: &str) -> Response {
        let entries = self.entries;
        let filename = format!("{title}.zip");
        Response::streaming(move |out| write(out, &entries))
            .with_header("content-type", "application/zip")
            .with_header(
                "content-disposition",
                disposition::header(Disposition::Attachment, &filename),
            )
            .with_header("cache-control", "no-store")
            .with_header("x-content-type-options", "nosniff")
    }
}

fn write(out: &mut dyn io::Write, entries: &[Entry]) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(out);
    for entry in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(entry.size >= LARGE)
            .last_modified_time(moment(entry.updated_at));
        archive.start_file(entry.name.as_str(), options)?;
        let mut body = BUCKET.read(&entry.object_key, None).map_err(failed)?;
        while let Some(chunk) = body.chunk().map_err(failed)? {
            archive.write_all(&chunk)?;
        }
    }
    archive.finish()?;
    Ok(())
}

/// The head has been sent: the archive ends short, and the log says why.
fn failed(error: Error) -> io::Error {
    log::error!("write an archive: {error}");
    io::Error::other(error)
}

/// A time as archives have it: to two seconds, from 1980 to 2107.
fn moment(milliseconds: i64) -> DateTime {
    let time = time::OffsetDateTime::from_unix_timestamp(milliseconds / 1000);
    time.ok()
        .and_then(|time| {
            DateTime::from_date_and_time(
                u16::try_from(time.year()).ok()?,
                u8::from(time.month()),
                time.day(),
                time.hour(),
                time.minute(),
                time.second(),
            )
            .ok()
        })
        .unwrap_or_default()
}
