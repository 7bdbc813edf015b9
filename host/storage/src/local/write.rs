//! Writing objects into the folder.
//!
//! Bytes go into a file of the folder `incoming`, which is synced and then
//! linked to its place, and the place's folder synced too: an object is there
//! whole or not at all, also after a power cut. The file is locked while its
//! writer lives, so that the sweep at start knows what is left over.

use super::{LocalRoot, error};
use crate::{WriteMode, path::ObjectPath};
use atlashub_core::Result;
use bytes::Bytes;
use rustix::{
    fd::OwnedFd,
    fs::{Advice, AtFlags, FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{fs::File, io::Write as _, sync::Arc};

/// After so many bytes the kernel is asked to begin writing them to the disk,
/// so that syncing at the end has little left to wait for.
const FLUSH: u64 = 8 * 1024 * 1024;

/// An object that is being written. Dropping it removes what was written.
#[derive(Debug)]
pub(crate) struct Incoming {
    root: Arc<LocalRoot>,
    file: File,
    name: Option<String>,
    written: u64,
    flushed: u64,
}

impl Incoming {
    /// Begins an object. May wait for a disk.
    pub(crate) fn begin(root: Arc<LocalRoot>) -> Result<Self> {
        let name = uuid::Uuid::now_v7().simple().to_string();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(root.incoming(), &name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| error("begin an object", errno))?;
        let this = Self {
            root,
            file: File::from(file),
            name: Some(name),
            written: 0,
            flushed: 0,
        };
        rustix::fs::flock(&this.file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| error("begin an object", errno))?;
        Ok(this)
    }

    /// Appends bytes. May wait for a disk.
    pub(crate) fn append(&mut self, pieces: &[Bytes]) -> Result<()> {
        for piece in pieces {
            self.file.write_all(piece).map_err(|io| {
                error(
                    "write an object",
                    Errno::from_io_error(&io).unwrap_or(Errno::IO),
                )
            })?;
            self.written = self.written.saturating_add(piece.len() as u64);
        }
        let length = self.written.saturating_sub(self.flushed);
        if length >= FLUSH {
            // On Linux this begins to write dirty pages and drops clean ones;
            // it is only advice.
            let length = std::num::NonZeroU64::new(length);
            let _ = rustix::fs::fadvise(&self.file, self.flushed, length, Advice::DontNeed);
            self.flushed = self.written;
        }
        Ok(())
    }

    /// Puts the object in its place and answers the size of the one that it
    /// replaced. May wait for a disk. The caller holds the path's lock.
    pub(crate) fn commit(mut self, path: &ObjectPath, mode: WriteMode) -> Result<Option<u64>> {
        let failed = |errno| error("complete an object", errno);
        rustix::fs::fsync(&self.file).map_err(failed)?;
        let replaced = match mode {
            WriteMode::Replace => self.root.stat(path)?.map(|meta| meta.size),
            WriteMode::CreateOnly | WriteMode::Fresh => None,
        };
        let name = self.name.clone().unwrap_or_default();
        let (folder_path, last) = path.split();
        // A deletion next door may take the folder away just before the move.
        let mut tries = 0;
        let folder = loop {
            let folder = self.root.make_folder(folder_path).map_err(failed)?;
            match self.place(&folder, &name, last, mode) {
                Ok(()) => break folder,
                Err(Errno::NOENT) if tries < 8 => tries += 1,
                Err(errno) => return Err(failed(errno)),
            }
        };
        self.name = None;
        rustix::fs::fsync(&folder).map_err(failed)?;
        Ok(replaced)
    }

    fn place(
        &self,
        folder: &OwnedFd,
        name: &str,
        last: &str,
        mode: WriteMode,
    ) -> rustix::io::Result<()> {
        let incoming = self.root.incoming();
        match mode {
            WriteMode::Replace | WriteMode::Fresh => {
                rustix::fs::renameat(incoming, name, folder, last)
            }
            // A link, unlike a move, fails when the name is taken.
            WriteMode::CreateOnly => {
                rustix::fs::linkat(incoming, name, folder, last, AtFlags::empty())?;
                rustix::fs::unlinkat(incoming, name, AtFlags::empty())
            }
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let root = Arc::clone(&self.root);
        let remove = move || {
            if let Err(errno) = rustix::fs::unlinkat(root.incoming(), &name, AtFlags::empty()) {
                tracing::warn!(%errno, "failed to remove an incomplete object");
            }
        };
        // Freeing a large file takes milliseconds: not on an async thread.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
