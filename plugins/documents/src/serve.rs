//! Documents as clients see them.

use crate::{
    access, follow,
    record::{COLUMNS, Document, Record, Status, unknown},
    remote::is_document,
};
use atlashub_files_client::{self as files, File, Scope};
use atlashub_sdk::prelude::*;

/// Documents of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 50;

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    status: Option<Status>,
    /// A topic's name.
    topic: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Document>,
    next_cursor: Option<String>,
}

/// `GET /documents`, the newest first.
pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let scope = access::to_read(&caller)?;
    follow::catch_up(&scope)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let mut parameters = Vec::new();
    let mut conditions = access::condition(&scope, &mut parameters);
    if let Some(status) = wishes.status {
        let status = serde_json::to_value(status)?;
        parameters.push(status.as_str().unwrap_or_default().into());
        conditions.push_str(&format!(" AND status = ${}", parameters.len()));
    }
    if let Some(topic) = wishes.topic {
        let quoted = serde_json::to_string(&topic)?;
        let escaped = sql::escape_like(&quoted);
        parameters.push(format!("%\"name\":{escaped}%").into());
        conditions.push_str(&format!(
            " AND topics LIKE ${} ESCAPE '!'",
            parameters.len()
        ));
    }
    if let Some((created_at, id)) = wishes.cursor.as_deref().map(read_cursor).transpose()? {
        parameters.push(created_at.into());
        parameters.push(id.into());
        let place = parameters.len();
        conditions.push_str(&format!(
            " AND (created_at, id) < (${}, ${place})",
            place - 1
        ));
    }
    let mut records: Vec<Record> = sql::query(
        &format!(
            "SELECT {COLUMNS} FROM documents.documents WHERE {conditions} \
             ORDER BY created_at DESC, id DESC LIMIT {}",
            limit + 1
        ),
        parameters,
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = records.len() > wanted;
    records.truncate(wanted);
    let next_cursor = records
        .last()
        .filter(|_| more)
        .map(|record| format!("{}.{}", record.created_at, record.id));
    let mut items = Vec::new();
    for record in records {
        // What is not there any more for whoever sees everything is gone.
        match files::file::<File>(&record.id)? {
            Some(file) if is_document(&file) => items.push(record.shown()),
            None if scope == Scope::All => follow::forget(&record.id)?,
            _ => {}
        }
    }
    Ok(Json(Page { items, next_cursor }))
}

fn read_cursor(cursor: &str) -> Result<(i64, String)> {
    let read = || {
        let (created_at, id) = cursor.split_once('.')?;
        Some((created_at.parse().ok()?, id.to_owned()))
    };
    read().ok_or_else(|| Error::bad_request("invalid_cursor", "`cursor` is what `next_cursor` was"))
}

#[derive(Debug, Deserialize)]
pub(crate) struct SharedWishes {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// `GET /documents/shared-with-me`
pub(crate) fn shared_with_me(
    Query(wishes): Query<SharedWishes>,
    caller: Caller,
) -> Result<Json<Page>> {
    access::to_read(&caller)?;
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let page = files::shared_inside(wishes.cursor.as_deref(), limit)?;
    let mut items = Vec::new();
    follow::take(&page.items)?;
    for file in page.items.iter().filter(|file| is_document(file)) {
        items.extend(Record::find(&file.id)?.map(Record::shown));
    }
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// `GET /documents/{id}`
pub(crate) fn document(Path(id): Path<String>) -> Result<Json<Document>> {
    Ok(Json(Record::require(&id)?.shown()))
}

/// What is written in a document.
#[derive(Debug, Serialize)]
pub(crate) struct Text {
    id: String,
    version: i64,
    status: Status,
    language: Option<String>,
    /// None while nobody has read it.
    text: Option<String>,
}

/// `GET /documents/{id}/text`: 202 while nobody has read it.
pub(crate) fn text(Path(id): Path<String>) -> Result<(StatusCode, Json<Text>)> {
    let record = Record::require(&id)?;
    let (status, text) = match record.status {
        Status::Ready => {
            let text: String = sql::query_optional(
                "SELECT text FROM documents.texts WHERE id = $1",
                params![&id],
            )?
            .ok_or_else(unknown)?;
            (StatusCode::OK, Some(text))
        }
        Status::Pending | Status::Processing => (StatusCode::ACCEPTED, None),
        Status::Error => {
            return Err(Error::conflict(
                "document_unreadable",
                "the document cannot be read",
            ));
        }
    };
    let text = Text {
        id,
        version: record.version,
        status: record.status,
        language: record.language,
        text,
    };
    Ok((status, Json(text)))
}

/// `GET /documents/{id}/download`: the file, as `files` serves it.
pub(crate) fn download(Path(id): Path<String>, headers: Headers) -> Result<Response> {
    Record::require(&id)?;
    Ok(files::download(&id, &headers)?.pass_on())
}
