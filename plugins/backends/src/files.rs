//! The plugin `files`, asked as the present caller. Bytes go from it and to it
//! as they come, and never enter this plugin.

use crate::{
    fault,
    path::{RemotePath, encoded},
};
use atlashub_sdk::{
    http::{Answer, Call},
    prelude::*,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ops::Range;

const FILES: &str = "http://files.internal/files";

/// Codes of `files` that its clients know.
const CODES: [&str; 14] = [
    "file_too_large",
    "folder_missing",
    "folder_too_deep",
    "forbidden",
    "invalid_path",
    "not_found",
    "object_too_large",
    "path_taken",
    "permission_needed",
    "precondition_failed",
    "quota_exceeded",
    "type_refused",
    "upload_interrupted",
    "unauthenticated",
];

/// What is needed of a file's metadata.
#[derive(Debug, Deserialize)]
struct File {
    id: String,
    filename: String,
    size: u64,
    mime_type: String,
    etag: String,
}

/// A file that came into `files`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Imported {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) size: u64,
}

/// A file of `files` that is to be stored elsewhere, in the version that it
/// had when this was made.
#[derive(Debug)]
pub(crate) struct Contents {
    file: File,
}

impl Contents {
    /// The file of that id, if the caller may read it.
    pub(crate) fn of(id: &str) -> Result<Self> {
        let url = format!("{FILES}/{}", encoded(id));
        let answer = http::get(url).send().map_err(absent)?;
        Ok(Self {
            file: read(answer)?,
        })
    }

    pub(crate) fn filename(&self) -> &str {
        &self.file.filename
    }

    pub(crate) fn size(&self) -> u64 {
        self.file.size
    }

    pub(crate) fn mime_type(&self) -> &str {
        &self.file.mime_type
    }

    /// Sends all bytes as the body of a call to a service.
    pub(crate) fn send_whole(&self, call: Call) -> Result<Answer> {
        let body = self.open(None)?;
        call.header("content-length", self.size().to_string())
            .header("content-type", self.mime_type())
            .stream(body)
            .send()
            .map_err(fault::unanswered)
    }

    /// Sends some of the bytes as the body of a call to a service.
    pub(crate) fn send_part(&self, call: Call, part: &Range<u64>) -> Result<Answer> {
        let length = part.end.saturating_sub(part.start);
        let body = match length {
            0 => Body::empty(),
            _ => self.open(Some(part))?,
        };
        call.header("content-length", length.to_string())
            .stream(body)
            .send()
            .map_err(fault::unanswered)
    }

    fn open(&self, part: Option<&Range<u64>>) -> Result<Body> {
        let url = format!("{FILES}/{}/download", encoded(&self.file.id));
        let mut call = http::get(url).header("if-match", self.file.etag.as_str());
        let mut wanted = StatusCode::OK;
        if let Some(part) = part {
            let last = part.end.saturating_sub(1);
            call = call.header("range", format!("bytes={}-{last}", part.start));
            wanted = StatusCode::PARTIAL_CONTENT;
        }
        let answer = call.send().map_err(absent)?;
        if answer.status == wanted {
            return Ok(answer.body);
        }
        Err(refusal(answer))
    }
}

/// Refuses a folder that is not the caller's to put something into.
pub(crate) fn require_folder(id: &str) -> Result<()> {
    let url = format!("http://files.internal/folders/{}", encoded(id));
    read::<Value>(http::get(url).send().map_err(absent)?).map(drop)
}

/// Stores what a service answered as the file at a path, below a folder if one
/// is named. A file that is there gets a new version.
pub(crate) fn import(path: &RemotePath, folder: Option<&str>, answer: Answer) -> Result<Imported> {
    let mut call = http::post(format!("{FILES}/upload")).header("file-path", path.encoded());
    if let Some(folder) = folder {
        call = call.header("folder-id", encoded(folder));
    }
    for name in ["content-length", "content-type"] {
        if let Some(value) = answer.headers.get(name) {
            call = call.header(name, value);
        }
    }
    read(call.stream(answer.body).send().map_err(absent)?)
}

fn read<T: DeserializeOwned>(answer: Answer) -> Result<T> {
    if answer.status.is_success() {
        return answer.json();
    }
    Err(refusal(answer))
}

/// The refusal as `files` put it.
fn refusal(answer: Answer) -> Error {
    let status = answer.status;
    let problem: Value = answer.json().unwrap_or_default();
    let text = |name: &str| {
        problem
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
        return absent(Error::internal(format_args!("it answered {status}")));
    }
    let code = CODES.into_iter().find(|code| *code == text("code"));
    Error::new(status, code.unwrap_or("files_refused"), text("detail"))
}

/// Where there is no plugin `files`, or it does not answer.
fn absent(error: Error) -> Error {
    if error.code() == "upload_interrupted" {
        return Error::new(
            StatusCode::BAD_GATEWAY,
            "backend_failed",
            "the service broke off in the middle of the file",
        )
        .with_cause(error);
    }
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "files_unavailable",
        "this needs the plugin `files`, which does not answer in this project",
    )
    .with_header("retry-after", "5")
    .with_cause(error)
}
