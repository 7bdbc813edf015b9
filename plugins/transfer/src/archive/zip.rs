//! Zip files as far as they are needed here: written while
//! sizes are not known yet, with ZIP64 throughout; read by their list at the
//! end.
//!
//! Archives of tables are not unpacked: what an entry takes in the archive is
//! all that it has. Folders may be compressed, and are unpacked piece by piece,
//! no further than their list says. An archive with a name that climbs, with a
//! link, with more entries than are understood or with entries that lie over
//! each other is refused as a whole.

use crate::source::Source;
use atlashub_sdk::prelude::*;
use flate2::read::DeflateDecoder;
use std::{cmp::Reverse, collections::BTreeSet, io::Read as _};

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
/// Sizes stand behind the data; names are UTF-8.
const FLAGS: u16 = 0x0808;
/// ZIP64.
const VERSION: u16 = 45;
/// The first day that archives know.
const DAY: u16 = 0x0021;
/// Bytes of an entry's head, without its name and what else it has.
const HEAD: u64 = 30;
/// Most entries of an archive that is read.
const MOST: u64 = 50_000;
/// Most bytes of the list of entries.
const MOST_LIST: u64 = 16 * 1024 * 1024;

/// An entry that is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) crc: u32,
    pub(crate) size: u64,
    /// Where its head begins in the archive.
    pub(crate) offset: u64,
}

fn two(into: &mut Vec<u8>, value: u16) {
    into.extend_from_slice(&value.to_le_bytes());
}

fn four(into: &mut Vec<u8>, value: u32) {
    into.extend_from_slice(&value.to_le_bytes());
}

fn eight(into: &mut Vec<u8>, value: u64) {
    into.extend_from_slice(&value.to_le_bytes());
}

fn length(text: &str) -> u16 {
    u16::try_from(text.len()).unwrap_or(u16::MAX)
}

/// What stands before an entry's bytes.
pub(crate) fn head(name: &str) -> Vec<u8> {
    let mut head = Vec::new();
    four(&mut head, LOCAL);
    for value in [VERSION, FLAGS, 0, 0, DAY] {
        two(&mut head, value);
    }
    four(&mut head, 0);
    four(&mut head, u32::MAX);
    four(&mut head, u32::MAX);
    two(&mut head, length(name));
    two(&mut head, 20);
    head.extend_from_slice(name.as_bytes());
    two(&mut head, 1);
    two(&mut head, 16);
    eight(&mut head, 0);
    eight(&mut head, 0);
    head
}

/// What stands behind them.
pub(crate) fn foot(crc: u32, size: u64) -> Vec<u8> {
    let mut foot = Vec::new();
    four(&mut foot, DESCRIPTOR);
    four(&mut foot, crc);
    eight(&mut foot, size);
    eight(&mut foot, size);
    foot
}

/// The list at the end of an archive, which begins at `offset`.
pub(crate) fn list(entries: &[Entry], offset: u64) -> Vec<u8> {
    let mut list = Vec::new();
    for entry in entries {
        four(&mut list, CENTRAL);
        for value in [VERSION, VERSION, FLAGS, 0, 0, DAY] {
            two(&mut list, value);
        }
        four(&mut list, entry.crc);
        four(&mut list, u32::MAX);
        four(&mut list, u32::MAX);
        two(&mut list, length(&entry.name));
        two(&mut list, 28);
        for _ in 0..3 {
            two(&mut list, 0);
        }
        four(&mut list, 0);
        four(&mut list, u32::MAX);
        list.extend_from_slice(entry.name.as_bytes());
        two(&mut list, 1);
        two(&mut list, 24);
        eight(&mut list, entry.size);
        eight(&mut list, entry.size);
        eight(&mut list, entry.offset);
    }
    let size = list.len() as u64;
    let count = entries.len() as u64;
    four(&mut list, END_64);
    eight(&mut list, 44);
    two(&mut list, VERSION);
    two(&mut list, VERSION);
    four(&mut list, 0);
    four(&mut list, 0);
    for value in [count, count, size, offset] {
        eight(&mut list, value);
    }
    four(&mut list, LOCATOR_64);
    four(&mut list, 0);
    eight(&mut list, offset.saturating_add(size));
    four(&mut list, 1);
    four(&mut list, END);
    for value in [0, 0, u16::MAX, u16::MAX] {
        two(&mut list, value);
    }
    four(&mut list, u32::MAX);
    four(&mut list, u32::MAX);
    two(&mut list, 0);
    list
}

/// An entry of an archive that is read.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// Whether its bytes are compressed.
    pub(crate) deflated: bool,
    /// How many they are, once they are not.
    pub(crate) size: u64,
    crc: u32,
    archive: Source,
    /// Where its head is.
    local: u64,
    /// How many its bytes are in the archive.
    packed: u64,
    /// Where the next entry begins, or the list of them.
    limit: u64,
}

