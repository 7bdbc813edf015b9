//! Listing the folder in the order of keys, without following links.
//!
//! A folder has no order of its own: the smallest names after the cursor are
//! picked out a page at a time, so that memory does not grow with the folder.

use super::{LocalRoot, error, root::object_meta};
use crate::{ObjectMeta, PathPrefix};
use atlashub_core::Result;
use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Dir, FileType, OFlags},
    io::Errno,
};
use std::collections::BTreeMap;

/// What a listing looks for.
struct Wanted<'a> {
    start: &'a str,
    after: &'a str,
    limit: usize,
    found: Vec<(String, ObjectMeta)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Folder,
}

impl LocalRoot {
    /// The first `limit` objects below `prefix` whose keys start with `start`
    /// and come after `after`. May wait for a disk.
    pub(crate) fn list(
        &self,
        prefix: &PathPrefix,
        start: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, ObjectMeta)>> {
        let mut wanted = Wanted {
            start,
            after: after.unwrap_or_default(),
            limit,
            found: Vec::new(),
        };
        let folder = match self.open_folder(prefix.folder()) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(wanted.found),
            Err(errno) => return Err(error("list objects", errno)),
        };
        wanted
            .walk(&folder, "")
            .map_err(|errno| error("list objects", errno))?;
        Ok(wanted.found)
    }

    /// Deletes everything below `prefix`. May wait for a disk.
    pub(crate) fn delete_all(&self, prefix: &PathPrefix) -> Result<()> {
        // Refuses links on the way; what lies below is removed without
        // following any.
        match self.open_folder(prefix.folder()) {
            Ok(_) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(error("delete objects", errno)),
        }
        match std::fs::remove_dir_all(self.path().join(prefix.folder())) {
            Err(io) if io.kind() != std::io::ErrorKind::NotFound => Err(error(
                "delete objects",
                Errno::from_io_error(&io).unwrap_or(Errno::IO),
            )),
            _ => Ok(()),
        }
    }
}

impl Wanted<'_> {
    fn walk(&mut self, folder: &OwnedFd, above: &str) -> rustix::io::Result<()> {
        let mut reached = String::new();
        loop {
            let page = self.page(folder, above, &reached)?;
            let last = page.len() < self.limit;
            for (key, kind) in page {
                if self.found.len() >= self.limit {
                    return Ok(());
                }
                let name = key
                    .strip_prefix(above)
                    .unwrap_or(&key)
                    .trim_end_matches('/');
                match kind {
                    Kind::Object => {
                        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                            Ok(stat) => {
                                if let Ok(meta) = object_meta(&stat) {
                                    self.found.push((key.clone(), meta));
                                }
                            }
                            Err(Errno::NOENT) => {}
                            Err(errno) => return Err(errno),
                        }
                    }
                    Kind::Folder => {
                        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                        match super::sys::open_beneath(folder, name, flags, false) {
                            Ok(below) => self.walk(&below, &key)?,
                            // Deleted, or replaced, just now.
                            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                            Err(errno) => return Err(errno),
                        }
                    }
                }
                reached = key;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// The smallest entries of one folder after `reached` that can hold what
    /// is wanted, at most as many as are wanted at all. A folder's key ends
    /// with a slash, so that it sorts as the keys in it do.
    fn page(
        &self,
        folder: &OwnedFd,
        above: &str,
        reached: &str,
    ) -> rustix::io::Result<BTreeMap<String, Kind>> {
        let mut page = BTreeMap::new();
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            // Nothing of ours has a name that is not ASCII.
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::Object,
                FileType::Directory => Kind::Folder,
                FileType::Unknown => {
                    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                        .map(|stat| FileType::from_raw_mode(stat.st_mode))
                    {
                        Ok(FileType::RegularFile) => Kind::Object,
                        Ok(FileType::Directory) => Kind::Folder,
                        _ => continue,
                    }
                }
                _ => continue,
            };
            let slash = if kind == Kind::Folder { "/" } else { "" };
            let key = format!("{above}{name}{slash}");
            let wanted = match kind {
                Kind::Object => key.starts_with(self.start) && key.as_str() > self.after,
                Kind::Folder => {
                    (key.starts_with(self.start) || self.start.starts_with(&key))
                        && (key.as_str() > self.after || self.after.starts_with(&key))
                }
            };
            if wanted && key.as_str() > reached {
                page.insert(key, kind);
                if page.len() > self.limit {
                    page.pop_last();
                }
            }
        }
        Ok(page)
    }
}
