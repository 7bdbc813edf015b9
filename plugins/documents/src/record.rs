//! A document's row, and how clients see it.

use crate::{follow, remote};
use atlashub_files_client::{File, Scope, file};
use atlashub_sdk::prelude::*;

/// Columns of [`Record`].
pub(crate) const COLUMNS: &str = "id, owner, filename, mime_type, size, version, tags, status, error_code, \
     error_detail, kind, title, language, encoding, pages, words, truncated, topics, created_at, updated_at, processed_at, retells";

/// How far a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Nobody has read it.
    Pending,
    /// It is being read.
    Processing,
    /// Its text is known.
    Ready,
    /// It cannot be read.
    Error,
}

/// A row of `documents.documents`. Times are milliseconds since 1970.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) filename: String,
    mime_type: String,
    size: u64,
    pub(crate) version: i64,
    pub(crate) tags: Vec<String>,
    pub(crate) status: Status,
    error_code: Option<String>,
    error_detail: Option<String>,
    kind: Option<String>,
    title: Option<String>,
    pub(crate) language: Option<String>,
    encoding: Option<String>,
    pages: Option<i64>,
    words: Option<i64>,
    truncated: i64,
    topics: Vec<serde_json::Value>,
    pub(crate) created_at: i64,
    updated_at: i64,
    processed_at: Option<i64>,
    /// How often it was told of again since this version came.
    pub(crate) retells: i64,
}

/// A document as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    id: String,
    filename: String,
    mime_type: String,
    size: u64,
    version: i64,
    owner_id: Option<String>,
    tags: Vec<String>,
    status: Status,
    error: Option<Problem>,
    kind: Option<String>,
    title: Option<String>,
    language: Option<String>,
    encoding: Option<String>,
    pages: Option<i64>,
    words: Option<i64>,
    truncated: bool,
    topics: Vec<serde_json::Value>,
    created_at: String,
    updated_at: String,
    processed_at: Option<String>,
}

/// Why a document cannot be read, or could not yet.
#[derive(Debug, Serialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Record {
    /// The document of that id, if `files` shows its file to the caller.
    ///
    /// # Errors
    /// 404 when it does not, or when it is no document.
    pub(crate) fn require(id: &str) -> Result<Self> {
        let file: File = file(id)?.ok_or_else(unknown)?;
        if !remote::is_document(&file) {
            return Err(unknown());
        }
        follow::note(&file)?;
        Self::find(id)?.ok_or_else(unknown)
    }

    /// The same, if it is the caller's own to change.
    pub(crate) fn require_own(id: &str, scope: &Scope) -> Result<Self> {
        let record = Self::require(id)?;
        match scope {
            Scope::Owner(owner) if *owner != record.owner => Err(unknown()),
            _ => Ok(record),
        }
    }

    /// The row of that id.
    pub(crate) fn find(id: &str) -> Result<Option<Self>> {
        sql::query_optional(
            &format!("SELECT {COLUMNS} FROM documents.documents WHERE id = $1"),
            params![id],
        )
    }

    pub(crate) fn shown(self) -> Document {
        let error = self.error_code.map(|code| Problem {
            code,
            detail: self.error_detail.unwrap_or_default(),
        });
        Document {
            id: self.id,
            filename: self.filename,
            mime_type: self.mime_type,
            size: self.size,
            version: self.version,
            owner_id: Some(self.owner).filter(|owner| !owner.is_empty()),
            tags: self.tags,
            status: self.status,
            error,
            kind: self.kind,
            title: self.title,
            language: self.language,
            encoding: self.encoding,
            pages: self.pages,
            words: self.words,
            truncated: self.truncated != 0,
            topics: self.topics,
            created_at: moment::rfc3339(self.created_at),
            updated_at: moment::rfc3339(self.updated_at),
            processed_at: self.processed_at.map(moment::rfc3339),
        }
    }
}

/// 404.
pub(crate) fn unknown() -> Error {
    Error::not_found("document")
}
