//! What `files` and `documents` do and say, asked as the present caller.

use atlashub_files_client::{File, address, ask, file};
use atlashub_sdk::prelude::*;
use serde_json::json;

const DOCUMENTS: &str = "http://documents.internal/documents";
/// Longest text that is taken of a document, bytes, as JSON.
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// A file that the caller must be able to see.
pub(crate) fn require_file(id: &str) -> Result<File> {
    file(id)?.ok_or_else(|| Error::not_found("file"))
}

/// Changes a file's tags.
pub(crate) fn set_tags(id: &str, tags: &[String]) -> Result<File> {
    ask(http::call(Method::PATCH, address(id)).json(&json!({ "tags": tags }))?)
}

/// What is written in this version of a file, as far as that is known; none
/// where there is no plugin that reads documents.
pub(crate) fn text(file: &File) -> Option<String> {
    #[derive(Deserialize)]
    struct Text {
        version: u64,
        text: String,
    }
    let answer = http::get(format!("{DOCUMENTS}/{}/text", http::encoded(&file.id))).send();
    let answer = answer
        .ok()
        .filter(|answer| answer.status == StatusCode::OK)?;
    let bytes = answer.body.bytes(MAX_TEXT).ok()?;
    let read: Text = serde_json::from_slice(&bytes).ok()?;
    (read.version == file.version).then_some(read.text)
}
