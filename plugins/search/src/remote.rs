//! What `files` and `documents` say, asked as the present caller.

use atlashub_sdk::prelude::*;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const FILES: &str = "http://files.internal/files";
const DOCUMENTS: &str = "http://documents.internal/documents";
/// The most that an answer may be, bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// What the index needs of a file's metadata.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) filename: String,
    #[serde(default)]
    pub(crate) owner_id: Option<String>,
    pub(crate) visibility: String,
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

impl File {
    /// Milliseconds since 1970.
    pub(crate) fn created_ms(&self) -> i64 {
        milliseconds(&self.created_at)
    }

    /// Milliseconds since 1970.
    pub(crate) fn updated_ms(&self) -> i64 {
        milliseconds(&self.updated_at)
    }
}

/// Milliseconds since 1970 of a time in RFC 3339; 0 for what is none.
pub(crate) fn milliseconds(time: &str) -> i64 {
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
    read(http::get(url).send().map_err(absent)?)
}

/// Files that others share with the caller, the latest first; none where
/// files are not shared.
pub(crate) fn shared(limit: u32) -> Result<Vec<File>> {
    let answer = http::get(format!("{FILES}/shared-with-me?limit={limit}"));
    let answer = answer.send().map_err(absent)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(Vec::new());
    }
    read::<Page>(answer).map(|page| page.items)
}

/// A file's metadata, if the caller may see it.
pub(crate) fn file(id: &str) -> Result<Option<Value>> {
    let answer = http::get(address(id)).send().map_err(absent)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    read(answer).map(Some)
}

/// A file that the caller must be able to see.
pub(crate) fn require_file(id: &str) -> Result<File> {
    let value = file(id)?.ok_or_else(|| Error::not_found("file"))?;
    Ok(serde_json::from_value(value)?)
}

/// Changes a file's tags.
pub(crate) fn set_tags(id: &str, tags: &[String]) -> Result<File> {
    let change =
        http::call(Method::PATCH, address(id)).json(&serde_json::json!({ "tags": tags }))?;
    read(change.send().map_err(absent)?)
}

/// What is written in a file, as far as that is known; none where there is no
/// plugin that reads documents.
pub(crate) fn text(id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Text {
        text: String,
    }
    let answer = http::get(format!("{DOCUMENTS}/{}/text", segment(id))).send();
    let answer = answer.ok().filter(|answer| answer.status.is_success())?;
    read::<Text>(answer).ok().map(|read| read.text)
}

fn address(id: &str) -> String {
    format!("{FILES}/{}", segment(id))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The answer, or the refusal as `files` put it.
fn read<T: serde::de::DeserializeOwned>(answer: http::Answer) -> Result<T> {
    let status = answer.status;
    let bytes = answer.body.bytes(MAX_ANSWER)?;
    if status.is_success() {
        return Ok(serde_json::from_slice(&bytes)?);
    }
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let detail = problem
        .get("detail")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Err(match status {
        StatusCode::UNAUTHORIZED => Error::unauthenticated(detail),
        StatusCode::FORBIDDEN => Error::new(status, "permission_needed", detail),
        StatusCode::NOT_FOUND => Error::not_found("file"),
        StatusCode::UNPROCESSABLE_ENTITY => Error::invalid("invalid_tag", detail),
        StatusCode::BAD_REQUEST => Error::bad_request("invalid_query", detail),
        _ => Error::new(
            StatusCode::BAD_GATEWAY,
            "upstream_failed",
            "the files cannot be asked",
        )
        .with_cause(format_args!("it answered {status}")),
    })
}

fn absent(error: Error) -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "files_unavailable",
        "the plugin `files` does not answer in this project",
    )
    .with_cause(error)
}
