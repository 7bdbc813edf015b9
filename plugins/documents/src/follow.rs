//! Keeping up with `files`: documents among what was changed since.

use crate::{remote::is_document, waiting};
use atlashub_files_client::{self as files, File, Scope};
use atlashub_sdk::prelude::*;

/// Pages that one call reads.
const PAGES: usize = 5;

/// Reads what is new; answers whether that was all.
pub(crate) fn catch_up(scope: &Scope) -> Result<bool> {
    waiting::of_caller(scope);
    files::catch_up("documents.marks", scope, PAGES, |files| take(&files))
}

/// Notes the documents among files. Those of which no event told are read as
/// if one had: they are told of again.
pub(crate) fn take(files: &[File]) -> Result<()> {
    let documents: Vec<&File> = files.iter().filter(|file| is_document(file)).collect();
    let ids: Vec<&str> = documents.iter().map(|file| file.id.as_str()).collect();
    let among = sql::texts_in(1);
    let known: Vec<(String, u64)> = sql::query(
        &format!("SELECT id, version FROM documents.documents WHERE id IN ({among})"),
        params![sql::Value::json(&ids)?],
    )?;
    let is_known = |file: &File| {
        let mut known = known.iter();
        known.any(|(id, version)| *id == file.id && *version == file.version)
    };
    let new = documents.iter().filter(|file| !is_known(file));
    let new: Vec<String> = new.map(|file| file.id.clone()).collect();
    // Before they are noted: what fails is found again.
    files::retell(&new)?;
    documents.into_iter().try_for_each(note)
}

/// Makes a file's row, or brings it up to date. Another version is to be read
/// again.
pub(crate) fn note(file: &File) -> Result<()> {
    let tags = sql::Value::json(&file.tags)?;
    let changed = sql::execute(
        "INSERT INTO documents.documents (id, owner, filename, mime_type, size, version, tags, status, created_at, updated_at, retold_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10) ON CONFLICT (id) DO UPDATE SET \
         owner = excluded.owner, filename = excluded.filename, mime_type = excluded.mime_type, \
         size = excluded.size, tags = excluded.tags, updated_at = excluded.updated_at, \
         status = CASE WHEN documents.version = excluded.version THEN documents.status ELSE 'pending' END, \
         error_code = CASE WHEN documents.version = excluded.version THEN documents.error_code END, \
         retold_at = CASE WHEN documents.version = excluded.version THEN documents.retold_at ELSE excluded.retold_at END, \
         retells = CASE WHEN documents.version = excluded.version THEN documents.retells ELSE 0 END, \
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
            file.updated_ms().max(1),
            moment::now_ms()
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
