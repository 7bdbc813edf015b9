//! What the other plugins say, asked as the present caller.

use crate::record::unknown;
use atlashub_files_client::{self as files, File, Refusal};
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::time::Duration;

const EXTRACT: &str = "http://extract.internal/text";
const SEARCH: &str = "http://search.internal/index";
/// Largest document that is read, bytes: what `extract` takes.
pub(crate) const MAX_DOCUMENT: usize = 32 * 1024 * 1024;
/// The most that `extract` answers, bytes: its text, escaped.
const MAX_EXTRACT: usize = 16 * 1024 * 1024;
/// The most that a refusal may be, bytes.
const MAX_PROBLEM: usize = 64 * 1024;
/// How long reading a document may take.
const PATIENCE: Duration = Duration::from_secs(70);
/// How much of a text `search` gets, bytes.
const SEARCHED: usize = 256 * 1024;

/// Endings of the names of what can be read.
const ENDINGS: &[&str] = &[
    "txt", "text", "log", "md", "markdown", "html", "htm", "xhtml", "csv", "tsv", "pdf", "docx",
    "xlsx", "pptx", "epub",
];
/// Types of what can be read.
const TYPES: &[&str] = &[
    "application/pdf",
    "application/epub+zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
];

/// What `extract` found in a document.
#[derive(Debug, Deserialize)]
pub(crate) struct Extracted {
    pub(crate) kind: String,
    pub(crate) title: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) pages: Option<i64>,
    pub(crate) words: i64,
    pub(crate) truncated: bool,
    pub(crate) text: String,
}

/// How reading a document ended.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Its text is known.
    Done(Box<Extracted>),
    /// It cannot be read, and never will: a code and why.
    Impossible(String, String),
    /// It could not be read now.
    Later(Error),
}

/// Whether a file is of a kind that can be read, by what it is called and what
/// its bytes were taken for.
pub(crate) fn is_document(file: &File) -> bool {
    is_readable(&file.filename, &file.mime_type)
}

/// The same, of a name and a type.
pub(crate) fn is_readable(filename: &str, mime_type: &str) -> bool {
    let ending = filename.rsplit_once('.').map_or("", |(_, ending)| ending);
    let mime_type = mime_type.split(';').next().unwrap_or_default().trim();
    ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
        || TYPES.contains(&mime_type)
        || mime_type.starts_with("text/")
}

/// Reads a document.
pub(crate) fn extract(file: &str, name: &str) -> Result<Reading> {
    let answer = files::download(file, &Headers::new())?;
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    let bytes = match answer.body.bytes(MAX_DOCUMENT) {
        Ok(bytes) => bytes,
        Err(error) if error.code() == "body_too_large" => {
            return Ok(Reading::Impossible(
                "document_too_large".into(),
                format!("documents of up to {MAX_DOCUMENT} bytes are read"),
            ));
        }
        Err(error) => return Err(error),
    };
    let call = http::post(format!("{EXTRACT}?name={}", http::encoded(name)));
    let answer = match call.body(bytes).timeout(PATIENCE).send() {
        Ok(answer) => answer,
        Err(error) if error.code() == "upstream_timeout" => return Ok(gave_up()),
        // It broke while it read: because of the document, if it can read
        // another. Who had no place, or met it cut off, was not read at all.
        Err(error) if error.code() == "upstream_failed" && can_read() => return Ok(gave_up()),
        Err(error) => return Ok(Reading::Later(unavailable().with_cause(error))),
    };
    Ok(match answer.status {
        StatusCode::OK => {
            let bytes = answer.body.bytes(MAX_EXTRACT)?;
            Reading::Done(Box::new(serde_json::from_slice(&bytes)?))
        }
        // It broke its reader, or kept it too long.
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => gave_up(),
        status if status.is_client_error() && status != StatusCode::NOT_FOUND => {
            let refusal = problem(answer);
            let or_broken = |text: &str| match text {
                "" => "broken_document".to_owned(),
                text => text.to_owned(),
            };
            Reading::Impossible(or_broken(refusal.code()), or_broken(refusal.detail()))
        }
        _ => Reading::Later(unavailable()),
    })
}

/// Whether there is an `extract` that reads what does no harm.
pub(crate) fn can_read() -> bool {
    let sample = http::post(format!("{EXTRACT}?name=sample.txt")).body("words");
    sample.send().is_ok_and(|answer| answer.status.is_success())
}

/// Tells `search` what is written in a file, where there is such a plugin.
///
/// # Errors
/// When it is there, and did not take it.
pub(crate) fn index(id: &str, text: &str) -> Result<()> {
    let text = text
        .get(..text.floor_char_boundary(SEARCHED))
        .unwrap_or_default();
    let call = http::put(format!("{SEARCH}/{}/content", http::encoded(id)));
    let status = match call.json(&json!({ "text": text }))?.send() {
        Ok(answer) => answer.status,
        Err(error) if matches!(error.code(), "upstream_absent" | "upstream_denied") => {
            return Ok(());
        }
        Err(error) => return Err(search_failed().with_cause(error)),
    };
    // A file that is gone has no words.
    if status.is_success() || status == StatusCode::NOT_FOUND {
        return Ok(());
    }
    Err(search_failed().with_cause(format_args!("it answered {status}")))
}

fn search_failed() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "search_unavailable",
        "the plugin `search` did not take a text",
    )
}

fn problem(answer: http::Answer) -> Refusal {
    let status = answer.status;
    let body = answer.body.bytes(MAX_PROBLEM).unwrap_or_default();
    Refusal::new(status, &body)
}

/// What `files` refuses, about what is a document here.
fn refusal(answer: http::Answer) -> Error {
    match problem(answer) {
        refusal if refusal.status == StatusCode::NOT_FOUND => unknown(),
        refusal => refusal.into_error(),
    }
}

fn gave_up() -> Reading {
    Reading::Impossible(
        "broken_document".into(),
        "the document broke its reader, or kept it too long".into(),
    )
}

fn unavailable() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "extract_unavailable",
        "the plugin `extract` does not answer in this project",
    )
}
