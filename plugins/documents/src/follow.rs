//! Keeping up with `files`: what was changed since, asked for as whoever
//! calls, newest first, down to where this was done before.

use crate::{
    access::Scope,
    remote::{self, File},
};
use atlashub_sdk::prelude::*;

/// Files asked for when there is probably nothing new, and otherwise.
const FEW: u32 = 10;
const MANY: u32 = 100;
/// Pages that one call reads.
const PAGES: usize = 5;

/// How far this plugin is, for those whose files a caller sees.
#[derive(Debug, Default, Deserialize)]
struct Mark {
    updated_at: i64,
    next_mark: i64,
    resume: Option<String>,
}

/// Reads what is new; answers whether that was all.
pub(crate) fn catch_up(scope: &Scope) -> Result<bool> {
    let mark: Mark = sql::query_optional(
        "SELECT updated_at, next_mark, resume FROM documents.marks WHERE scope = $1",
        params![scope.name()],
    )?
    .unwrap_or_default();
    let mut cursor = mark.resume.clone();
    let mut newest = mark.next_mark.max(mark.updated_at);
    let mut done = false;
    for page in 0..PAGES {
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
        new.iter()
            .filter(|file| file.is_document())
            .try_for_each(note)?;
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
            "INSERT INTO documents.marks (scope, updated_at, next_mark, resume) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (scope) DO UPDATE SET updated_at = excluded.updated_at, \
             next_mark = excluded.next_mark, resume = excluded.resume",
            params![scope.name(), updated_at, newest, resume],
        )?;
    }
    Ok(done)
}

/// Makes a file's row, or brings it up to date. Another version is to be read
/// again.
pub(crate) fn note(file: &File) -> Result<()> {
    let tags = sql::Value::json(&file.tags)?;
    let changed = sql::execute(
        "INSERT INTO documents.documents (id, owner, filename, mime_type, size, version, tags, status, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9) ON CONFLICT (id) DO UPDATE SET \
         owner = excluded.owner, filename = excluded.filename, mime_type = excluded.mime_type, \
         size = excluded.size, tags = excluded.tags, updated_at = excluded.updated_at, \
         status = CASE WHEN documents.version = excluded.version THEN documents.status ELSE 'pending' END, \
         error_code = CASE WHEN documents.version = excluded.version THEN documents.error_code END, \
         version = excluded.version \
         WHERE documents.updated_at < excluded.updated_at OR documents.version <> excluded.version",
        params![
            &file.id,
            file.owner_id.as_deref().unwrap_or_default(),
            &file.filename,
            &file.mime_type,
            file.size,
            file.version,
            tags,
            file.created_ms(),
            file.updated_ms().max(1)
        ],
    )?;
    if changed > 0 {
        learn_tags(file)?;
    }
    Ok(())
}

/// A file's tags, to learn from.
fn learn_tags(file: &File) -> Result<()> {
    sql::transaction(|transaction| {
        transaction.execute(
            "DELETE FROM documents.document_tags WHERE id = $1",
            params![&file.id],
        )?;
        file.tags.iter().try_for_each(|tag| {
            transaction.execute(
                "INSERT INTO documents.document_tags (id, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                params![&file.id, tag],
            )?;
            Ok(())
        })
    })
}

/// Forgets a document whose file is gone.
pub(crate) fn forget(id: &str) -> Result<()> {
    sql::execute("DELETE FROM documents.documents WHERE id = $1", params![id])?;
    Ok(())
}