impl Found {
    /// Its bytes, as they are in the archive. Its head is read for that.
    ///
    /// # Errors
    /// 422 `invalid_archive`.
    pub(crate) fn source(&self) -> Result<Source> {
        let start = data(&self.archive, self.local)?;
        if start.saturating_add(self.packed) > self.limit {
            return Err(self.damaged("lies over another entry"));
        }
        self.archive.part(start, self.packed)
    }

    /// Hands its bytes on, piece by piece, and compares them with what the
    /// list says: a piece too many ends it.
    ///
    /// # Errors
    /// 422 `invalid_archive`, and those of `take`.
    pub(crate) fn unpack(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut crc = crc32fast::Hasher::new();
        let mut left = self.size;
        let mut passed = |piece: &[u8]| {
            left = left
                .checked_sub(piece.len() as u64)
                .ok_or_else(|| self.damaged("has more bytes than it says"))?;
            crc.update(piece);
            take(piece)
        };
        let mut body = self.source()?.body()?;
        if self.deflated {
            let mut unpacked = DeflateDecoder::new(body);
            let mut piece = vec![0; 64 * 1024];
            loop {
                let read = unpacked
                    .read(&mut piece)
                    .map_err(|_| self.damaged("cannot be unpacked"))?;
                if read == 0 {
                    break;
                }
                passed(piece.get(..read).unwrap_or_default())?;
            }
        } else {
            while let Some(piece) = body.chunk()? {
                passed(&piece)?;
            }
        }
        if left != 0 || crc.finalize() != self.crc {
            return Err(self.damaged("is damaged"));
        }
        Ok(())
    }

    fn damaged(&self, why: &str) -> Error {
        broken(format_args!("`{}` {why}", self.name))
    }
}

/// Numbers that stand in bytes one after another.
struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<u64> {
        let taken = self.take(bytes)?;
        Ok(taken
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }
}

fn cut() -> Error {
    broken("it is cut short, or no zip file")
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::invalid(
        "invalid_archive",
        format!("the archive cannot be read: {why}"),
    )
}

/// The entries of an archive.
///
/// # Errors
/// 422 `invalid_archive` with what is wrong, before anything is read of the
/// entries.
pub(crate) fn read(archive: &Source) -> Result<Vec<Found>> {
    let entries = read_any(archive)?;
    match entries.iter().find(|entry| entry.deflated) {
        Some(entry) => Err(broken(format_args!(
            "`{}` is compressed; entries are stored, as exports have them (zip -0)",
            entry.name
        ))),
        None => Ok(entries),
    }
}

/// As [`read`], where entries may be compressed.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_any(archive: &Source) -> Result<Vec<Found>> {
    let (count, size, offset) = end(archive)?;
    if count > MOST || size > MOST_LIST {
        return Err(broken(format_args!("it has more than {MOST} entries")));
    }
    if offset
        .checked_add(size)
        .is_none_or(|end| end > archive.size)
    {
        return Err(cut());
    }
    let bytes = archive.part(offset, size)?.bytes()?;
    let mut numbers = Numbers(&bytes);
    let mut found = Vec::new();
    for _ in 0..count {
        let Listed {
            name,
            packed,
            size,
            offset: local,
            deflated,
            crc,
        } = entry(&mut numbers)?;
        check_name(&name)?;
        found.push(Found {
            name,
            deflated,
            size,
            crc,
            archive: archive.clone(),
            local,
            packed,
            limit: offset,
        });
    }
    check_names(&found)?;
    set_limits(&mut found)?;
    Ok(found)
}

/// No name is there twice.
fn check_names(found: &[Found]) -> Result<()> {
    let mut names = BTreeSet::new();
    match found.iter().find(|entry| !names.insert(&entry.name)) {
        Some(entry) => Err(broken(format_args!("`{}` is in it twice", entry.name))),
        None => Ok(()),
    }
}

/// Each entry ends where the next one begins, or before; what a head takes
/// beside the name is known when it is read.
fn set_limits(found: &mut [Found]) -> Result<()> {
    found.sort_by_key(|entry| Reverse(entry.local));
    let mut next = None;
    for entry in found {
        let limit = next.unwrap_or(entry.limit);
        let least = HEAD + entry.name.len() as u64;
        let end = entry.local.checked_add(least);
        let end = end.and_then(|start| start.checked_add(entry.packed));
        if end.is_none_or(|end| end > limit) {
            return Err(match next {
                None => broken(format_args!("`{}` is larger than the archive", entry.name)),
                Some(_) => broken("entries of it lie over each other"),
            });
        }
        entry.limit = limit;
        next = Some(entry.local);
    }
    Ok(())
}

