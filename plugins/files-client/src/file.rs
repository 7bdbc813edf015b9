//! A file's metadata.

use crate::{BASE, address, ask, ask_optional, from_cursor};
use atlashub_sdk::prelude::*;
use serde::de::DeserializeOwned;

/// What `files` says of a file.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    /// A UUID.
    pub id: String,
    /// The name, without folders.
    pub filename: String,
    /// The name with its folders.
    #[serde(default)]
    pub path: String,
    /// The folder in which it lies; none at the top.
    #[serde(default)]
    pub folder_id: Option<String>,
    /// A user, or none for what a server stored.
    #[serde(default)]
    pub owner_id: Option<String>,
    /// `private` or `public`.
    #[serde(default)]
    pub visibility: String,
    /// What somebody wrote about it.
    #[serde(default)]
    pub description: Option<String>,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// From 1 on.
    #[serde(default)]
    pub version: u64,
    /// What the bytes were taken for.
    pub mime_type: String,
    /// The entity tag, in its quotes.
    #[serde(default)]
    pub etag: String,
    /// Of the bytes, in hexadecimal digits.
    #[serde(default)]
    pub sha256: String,
    /// Lower-case.
    #[serde(default)]
    pub tags: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// RFC 3339, for what is in the trash.
    #[serde(default)]
    pub deleted_at: Option<String>,
}

impl File {
    /// Milliseconds since 1970; 0 when it is not known.
    #[must_use]
    pub fn created_ms(&self) -> i64 {
        moment::parse(&self.created_at).unwrap_or_default()
    }

    /// Milliseconds since 1970; 0 when it is not known.
    #[must_use]
    pub fn updated_ms(&self) -> i64 {
        moment::parse(&self.updated_at).unwrap_or_default()
    }
}

/// Some of a list, and where the rest begins.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<T> {
    /// In the order that was asked for.
    pub items: Vec<T>,
    /// None at the end.
    pub next_cursor: Option<String>,
}

/// A file's metadata, as much of it as `T` wants; none for what is not there,
/// or not the caller's to know of.
///
/// # Errors
/// Those of [`ask`].
pub fn file<T: DeserializeOwned>(id: &str) -> Result<Option<T>> {
    ask_optional(http::get(address(id)))
}

/// Those of the files that the caller may know of, as much of their metadata as
/// `T` wants, in the order of the ids. At most 100 are asked for at once.
///
/// # Errors
/// Those of [`ask`].
pub fn lookup<T: DeserializeOwned>(ids: &[&str]) -> Result<Vec<T>> {
    #[derive(Deserialize)]
    struct Known<T> {
        items: Vec<T>,
    }
    let call =
        http::post(format!("{BASE}/files/lookup")).json(&serde_json::json!({ "ids": ids }))?;
    Ok(ask::<Known<T>>(call)?.items)
}

/// Files that the caller may read, what was changed last first.
///
/// # Errors
/// Those of [`ask`].
pub fn changed(cursor: Option<&str>, limit: u32) -> Result<Page<File>> {
    let url = format!("{BASE}/files?readable=true&sort=-updated_at&limit={limit}");
    ask(http::get(from_cursor(&url, cursor)))
}

/// Files that others share with the caller, the latest first; none where files
/// are not shared.
///
/// # Errors
/// Those of [`ask`].
pub fn shared(cursor: Option<&str>, limit: u32) -> Result<Page<File>> {
    shared_at(&format!("limit={limit}"), cursor)
}

/// Files that others let the caller read, those in shared folders among them,
/// the newest first; none where files are not shared.
///
/// # Errors
/// Those of [`ask`].
pub fn shared_inside(cursor: Option<&str>, limit: u32) -> Result<Page<File>> {
    shared_at(&format!("inside=true&limit={limit}"), cursor)
}

fn shared_at(query: &str, cursor: Option<&str>) -> Result<Page<File>> {
    let url = format!("{BASE}/files/shared-with-me?{query}");
    let page = ask_optional(http::get(from_cursor(&url, cursor)))?;
    Ok(page.unwrap_or(Page {
        items: Vec::new(),
        next_cursor: None,
    }))
}
