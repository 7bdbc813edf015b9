//! What the other plugins say, asked as the present caller.

use atlashub_sdk::prelude::*;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::time::Duration;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const FILES: &str = "http://files.internal/files";
const EXTRACT: &str = "http://extract.internal/text";
const SEARCH: &str = "http://search.internal/index";
/// The most that an answer about files may be, bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Largest document that is read, bytes: what `extract` takes.
pub(crate) const MAX_DOCUMENT: usize = 32 * 1024 * 1024;
/// The most that `extract` answers, bytes: its text, escaped.
const MAX_EXTRACT: usize = 16 * 1024 * 1024;
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

/// What is needed of a file's metadata.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) filename: String,
    #[serde(default)]
    pub(crate) owner_id: Option<String>,
    pub(crate) size: u64,
    pub(crate) version: u64,
    pub(crate) mime_type: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    created_at: String,
    updated_at: String,
}

/// A page of files.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) items: Vec<File>,
    pub(crate) next_cursor: Option<String>,
}

/// What `extract` found in a document.
#[derive(Debug, Deserialize)]
pub(crate) struct Extracted {
    pub(crate) kind: String,
    pub(crate) title: Option<String>,
    pub(crate) language: Option<String>,
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

impl File {
    /// Whether it is of a kind that can be read, by what it is called and
    /// what its bytes were taken for.
    pub(crate) fn is_document(&self) -> bool {
        let ending = self
            .filename
            .rsplit_once('.')
            .map_or("", |(_, ending)| ending);
        let mime_type = self.mime_type.split(';').next().unwrap_or_default().trim();
        ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
            || TYPES.contains(&mime_type)
            || mime_type.starts_with("text/")
    }

    /// Milliseconds since 1970.
    pub(crate) fn created_ms(&self) -> i64 {
        milliseconds(&self.created_at)
    }

    /// Milliseconds since 1970.
    pub(crate) fn updated_ms(&self) -> i64 {
        milliseconds(&self.updated_at)
    }
}

fn milliseconds(time: &str) -> i64 {
    let time = OffsetDateTime::parse(time, &Rfc3339);
    time.map_or(0, |time| {
        i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
    })
}

/// Files, what was changed last first.
pub(crate) fn changed(cursor: Option<&str>, limit: u32) -> Result<Page> {
    let mut url = format!("{FILES}?readable=true&sort=-updated_at&limit={limit}");
    if let Some(cursor) = cursor {
        url.push_str("&cursor=");
        url.push_str(&segment(cursor));
    }
    let answer = http::get(url).send().map_err(absent)?;
    Ok(serde_json::from_value(read(answer)?)?)
}

/// A file's metadata, if the caller may see it.
pub(crate) fn file(id: &str) -> Result<Option<File>> {
    let answer = http::get(address(id)).send().map_err(absent)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    Ok(Some(serde_json::from_value(read(answer)?)?))
}

/// Files that others share with the caller; none where nothing is shared.
pub(crate) fn shared(limit: u32, cursor: Option<&str>) -> Result<Page> {
    let mut query = format!("limit={limit}");
    if let Some(cursor) = cursor {
        query.push_str("&cursor=");
        query.push_str(&segment(cursor));
    }
    let answer = http::get(format!("{FILES}/shared-with-me?{query}"))
        .send()
        .map_err(absent)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Page {
            items: Vec::new(),
            next_cursor: None,
        });
    }
    Ok(serde_json::from_value(read(answer)?)?)
}

/// A file's bytes as `files` serves them, asked for with these header fields.
pub(crate) fn download(id: &str, headers: &Headers) -> Result<http::Answer> {
    let mut call = http::get(format!("{}/download", address(id)));
    for name in ["range", "if-range", "if-none-match", "if-modified-since"] {
        if let Some(value) = headers.get_bytes(name) {
            call = call.header(name, value);
        }
    }
    call.send().map_err(absent)
}

/// Reads a document.
pub(crate) fn extract(file: &str, name: &str) -> Result<Reading> {
    let answer = download(file, &Headers::new())?;
    if !answer.status.is_success() {
        return read(answer).map(|_| Reading::Later(unavailable()));
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
    let call = http::post(format!("{EXTRACT}?name={}", segment(name)));
    let answer = match call.body(bytes).timeout(PATIENCE).send() {
        Ok(answer) => answer,
        Err(error) if error.code() == "upstream_timeout" => return Ok(gave_up()),
        // It went away while it read: because of the document, if it can read
        // another.
        Err(_) if can_read() => return Ok(gave_up()),
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
            let problem = problem(answer);
            let text = |name: &str| {
                let value = problem.get(name).and_then(Value::as_str);
                value.unwrap_or("broken_document").to_owned()
            };
            Reading::Impossible(text("code"), text("detail"))
        }
        _ => Reading::Later(unavailable()),
    })
}

/// Whether there is an `extract` that reads what does no harm.
fn can_read() -> bool {
    let sample = http::post(format!("{EXTRACT}?name=sample.txt")).body("words");
    sample.send().is_ok_and(|answer| answer.status.is_success())
}

/// Tells `search` what is written in a file, where there is such a plugin.
pub(crate) fn index(id: &str, text: &str) {
    let text = text
        .get(..text.floor_char_boundary(SEARCHED))
        .unwrap_or_default();
    let sent = http::put(format!("{SEARCH}/{}/content", segment(id)))
        .json(&json!({ "text": text }))
        .and_then(http::Call::send);
    match sent {
        Ok(answer) if answer.status.is_success() => {}
        Ok(answer) => log::info!("search did not take the text of {id}: {}", answer.status),
        Err(error) => log::debug!("search did not take the text of {id}: {error}"),
    }
}

fn address(id: &str) -> String {
    format!("{FILES}/{}", segment(id))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn problem(answer: http::Answer) -> Value {
    let bytes = answer.body.bytes(MAX_ANSWER).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The answer, or the refusal as `files` put it.
fn read(answer: http::Answer) -> Result<Value> {
    let status = answer.status;
    if status.is_success() {
        let bytes = answer.body.bytes(MAX_ANSWER)?;
        return Ok(serde_json::from_slice(&bytes)?);
    }
    let problem = problem(answer);
    let detail = problem
        .get("detail")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let error = match status {
        StatusCode::UNAUTHORIZED => Error::unauthenticated(detail),
        StatusCode::FORBIDDEN => Error::new(status, "permission_needed", detail),
        StatusCode::NOT_FOUND => Error::not_found("document"),
        StatusCode::CONFLICT => Error::conflict("file_conflict", detail),
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(status, "quota_exceeded", detail),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Error::new(status, "unsupported_type", detail),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            Error::new(status, "invalid_file", detail)
        }
        _ => Error::new(
            StatusCode::BAD_GATEWAY,
            "upstream_failed",
            "the files cannot be asked",
        )
        .with_cause(format_args!("it answered {status}")),
    };
    let limits = ["limit_bytes", "used_bytes", "requested_bytes"];
    Err(limits
        .iter()
        .fold(error, |error, name| match problem.get(name) {
            Some(value) => error.with_field(name, value.clone()),
            None => error,
        }))
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

fn absent(error: Error) -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "files_unavailable",
        "the plugin `files` does not answer in this project",
    )
    .with_cause(error)
}
