//! Keeping the index up with `files`: with what was changed since, and with
//! what others share with whoever searches.

use crate::{entry, remote};
use atlashub_files_client::{File, Scope, shared};
use atlashub_sdk::prelude::*;

/// Files that others share with a reader, of which the index knows.
const SHARED: u32 = 100;
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

/// `POST /files/search/rebuild`
pub(crate) fn rebuild(caller: Caller) -> Result<Json<Followed>> {
    users::require("search:rebuild")?;
    let scope = Scope::to_read(&caller)?;
    sql::transaction(entry::forget_all)?;
    let done = catch_up(&scope, PAGES_OF_A_CALL)?;
    Ok(Json(Followed { done }))
}

/// Reads what is new, so many pages at most; answers whether that was all.
pub(crate) fn catch_up(scope: &Scope, pages: usize) -> Result<bool> {
    let done = atlashub_files_client::catch_up("search.marks", scope, pages, take)?;
    if let Scope::Owner(reader) = scope {
        take_shared(reader)?;
    }
    Ok(done)
}

/// Notes what others share with a reader, and what no more.
fn take_shared(reader: &str) -> Result<()> {
    let shared = shared(None, SHARED)?.items;
    let known: i64 = sql::query_one(
        "SELECT count(*) FROM search.readers WHERE reader = $1",
        params![reader],
    )?;
    if shared.is_empty() && known == 0 {
        return Ok(());
    }
    let ids: Vec<String> = shared.iter().map(|file| file.id.clone()).collect();
    take(shared)?;
    let among = sql::texts_in(2);
    sql::transaction(|transaction| {
        transaction.execute(
            &format!(
                "DELETE FROM search.readers WHERE reader = $1 AND number NOT IN \
                 (SELECT number FROM search.entries WHERE file_id IN ({among}))"
            ),
            params![reader, sql::Value::json(&ids)?],
        )?;
        transaction.execute(
            &format!(
                "INSERT INTO search.readers (reader, number) SELECT CAST($1 AS TEXT), number FROM search.entries \
                 WHERE file_id IN ({among}) ON CONFLICT DO NOTHING"
            ),
            params![reader, sql::Value::json(&ids)?],
        )?;
        Ok(())
    })
}

/// Puts files into the index, without those that are there as they are.
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
        let text = (!has_text).then(|| remote::text(&file.id)).flatten();
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
