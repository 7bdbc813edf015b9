//! Keeping up with `files`: what was changed since, asked for as whoever
//! calls, newest first, down to where this was done before. It finds what no
//! event told of: what was there before the plugin was, and what a user sees
//! whose files nobody has asked for yet.

use crate::{File, Scope, changed};
use atlashub_sdk::prelude::*;

/// Files asked for when there is probably nothing new, and otherwise.
const FEW: u32 = 10;
const MANY: u32 = 100;

/// How far a plugin is, for those whose files a caller sees.
#[derive(Debug, Default, Deserialize)]
struct Mark {
    /// All that was changed before is known.
    updated_at: i64,
    /// What `updated_at` becomes when the rest has been read.
    next_mark: i64,
    /// Where the rest begins.
    resume: Option<String>,
}

/// Reads what is new, so many pages at most, and hands it to `take`; answers
/// whether that was all. The same file may come again.
///
/// `marks` is the plugin's table for it, such as `search.marks`:
///
/// ```sql
/// CREATE TABLE marks (scope TEXT PRIMARY KEY, updated_at BIGINT NOT NULL, next_mark BIGINT NOT NULL, resume TEXT);
/// ```
///
/// # Errors
/// Those of [`crate::ask`] and of `take`: what came before them has been taken,
/// and the next call begins where this one did.
pub fn catch_up(
    marks: &str,
    scope: &Scope,
    pages: usize,
    mut take: impl FnMut(Vec<File>) -> Result<()>,
) -> Result<bool> {
    let mark: Mark = sql::query_optional(
        &format!("SELECT updated_at, next_mark, resume FROM {marks} WHERE scope = $1"),
        params![scope.name()],
    )?
    .unwrap_or_default();
    let mut cursor = mark.resume.clone();
    let mut newest = mark.next_mark.max(mark.updated_at);
    let mut done = false;
    for page in 0..pages {
        let limit = if page == 0 && cursor.is_none() {
            FEW
        } else {
            MANY
        };
        let files = changed(cursor.as_deref(), limit)?;
        cursor = files.next_cursor;
        let listed = files.items.len();
        let new: Vec<File> = files
            .items
            .into_iter()
            .take_while(|file| file.updated_ms() >= mark.updated_at)
            .collect();
        done = new.len() < listed || cursor.is_none();
        newest = new.iter().map(File::updated_ms).fold(newest, i64::max);
        take(new)?;
        if done {
            break;
        }
    }
    let (updated_at, resume) = if done {
        (newest, None)
    } else {
        (mark.updated_at, cursor)
    };
    if (updated_at, &resume) != (mark.updated_at, &mark.resume) {
        sql::execute(
            &format!(
                "INSERT INTO {marks} (scope, updated_at, next_mark, resume) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (scope) DO UPDATE SET updated_at = excluded.updated_at, \
                 next_mark = excluded.next_mark, resume = excluded.resume"
            ),
            params![scope.name(), updated_at, newest, resume],
        )?;
    }
    Ok(done)
}