/// How many entries there are, and where their list is.
fn end(archive: &Source) -> Result<(u64, u64, u64)> {
    let tail = archive.size.min(65_557);
    let start = archive.size - tail;
    let bytes = archive.part(start, tail)?.bytes()?;
    let mark = END.to_le_bytes();
    let at = bytes
        .windows(4)
        .rposition(|window| window == mark)
        .ok_or_else(cut)?;
    let mut numbers = Numbers(bytes.get(at..).unwrap_or_default());
    let _ = numbers.take(10)?;
    let (count, size, offset) = (numbers.number(2)?, numbers.number(4)?, numbers.number(4)?);
    if count < 0xFFFF && size < 0xFFFF_FFFF && offset < 0xFFFF_FFFF {
        return Ok((count, size, offset));
    }
    let locator = at
        .checked_sub(20)
        .and_then(|at| bytes.get(at..))
        .ok_or_else(cut)?;
    let mut numbers = Numbers(locator);
    if numbers.number(4)? != u64::from(LOCATOR_64) {
        return Err(cut());
    }
    let _ = numbers.take(4)?;
    let place = numbers.number(8)?;
    let record = archive.part(place, 56)?.bytes()?;
    let mut numbers = Numbers(&record);
    if numbers.number(4)? != u64::from(END_64) {
        return Err(cut());
    }
    let _ = numbers.take(28)?;
    Ok((numbers.number(8)?, numbers.number(8)?, numbers.number(8)?))
}

/// An entry of the list.
struct Listed {
    name: String,
    packed: u64,
    size: u64,
    /// Where its head is.
    offset: u64,
    deflated: bool,
    crc: u32,
}

/// The next entry of the list.
fn entry(numbers: &mut Numbers<'_>) -> Result<Listed> {
    if numbers.number(4)? != u64::from(CENTRAL) {
        return Err(cut());
    }
    let made_by = numbers.number(2)?;
    let _ = numbers.take(2)?;
    let flags = numbers.number(2)?;
    let method = numbers.number(2)?;
    let _ = numbers.take(4)?;
    let crc = numbers.number(4)?;
    let (mut packed, mut size) = (numbers.number(4)?, numbers.number(4)?);
    let (name, extra, comment) = (numbers.number(2)?, numbers.number(2)?, numbers.number(2)?);
    let _ = numbers.take(4)?;
    let attributes = numbers.number(4)?;
    let mut offset = numbers.number(4)?;
    let bytes = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let name = std::str::from_utf8(numbers.take(bytes(name))?)
        .map_err(|_| broken("a name in it is not UTF-8"))?
        .to_owned();
    let mut extra = Numbers(numbers.take(bytes(extra))?);
    let _ = numbers.take(bytes(comment))?;
    while extra.0.len() >= 4 {
        let (kind, length) = (extra.number(2)?, extra.number(2)?);
        let mut field = Numbers(extra.take(bytes(length))?);
        if kind == 1 {
            for value in [&mut size, &mut packed, &mut offset] {
                if *value == 0xFFFF_FFFF {
                    *value = field.number(8)?;
                }
            }
        }
    }
    // What Unix says of a file stands in the upper half.
    let is_unix = made_by >> 8 == 3;
    let kind = (attributes >> 28) & 0xF;
    if is_unix && !matches!(kind, 0 | 4 | 8) {
        return Err(broken(format_args!("`{name}` is a link, or no file")));
    }
    if flags & 1 != 0 {
        return Err(broken(format_args!("`{name}` is encrypted")));
    }
    if !matches!(method, 0 | 8) || (method == 0 && packed != size) {
        return Err(broken(format_args!(
            "`{name}` is packed in a way that is not understood"
        )));
    }
    Ok(Listed {
        name,
        packed,
        size,
        offset,
        deflated: method == 8,
        crc: u32::try_from(crc).unwrap_or_default(),
    })
}

/// Where the bytes of the entry begin whose head is there.
fn data(archive: &Source, local: u64) -> Result<u64> {
    let head = archive.part(local, HEAD)?.bytes()?;
    let mut numbers = Numbers(&head);
    if numbers.number(4)? != u64::from(LOCAL) {
        return Err(cut());
    }
    let _ = numbers.take(22)?;
    let behind = numbers.number(2)? + numbers.number(2)?;
    Ok(local + HEAD + behind)
}

/// Names are relative, plain and below the archive.
fn check_name(name: &str) -> Result<()> {
    let climbs = name
        .trim_end_matches('/')
        .split('/')
        .any(|part| matches!(part, "" | "." | ".."));
    if climbs || name.contains(['\\', ':', '\0']) || name.len() > 1_024 {
        let shown: String = name.chars().take(100).collect();
        return Err(broken(format_args!(
            "`{shown}` in it is no name of a file below it"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_archive() {
        for good in ["a", "tables/0001.ndjson", "ü/ä", "folder/"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/a", "../a", "a/../b", "a//b", "./a", "C:\\a", "a\\b", "a\0",
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
