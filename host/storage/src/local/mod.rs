//! Objects in a folder of this machine.
//!
//! They are handled by the kernel directly rather than through OpenDAL, whose
//! file-system service can neither create without a race, nor say whether a
//! deletion removed something, nor read what is in the page cache without a
//! hop to another thread, and follows symbolic links, also when it lists and
//! deletes.
//!
//! Everything is opened relative to the root's descriptor, beneath it, with
//! symbolic links refused on the way.

mod list;
mod read;
mod root;
mod sys;
mod write;

pub(crate) use root::LocalRoot;
pub(crate) use write::Incoming;

use atlashub_core::{Error, ErrorKind};
use rustix::io::Errno;

/// What a failed call of the system means to the caller.
pub(crate) fn error(doing: &'static str, errno: Errno) -> Error {
    match errno {
        Errno::NOENT => crate::error::not_found(),
        Errno::EXIST => crate::error::exists(),
        // A segment of the key is an object already, or the key is a folder.
        Errno::NOTDIR | Errno::ISDIR | Errno::NOTEMPTY => Error::conflict(
            "object_key_conflict",
            "another object's key is a part of this key, choose another key",
        ),
        Errno::LOOP | Errno::XDEV => {
            Error::internal(doing, "a symbolic link lies within the storage folder")
        }
        Errno::NOSPC | Errno::DQUOT => Error::new(
            ErrorKind::Unavailable,
            "storage_full",
            "the host has no space left for objects",
        )
        .with_source(std::io::Error::from(errno)),
        _ => Error::internal(doing, std::io::Error::from(errno)),
    }
}
