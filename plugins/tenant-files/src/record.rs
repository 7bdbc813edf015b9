//! A file as this dialect shows it.

use atlashub_files_client::{File, Page};
use atlashub_sdk::prelude::*;

/// A file's metadata.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    id: String,
    name: String,
    path: String,
    size: u64,
    content_type: String,
    sha256: String,
    etag: String,
    version: u64,
    owner_id: Option<String>,
    created_at: String,
    updated_at: String,
    download_url: String,
}

impl From<File> for Record {
    fn from(file: File) -> Self {
        Self {
            download_url: format!("{}/Download", address(&file.id)),
            id: file.id,
            name: file.filename,
            path: file.path,
            size: file.size,
            content_type: file.mime_type,
            sha256: file.sha256,
            etag: file.etag,
            version: file.version,
            owner_id: file.owner_id,
            created_at: file.created_at,
            updated_at: file.updated_at,
        }
    }
}

/// Where clients find a file.
pub(crate) fn address(id: &str) -> String {
    let base = identity::public_url();
    format!("{base}/api/v1/files/{}", id)
}

/// Some of a list, as all lists of a project are.
#[derive(Debug, Serialize)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page with its items as this dialect has them.
    pub(crate) fn of<U: Into<T>>(page: Page<U>) -> Self {
        Self {
            items: page.items.into_iter().map(Into::into).collect(),
            next_cursor: page.next_cursor,
        }
    }
}
