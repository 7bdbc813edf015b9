//! One moment of all files of a project.
//!
//! Each file has its own write-ahead log, so a read that begins on one says
//! nothing of when it begins on the next. While the right to write is held on
//! every file nobody can commit, and reads that begin then show all files as of
//! the same moment. It is held no longer than that takes: who is waited for too
//! long is let through, and the files are tried again, so that a transaction
//! that itself waits for another file of the project ends.

use super::{Files, archive::refused};
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use rusqlite::{Connection as Inner, ErrorCode, OpenFlags};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long one file is waited for while others may be held.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long the first file is waited for: nothing is held then.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(5);
/// After which it is given up.
const LONGEST: Duration = Duration::from_secs(90);

/// A file of which a read is under way, and its schema.
pub(super) struct ReadFile {
    pub(super) schema: String,
    pub(super) connection: Inner,
}

impl Files {
    /// Begins to read all databases of a project as they are at one moment.
    /// Blocks.
    ///
    /// # Errors
    /// `project_busy` when its files were never free at once.
    pub(super) fn at_one_moment(&self, project: ProjectId) -> Result<Vec<ReadFile>> {
        let started = Instant::now();
        // Who was not free is waited for first, before anything is held.
        let mut first: Option<String> = None;
        loop {
            match self.try_one_moment(project, first.as_deref())? {
                Moment::Found(read) => return Ok(read),
                Moment::Changed => {}
                Moment::Busy(schema) => first = Some(schema),
            }
            if started.elapsed() > LONGEST {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "project_busy",
                    "the project's tables were written to for so long that no moment was found \
                     to back them up: try again later",
                ));
            }
        }
    }

    fn try_one_moment(&self, project: ProjectId, first: Option<&str>) -> Result<Moment> {
        let found = self.databases(project)?;
        let mut ordered: Vec<_> = found.iter().collect();
        ordered.sort_by_key(|(schema, _)| Some(schema.as_str()) != first);
        let mut held = Vec::with_capacity(found.len());
        for (schema, path) in ordered {
            let writer = open(path)?;
            let patience = if held.is_empty() {
                PATIENCE_AT_FIRST
            } else {
                PATIENCE
            };
            writer.busy_timeout(patience).map_err(refused)?;
            match writer.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => held.push(writer),
                Err(error) if is_busy(&error) => return Ok(Moment::Busy(schema.clone())),
                Err(error) => return Err(refused(error)),
            }
        }
        // One that was made meanwhile could have been written to already.
        if self.databases(project)? != found {
            return Ok(Moment::Changed);
        }
        let mut read = Vec::with_capacity(found.len());
        for (schema, path) in found {
            let connection = open(&path)?;
            connection.busy_timeout(PATIENCE).map_err(refused)?;
            let begun = connection
                .execute_batch("PRAGMA query_only = 1; BEGIN")
                .and_then(|()| {
                    let sql = "SELECT count(*) FROM sqlite_schema";
                    connection.query_row(sql, [], |row| row.get::<_, i64>(0))
                });
            match begun {
                Ok(_) => read.push(ReadFile { schema, connection }),
                Err(error) if is_busy(&error) => return Ok(Moment::Busy(schema)),
                Err(error) => return Err(refused(error)),
            }
        }
        drop(held);
        Ok(Moment::Found(read))
    }
}

enum Moment {
    Found(Vec<ReadFile>),
    /// A file came or went.
    Changed,
    /// Somebody writes to this one.
    Busy(String),
}

/// Opens a file through the same VFS as all others, which shares its locks
/// within this process. What it holds is let go when it is dropped.
fn open(path: &Path) -> Result<Inner> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Inner::open_with_flags_and_vfs(path, flags, c"unix-excl").map_err(refused)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
