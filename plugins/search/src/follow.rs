//! Keeping the index up with `files`: with what was changed since, asked for
//! as whoever searches, and with all that is there when the index is new.

use crate::{access::Sight, entry, remote, spelling::elements};
use atlashub_files_client::{self as files, File, Scope};
use atlashub_sdk::prelude::*;

/// Pages that a search waits for, and that one call to follow reads.
pub(crate) const PAGES_OF_A_SEARCH: usize = 2;
const PAGES_OF_A_CALL: usize = 10;

/// How a call to follow went.
#[derive(Debug, Serialize)]
pub(crate) struct Followed {
    /// Whether there was nothing more to read.
    done: bool,
}

/// `POST /files/search/follow`
pub(crate) fn follow(caller: Caller) -> Result<Json<Followed>> {
    let done = catch_up(&Scope::to_read(&caller)?, PAGES_OF_A_CALL)?;
    Ok(Json(Followed { done }))
}

/// `POST /files/search/rebuild`: everybody's index begins anew. The caller's
/// own files are read at once, those of all by what `files` tells of again.
pub(crate) fn rebuild(caller: Caller) -> Result<Json<Followed>> {
    users::require("search:rebuild")?;
    let scope = Scope::to_read(&caller)?;
    sql::transaction(entry::forget_all)?;
    let done = catch_up(&scope, PAGES_OF_A_CALL)?;
    Ok(Json(Followed { done }))
}

/// Reads what is new, so many pages at most; answers whether that was all.
pub(crate) fn catch_up(scope: &Scope, pages: usize) -> Result<bool> {
    let done = files::catch_up("search.marks", scope, pages, take)?;
    fill()?;
    Ok(done)
}

/// Files shared with the caller that one call reads into the index.
const MISSING: u32 = 20;

/// Reads files into the index that are shared with the caller, and of which no
/// event has told yet.
pub(crate) fn take_missing(sight: &Sight) -> Result<()> {
    if sight.shared.files.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = sql::query(
        &format!(
            "SELECT value FROM {} WHERE NOT EXISTS \
             (SELECT 1 FROM search.entries WHERE entries.file_id = value) LIMIT {MISSING}",
            elements()
        ),
        params![sql::Value::json(&sight.shared.files)?],
    )?;
    let mut new = Vec::new();
    for id in missing {
        new.extend(files::file::<File>(&id)?);
    }
    if new.is_empty() {
        return Ok(());
    }
    take(new)
}

/// Where `search.marks` says that all files were asked for, which is nobody's
/// id.
const FILLED: &str = "";

/// Has `files` tell of all files, once for each index: an index that is empty
/// is filled for everybody, whoever comes first.
fn fill() -> Result<()> {
    let asked: Option<i64> = sql::query_optional(
        "SELECT 1 FROM search.marks WHERE scope = $1",
        params![FILLED],
    )?;
    if asked.is_some() {
        return Ok(());
    }
    if let Err(error) = files::retell_all() {
        // The next search asks again.
        log::warn!("files do not tell of themselves again: {error}");
        return Ok(());
    }
    sql::execute(
        "INSERT INTO search.marks (scope, updated_at, next_mark) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING",
        params![FILLED],
    )?;
    Ok(())
}

/// Puts files into the index, without those that are there as they are.
///
/// The text of a file that did not change is not asked for: `documents` hands
/// each over until it was taken.
fn take(files: Vec<File>) -> Result<()> {
    let ids: Vec<&str> = files.iter().map(|file| file.id.as_str()).collect();
    let among = sql::texts_in(1);
    let known: Vec<(String, i64, bool)> = sql::query(
        &format!(
            "SELECT file_id, updated_at, EXISTS (SELECT 1 FROM search.texts WHERE texts.number = entries.number) \
             FROM search.entries WHERE file_id IN ({among})"
        ),
        params![sql::Value::json(&ids)?],
    )?;
    let mut new = Vec::new();
    for file in files {
        let row = known.iter().find(|(id, ..)| *id == file.id);
        if row.is_some_and(|(_, updated_at, _)| *updated_at == file.updated_ms()) {
            continue;
        }
        let has_text = row.is_some_and(|(.., has_text)| *has_text);
        let text = (!has_text).then(|| remote::text(&file)).flatten();
        new.push((file, text));
    }
    if new.is_empty() {
        return Ok(());
    }
    sql::transaction(|transaction| {
        new.iter()
            .try_for_each(|(file, text)| entry::put(transaction, file, text.as_deref()))
    })
}
