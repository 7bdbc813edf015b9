//! `GET /transfer/files`: every file of the project as one archive, written
//! while it is read. Bytes are copied in pieces of 64 KiB, whatever the
//! files' sizes; `files` has the last word on each, as at a download.

use crate::{access, archive::zip, jobs::note};
use atlashub_files_client::{BASE, File, Page, ask, download, from_cursor};
use atlashub_sdk::{http, prelude::*};
use crc32fast::Hasher;
use std::io;

/// Files of a page of the list.
const PAGE: u32 = 200;
/// Most files of an archive: their names are kept for the list at its end.
const MOST: usize = 100_000;

pub(crate) fn all(caller: Caller) -> Result<Response> {
    access::require(&caller)?;
    // What can be refused is refused before the archive begins.
    let first = page(None)?;
    note("transfer.export", "files");
    Ok(Response::streaming(move |out| write(out, first))
        .with_header("content-type", "application/zip")
        .with_header("content-disposition", "attachment; filename=\"files.zip\"")
        .with_header("cache-control", "no-store")
        .with_header("x-content-type-options", "nosniff"))
}

/// Files in the order in which they came, so that none is passed by while
/// others are added.
fn page(cursor: Option<&str>) -> Result<Page<File>> {
    let url = format!("{BASE}/files?sort=created_at&limit={PAGE}");
    ask(http::get(from_cursor(&url, cursor)))
}

fn write(out: &mut dyn io::Write, first: Page<File>) -> io::Result<()> {
    let mut archive = Archive {
        out,
        written: 0,
        entries: Vec::new(),
    };
    let mut page_of_files = first;
    loop {
        for file in &page_of_files.items {
            archive.add(file).map_err(failed)?;
        }
        match page_of_files.next_cursor {
            Some(cursor) => page_of_files = page(Some(&cursor)).map_err(failed)?,
            None => return archive.finish().map_err(failed),
        }
    }
}

/// The head has been sent: the archive ends short, and the log says why.
fn failed(error: Error) -> io::Error {
    log::error!("write an archive of all files: {error}");
    io::Error::other(error)
}

struct Archive<'a> {
    out: &'a mut dyn io::Write,
    written: u64,
    entries: Vec<zip::Entry>,
}

impl Archive<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(Error::internal)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn add(&mut self, file: &File) -> Result<()> {
        if self.entries.len() >= MOST {
            return Err(Error::internal("there are too many files for one archive"));
        }
        let mut answer = download(&file.id, &Headers::default())?;
        if answer.status != StatusCode::OK {
            // It was deleted meanwhile.
            log::warn!("the file {} is left out: {}", file.id, answer.status);
            return Ok(());
        }
        let name = name(file);
        let offset = self.written;
        self.put(&zip::head(&name))?;
        let (mut crc, mut size) = (Hasher::new(), 0_u64);
        while let Some(chunk) = answer.body.chunk()? {
            crc.update(&chunk);
            size += chunk.len() as u64;
            self.put(&chunk)?;
        }
        let crc = crc.finalize();
        self.put(&zip::foot(crc, size))?;
        self.entries.push(zip::Entry {
            name,
            crc,
            size,
            offset,
        });
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        let list = zip::list(&self.entries, self.written);
        self.put(&list)
    }
}

/// Where a file is in the archive: below its owner, at its path. Whatever it
/// is called, it is unpacked below the archive.
fn name(file: &File) -> String {
    let path = if file.path.is_empty() {
        &file.filename
    } else {
        &file.path
    };
    let parts = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "." | ".."));
    let plain: Vec<String> = parts
        .map(|part| {
            part.chars()
                .map(|c| {
                    if c.is_control() || matches!(c, '\\' | ':') {
                        '_'
                    } else {
                        c
                    }
                })
                .collect()
        })
        .collect();
    match &file.owner_id {
        Some(owner) => format!("users/{owner}/{}", plain.join("/")),
        None => format!("server/{}", plain.join("/")),
    }
}
