//! Documents that are ZIP archives. What an archive says about itself is not
//! believed: entries are counted, names that climb, links and passwords are
//! refused, and what is unpacked is counted while it is unpacked.

pub(crate) mod docx;
pub(crate) mod epub;
pub(crate) mod pptx;
mod properties;
pub(crate) mod xlsx;
mod xml;

use crate::{broken, charset, encrypted, kind::Kind, too_large};
use atlashub_sdk::prelude::*;
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

/// Most entries of an archive.
const MAX_ENTRIES: usize = 10_000;
/// The most that one entry unpacks to, bytes.
const MAX_ENTRY: u64 = 64 * 1024 * 1024;
/// The most that is unpacked of an archive, bytes.
const MAX_UNPACKED: u64 = 128 * 1024 * 1024;

/// An archive, and how much of it may still be unpacked.
pub(crate) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

/// The kind of document that an archive is, if it is one.
pub(crate) fn kind(bytes: &[u8]) -> Result<Option<Kind>> {
    let mut archive = Archive::open(bytes)?;
    for (part, kind) in [
        (docx::MAIN, Kind::Docx),
        (xlsx::MAIN, Kind::Xlsx),
        (pptx::MAIN, Kind::Pptx),
    ] {
        if archive.has(part) {
            return Ok(Some(kind));
        }
    }
    let is_epub = archive
        .text("mimetype")?
        .is_some_and(|kind| kind.trim() == "application/epub+zip");
    Ok(is_epub.then_some(Kind::Epub))
}

impl<'a> Archive<'a> {
    /// # Errors
    /// 413 for too many entries; 422 for an archive that is broken, has a
    /// password, links, or names that lead out of it.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
        if zip.len() > MAX_ENTRIES {
            return Err(too_large("more parts than are read"));
        }
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(broken)?;
            if entry.encrypted() {
                return Err(encrypted());
            }
            let is_absolute = entry.name_raw().starts_with(b"/");
            if is_absolute || entry.is_symlink() || entry.enclosed_name().is_none() {
                return Err(broken("an entry leads out of the archive"));
            }
        }
        Ok(Self {
            zip,
            left: MAX_UNPACKED,
        })
    }

    /// Whether there is such an entry.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// Names of entries that begin and end so, in the order of the numbers
    /// between.
    pub(crate) fn numbered(&self, start: &str, end: &str) -> Vec<String> {
        let number = |name: &str| -> Option<u32> {
            name.strip_prefix(start)?.strip_suffix(end)?.parse().ok()
        };
        let names = self.zip.file_names().filter_map(std::result::Result::ok);
        let mut names: Vec<(u32, String)> = names
            .filter_map(|name| Some((number(&name)?, name.into_owned())))
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// An entry as text; none when there is no such entry.
    ///
    /// # Errors
    /// 413 when it unpacks to more than may be, 422 when it cannot be.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        self.unpack(index, &mut bytes)?;
        Ok(Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(other) => charset::decode(other.as_bytes(), None).0.into_owned(),
        }))
    }

    /// Unpacks everything once and keeps none of it, for a library that
    /// unpacks by itself and does not count.
    pub(crate) fn count(&mut self) -> Result<()> {
        (0..self.zip.len()).try_for_each(|index| self.unpack(index, &mut std::io::sink()))
    }

    fn unpack(&mut self, index: usize, into: &mut impl std::io::Write) -> Result<()> {
        let entry = self.zip.by_index(index).map_err(broken)?;
        let most = self.left.min(MAX_ENTRY);
        // One byte more tells that there is more.
        let count = std::io::copy(&mut entry.take(most + 1), into).map_err(broken)?;
        if count > most {
            return Err(too_large("parts that unpack to more than is read"));
        }
        self.left -= count;
        Ok(())
    }
}
