//! Opening files beneath a folder without following symbolic links.
//!
//! Linux does it in one call (`openat2`), and can say that it would have to
//! wait for a disk; where that call is missing (older kernels, some sandboxes,
//! other systems) the path is walked segment by segment.

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, openat},
    io::{Errno, Result},
};

/// Opens `path` beneath `root`. With `cached`, answers `AGAIN` rather than
/// waiting for a disk; the call is then to be repeated without it on a thread
/// that may wait.
pub(super) fn open_beneath(
    root: impl AsFd,
    path: &str,
    flags: OFlags,
    cached: bool,
) -> Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let mut resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        if cached {
            resolve |= ResolveFlags::CACHED;
        }
        match openat2(&root, path, flags, Mode::empty(), resolve) {
            // Not known to this kernel or not allowed by its filter.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => {}
            Err(Errno::AGAIN) if !cached => {}
            answer => return answer,
        }
    }
    if cached {
        return Err(Errno::AGAIN);
    }
    walk(root, path, flags)
}

fn walk(root: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut segments = path.split('/').peekable();
    let mut at: Option<OwnedFd> = None;
    while let Some(segment) = segments.next() {
        if matches!(segment, "" | "." | "..") {
            return Err(Errno::INVAL);
        }
        let flags = if segments.peek().is_some() {
            folder
        } else {
            flags
        };
        let next = match &at {
            Some(folder) => openat(folder, segment, flags, Mode::empty())?,
            None => openat(&root, segment, flags, Mode::empty())?,
        };
        at = Some(next);
    }
    at.ok_or(Errno::INVAL)
}

/// Reads into `buffer` from `offset` what the page cache has; `AGAIN` when it
/// has nothing, or when the system cannot tell.
#[cfg(target_os = "linux")]
pub(super) fn read_cached(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut slices = [std::io::IoSliceMut::new(buffer)];
    match preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
        Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM) => Err(Errno::AGAIN),
        answer => answer,
    }
}

/// Elsewhere there is no telling: every read may wait.
#[cfg(not(target_os = "linux"))]
pub(super) fn read_cached(_file: &OwnedFd, _buffer: &mut [u8], _offset: u64) -> Result<usize> {
    Err(Errno::AGAIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn both_ways_refuse_links_and_climbing() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), b"x").unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/file"), b"x").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("a/link"))
            .unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let up = format!(
            "../{}/secret",
            outside.path().file_name().unwrap().to_str().unwrap()
        );
        for path in [
            "link/secret",
            "a/link",
            up.as_str(),
            "/etc/passwd",
            "a/../link/secret",
        ] {
            assert!(
                open_beneath(&root, path, OFlags::RDONLY, false).is_err(),
                "{path}"
            );
            assert!(
                walk(&root, path, OFlags::RDONLY | OFlags::NOFOLLOW).is_err(),
                "{path}"
            );
        }
        assert!(open_beneath(&root, "a/file", OFlags::RDONLY, false).is_ok());
        assert!(walk(&root, "a/file", OFlags::RDONLY | OFlags::NOFOLLOW).is_ok());
    }
}
