//! A file in the index: its row, its tags, its words.

use crate::{remote, spelling, words};
use atlashub_files_client::{File, file};
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// How much of a file's text is searched, bytes. Postgres keeps at most a
/// megabyte of words in one place.
const MAX_CONTENT: usize = 256 * 1024;
/// The plugin that brings texts.
const READER: &str = "documents";

/// What another plugin found in a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Content {
    text: String,
}

/// `PUT /index/{id}/content`, which only `documents` calls.
pub(crate) fn put_content(
    Path(id): Path<String>,
    caller: Caller,
    Json(content): Json<Content>,
) -> Result<StatusCode> {
    if caller.via_plugin.as_deref() != Some(READER) {
        return Err(Error::not_found("the route"));
    }
    let file = remote::require_file(&id)?;
    sql::transaction(|transaction| put(transaction, &file, Some(&content.text)))?;
    forget_if_gone(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a file out again that went while it was put in: whoever was told of
/// that may have found nothing yet to take out.
pub(crate) fn forget_if_gone(id: &str) -> Result<()> {
    let there: Option<File> = file(id)?;
    match there.filter(|file| file.deleted_at.is_none()) {
        Some(_) => Ok(()),
        None => forget(id),
    }
}

/// Brings a file's row and words up to date; `content` of none leaves what is
/// known of its text, an empty one clears it.
pub(crate) fn put(
    transaction: &sql::Transaction,
    file: &File,
    content: Option<&str>,
) -> Result<()> {
    let numbers: Vec<i64> = transaction.query(
        "INSERT INTO search.entries (file_id, owner, visibility, filename, mime_type, created_at, updated_at, folder_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (file_id) DO UPDATE SET owner = excluded.owner, \
         visibility = excluded.visibility, filename = excluded.filename, mime_type = excluded.mime_type, \
         updated_at = excluded.updated_at, \
         folder_id = excluded.folder_id WHERE entries.updated_at <= excluded.updated_at RETURNING number",
        params![
            &file.id,
            file.owner_id.as_deref().unwrap_or_default(),
            &file.visibility,
            &file.filename,
            &file.mime_type,
            file.created_ms(),
            file.updated_ms(),
            file.folder_id.as_deref()
        ],
    )?;
    // Somebody else knew of a later change.
    let Some(number) = numbers.first().copied() else {
        return Ok(());
    };
    put_tags(transaction, number, &file.tags)?;
    if content == Some("") {
        transaction.execute(
            "DELETE FROM search.texts WHERE number = $1",
            params![number],
        )?;
    } else if let Some(content) = content {
        let kept = content.get(..content.floor_char_boundary(MAX_CONTENT));
        transaction.execute(
            "INSERT INTO search.texts (number, content) VALUES ($1, $2) \
             ON CONFLICT (number) DO UPDATE SET content = excluded.content",
            params![number, kept.unwrap_or_default()],
        )?;
    }
    let known: Option<String> = transaction.query_optional(
        "SELECT content FROM search.texts WHERE number = $1",
        params![number],
    )?;
    put_words(transaction, number, file, &known.unwrap_or_default())
}

fn put_words(
    transaction: &sql::Transaction,
    number: i64,
    file: &File,
    content: &str,
) -> Result<()> {
    let name = words::folded(&file.filename);
    let tags = words::folded(&file.tags.join(" "));
    let mut content = words::folded(content);
    // Taking letters apart can make a text longer.
    content.truncate(content.floor_char_boundary(MAX_CONTENT));
    for text in [&name, &tags, &content] {
        spelling::learn(transaction, text)?;
    }
    let statement = match sql::dialect() {
        sql::Dialect::Sqlite => {
            "INSERT OR REPLACE INTO search.words (rowid, name, tags, content) VALUES ($1, $2, $3, $4)"
        }
        sql::Dialect::Postgres => {
            "INSERT INTO search.words (number, words) VALUES ($1, \
             setweight(to_tsvector('simple', CAST($2 AS text)), 'A') || \
             setweight(to_tsvector('simple', CAST($3 AS text)), 'B') || \
             setweight(to_tsvector('simple', CAST($4 AS text)), 'D')) \
             ON CONFLICT (number) DO UPDATE SET words = excluded.words"
        }
    };
    transaction.execute(statement, params![number, name, tags, content])?;
    Ok(())
}

fn put_tags(transaction: &sql::Transaction, number: i64, tags: &[String]) -> Result<()> {
    transaction.execute(
        "DELETE FROM search.entry_tags WHERE number = $1",
        params![number],
    )?;
    for tag in tags {
        let ids: Vec<String> = transaction.query(
            "INSERT INTO search.tags (id, name) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
            params![Uuid::now_v7().to_string(), tag],
        )?;
        for id in ids {
            transaction.execute(
                "INSERT INTO search.entry_tags (number, tag_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                params![number, id],
            )?;
        }
    }
    Ok(())
}

/// Takes a file out of the index.
pub(crate) fn forget(file_id: &str) -> Result<()> {
    sql::transaction(|transaction| {
        let number: Option<i64> = transaction.query_optional(
            "DELETE FROM search.entries WHERE file_id = $1 RETURNING number",
            params![file_id],
        )?;
        if let (Some(number), sql::Dialect::Sqlite) = (number, sql::dialect()) {
            transaction.execute("DELETE FROM search.words WHERE rowid = $1", params![number])?;
        }
        Ok(())
    })
}

/// Empties the index.
pub(crate) fn forget_all(transaction: &sql::Transaction) -> Result<()> {
    if sql::dialect() == sql::Dialect::Sqlite {
        transaction.execute(
            "INSERT INTO search.words (words) VALUES ('delete-all')",
            params![],
        )?;
    }
    for table in ["entries", "grams", "terms", "marks"] {
        transaction.execute(&format!("DELETE FROM search.{table}"), params![])?;
    }
    Ok(())
}
