//! The folder that holds the objects, and what is asked of it by name.

use super::{error, sys::open_beneath};
use crate::{ObjectMeta, path::ObjectPath};
use atlashub_core::{Error, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat},
    io::Errno,
};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// Where objects are written before they are complete. No object path starts
/// with it.
const INCOMING: &str = "incoming";

/// The folder that holds the objects.
#[derive(Debug)]
pub(crate) struct LocalRoot {
    path: PathBuf,
    root: OwnedFd,
    incoming: OwnedFd,
}

impl LocalRoot {
    /// Opens the folder, makes it when it is missing, and removes what killed
    /// processes left half written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::internal(format!("open the storage folder {}", path.display()), error)
        };
        std::fs::create_dir_all(path.join(INCOMING)).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, &path, folder, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let incoming =
            open_beneath(&root, INCOMING, folder, false).map_err(|errno| match errno {
                Errno::LOOP | Errno::NOTDIR => Error::internal(
                    "open the storage folder",
                    format!("{INCOMING} in it is not a folder"),
                ),
                errno => failed(errno.into()),
            })?;
        let this = Self {
            path,
            root,
            incoming,
        };
        this.sweep();
        Ok(this)
    }

    /// The folder, without symbolic links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is still there and can be read. May wait for a disk.
    pub(crate) fn check(&self) -> Result<()> {
        rustix::fs::statat(&self.root, INCOMING, AtFlags::SYMLINK_NOFOLLOW)
            .map(|_| ())
            .map_err(|errno| error("reach the storage folder", errno))
    }

    /// The folder of incomplete objects.
    pub(super) fn incoming(&self) -> &OwnedFd {
        &self.incoming
    }

    /// Removes incomplete objects whose writer is gone. A living one, also of
    /// another process, holds a lock on its file.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(self.path.join(INCOMING)) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(file) = rustix::fs::openat(&self.incoming, &name, flags, Mode::empty()) else {
                continue;
            };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                match rustix::fs::unlinkat(&self.incoming, &name, AtFlags::empty()) {
                    Ok(()) => {
                        tracing::info!(file = %name.display(), "removed an incomplete object")
                    }
                    Err(errno) => tracing::warn!(%errno, "failed to remove an incomplete object"),
                }
            }
        }
    }

    /// Opens an object for reading; `cached` as in [`open_beneath`].
    pub(super) fn open_file(
        &self,
        path: &ObjectPath,
        cached: bool,
    ) -> rustix::io::Result<(OwnedFd, ObjectMeta)> {
        // Non-blocking, so that something odd in the folder cannot stall us.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = open_beneath(&self.root, path.as_str(), flags, cached)?;
        let meta = object_meta(&rustix::fs::fstat(&file)?)?;
        Ok((file, meta))
    }

    /// What is known of an object. May wait for a disk.
    pub(crate) fn stat(&self, path: &ObjectPath) -> Result<Option<ObjectMeta>> {
        match self.open_file(path, false) {
            Ok((_, meta)) => Ok(Some(meta)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ISDIR) => Ok(None),
            Err(errno) => Err(error("look up an object", errno)),
        }
    }

    /// Deletes an object and says how large it was. May wait for a disk. The
    /// caller holds the path's lock.
    pub(crate) fn delete(&self, path: &ObjectPath) -> Result<Option<u64>> {
        let Some(meta) = self.stat(path)? else {
            return Ok(None);
        };
        let (folder, name) = path.split();
        let folder = match self.open_folder(folder) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(error("delete an object", errno)),
        };
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(error("delete an object", errno)),
        }
        rustix::fs::fsync(&folder).map_err(|errno| error("delete an object", errno))?;
        self.prune(path);
        Ok(Some(meta.size))
    }

    /// Removes the folders that a deleted key leaves empty, up to the
    /// plugin's own.
    fn prune(&self, path: &ObjectPath) {
        let (mut folder, _) = path.split();
        // `t/<project>/<bucket>/<plugin>` stays.
        while folder.split('/').count() > 4 {
            let Some((above, name)) = folder.rsplit_once('/') else {
                return;
            };
            let Ok(above_fd) = self.open_folder(above) else {
                return;
            };
            if rustix::fs::unlinkat(&above_fd, name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            folder = above;
        }
    }

    pub(super) fn open_folder(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        open_beneath(&self.root, path, OFlags::RDONLY | OFlags::DIRECTORY, false)
    }

    /// Opens a folder, making it and those above it where they are missing.
    pub(super) fn make_folder(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        match self.open_folder(path) {
            Err(Errno::NOENT) => {}
            answer => return answer,
        }
        let mut at = self.root.as_fd().try_clone_to_owned().map_err(io_errno)?;
        for segment in path.split('/') {
            let made = match rustix::fs::mkdirat(&at, segment, Mode::RWXU) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(errno),
            };
            let next = open_beneath(&at, segment, OFlags::RDONLY | OFlags::DIRECTORY, false)?;
            if made {
                rustix::fs::fsync(&at)?;
            }
            at = next;
        }
        Ok(at)
    }
}

fn io_errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// What the system says of a regular file.
pub(super) fn object_meta(stat: &Stat) -> rustix::io::Result<ObjectMeta> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Errno::NOENT),
        _ => return Err(Errno::LOOP),
    }
    let nanoseconds = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    Ok(ObjectMeta {
        size: u64::try_from(stat.st_size).map_err(|_| Errno::IO)?,
        modified: OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok(),
    })
}
