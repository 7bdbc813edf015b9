//! `POST /documents/upload-url` and `POST /documents/{id}/confirm`: uploads by
//! a signed link of `files`, of what can be read alone.

use crate::{
    access, follow,
    record::{Document, Record, unknown},
    remote,
};
use atlashub_files_client::{self as files, BASE, File, address};
use atlashub_sdk::prelude::*;
use serde_json::Value;

/// What is to be sent, as `files` takes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announced {
    filename: String,
    size: u64,
    content_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_id: Option<String>,
}

/// Answers `{upload_url,object_key,file_id,expires_in}`.
pub(crate) fn announce(caller: Caller, Json(announced): Json<Announced>) -> Result<Json<Value>> {
    access::to_write(&caller)?;
    if !remote::is_readable(&announced.filename, &announced.content_type) {
        return Err(unsupported());
    }
    let call = http::post(format!("{BASE}/files/upload-url")).json(&announced)?;
    files::ask(call).map(Json)
}

/// Makes the file, whose document is read as any other. Asked again, it
/// answers the same.
pub(crate) fn confirm(Path(id): Path<String>) -> Result<Json<Document>> {
    let call = http::post(format!("{}/confirm", address(&id)));
    let file: File = files::ask_optional(call)?.ok_or_else(unknown)?;
    if !remote::is_document(&file) {
        return Err(unsupported());
    }
    follow::note(&file)?;
    let record = Record::find(&file.id)?.ok_or_else(unknown)?;
    Ok(Json(record.shown()))
}

/// 415.
fn unsupported() -> Error {
    Error::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_document",
        "documents are txt, md, html, csv, pdf, docx, xlsx, pptx and epub; `/files` takes all others",
    )
}
