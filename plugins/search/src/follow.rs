//! Keeping up with `files`: what was changed since, asked for as whoever
//! searches, newest first, down to where this was done before.

use crate::{
    access::Scope,
    entry,
    remote::{self, File},
};
use atlashub_sdk::prelude::*;

/// Files asked for when there is probably nothing new, and otherwise.
const FEW: u32 = 10;
const MANY: u32 = 100;
/// Pages that a search waits for, and that one call to follow reads.
pub(crate) const PAGES_OF_A_SEARCH: usize = 2;
const PAGES_OF_A_CALL: usize = 10;

/// How far the index is, for those whose files a caller sees.
#[derive(Debug, Default, Deserialize)]
struct Mark {
    /// All that was changed before is in the index.
    updated_at: i64,
    /// What `updated_at` becomes when the rest has been read.
    next_mark: i64,
    /// Where the rest begins.
    resume: Option<String>,
}

/// How a call to follow went.
#[derive(Debug, Serialize)]
pub(crate) struct Followed {
    /// Whether there was nothing more to read.
    done: bool,
}

/// `POST /files/search/follow`
pub(crate) fn follow(caller: Caller) -> Result<Json<Followed>> {
    let done = catch_up(&Scope::of(&caller)?, PAGES_OF_A_CALL)?;
    Ok(Json(Followed { done }))
}

/// `POST /files/search/rebuild`
pub(crate) fn rebuild(caller: Caller) -> Result<Json<Followed>> {
    users::require("search:rebuild")?;
    let scope = Scope::of(&caller)?;
    sql::transaction(entry::forget_all)?;
    let done = catch_up(&scope, PAGES_OF_A_CALL)?;
    Ok(Json(Followed { done }))
}

/// Reads what is new, so many pages at most; answers whether that was all.
pub(crate) fn catch_up(scope: &Scope, pages: usize) -> Result<bool> {
    let mark: Mark = sql::query_optional(
        "SELECT updated_at, next_mark, resume FROM search.marks WHERE scope = $1",
        params![scope.mark()],
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
        let files = remote::changed(cursor.as_deref(), limit)?;
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
    let next = if done {
        Mark {
            updated_at: newest,
            next_mark: newest,
            resume: None,
        }
    } else {
        Mark {
            updated_at: mark.updated_at,
            next_mark: newest,
            resume: cursor,
        }
    };
    if let Scope::Owner(reader) = scope {
        take_shared(reader)?;
    }
    if (next.updated_at, &next.resume) != (mark.updated_at, &mark.resume) {
        sql::execute(
            "INSERT INTO search.marks (scope, updated_at, next_mark, resume) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (scope) DO UPDATE SET updated_at = excluded.updated_at, \
             next_mark = excluded.next_mark, resume = excluded.resume",
            params![scope.mark(), next.updated_at, next.next_mark, next.resume],
        )?;
    }
    Ok(done)
}

/// Notes what others share with a reader, and what no more.
fn take_shared(reader: &str) -> Result<()> {
    let shared = remote::shared(MANY)?;
    let known: i64 = sql::query_one(
        "SELECT count(*) FROM search.readers WHERE reader = $1",
        params![reader],
    )?;
    if shared.is_empty() && known == 0 {
        return Ok(());
    }
    let ids: Vec<String> = shared.iter().map(|file| file.id.clone()).collect();
    take(shared)?;
    let among = among(2);
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

/// The texts of the JSON list that is the parameter of this number.
fn among(place: usize) -> String {
    match sql::dialect() {
        sql::Dialect::Sqlite => format!("SELECT value FROM json_each(${place})"),
        sql::Dialect::Postgres => {
            format!("SELECT json_array_elements_text(CAST(${place} AS text)::json)")
        }
    }
}

/// Puts files into the index, without those that are there as they are.
fn take(files: Vec<File>) -> Result<()> {
    let ids: Vec<&str> = files.iter().map(|file| file.id.as_str()).collect();
    let among = among(1);
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
