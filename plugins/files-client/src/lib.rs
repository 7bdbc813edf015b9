//! What plugins share that ask `files`: calls as the present caller, their
//! refusals, a file's metadata, whose files a caller works with, and keeping
//! up with what was changed.
//!
//! It decides nothing about files: `files` has the last word on each, with
//! every call. What a plugin makes of a refusal beyond [`Refusal::into_error`],
//! such as the words of an older dialect, is its own.

mod file;
mod follow;
mod refusal;
mod retell;
mod scope;

pub use file::{File, Page, changed, file, lookup, shared, shared_inside};
pub use follow::catch_up;
pub use refusal::Refusal;
pub use retell::{Readable, readable, retell, retell_all};
pub use scope::Scope;

use atlashub_sdk::{
    http::{Answer, Call, encoded},
    prelude::*,
};
use serde::de::DeserializeOwned;

/// Where `files` answers.
pub const BASE: &str = "http://files.internal";
/// The most that an answer about files may be, bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The address of a file.
#[must_use]
pub fn address(id: &str) -> String {
    format!("{BASE}/files/{}", encoded(id))
}

/// Sends a call to `files`. Any status is an answer.
///
/// # Errors
/// 503 `files_unavailable` where there is no such plugin, or none that
/// answers; `upload_interrupted` when the body that was passed on broke off.
pub fn send(call: Call) -> Result<Answer> {
    call.send().map_err(|error| match error.code() {
        "upload_interrupted" => error,
        _ => unavailable().with_cause(error),
    })
}

/// 503 `files_unavailable`.
#[must_use]
pub fn unavailable() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "files_unavailable",
        "the plugin `files` does not answer in this project",
    )
    .with_header("retry-after", "5")
}

/// Sends a call and reads what comes back.
///
/// # Errors
/// As [`send`], and refusals as [`Refusal::into_error`] has them.
pub fn ask<T: DeserializeOwned>(call: Call) -> Result<T> {
    read(send(call)?, Refusal::into_error)
}

/// As [`ask`], for what may not be there: none when `files` answers 404.
///
/// # Errors
/// As [`ask`].
pub fn ask_optional<T: DeserializeOwned>(call: Call) -> Result<Option<T>> {
    let answer = send(call)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    read(answer, Refusal::into_error).map(Some)
}

/// What `files` answered, 4 MiB at most, or what `refuse` makes of its refusal.
///
/// # Errors
/// What `refuse` says; 500 for an answer of another shape.
pub fn read<T: DeserializeOwned>(
    answer: Answer,
    refuse: impl FnOnce(Refusal) -> Error,
) -> Result<T> {
    let status = answer.status;
    let bytes = answer.body.bytes(MAX_ANSWER)?;
    if status.is_success() {
        return Ok(serde_json::from_slice(&bytes)?);
    }
    Err(refuse(Refusal::new(status, &bytes)))
}

/// The address with where a page begins, if not at the start.
#[must_use]
pub fn from_cursor(url: &str, cursor: Option<&str>) -> String {
    let Some(cursor) = cursor else {
        return url.to_owned();
    };
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}cursor={}", encoded(cursor))
}

/// The call with those of a request's header fields that have these names.
pub fn with_headers(call: Call, of: &Headers, names: &[&str]) -> Call {
    names
        .iter()
        .fold(call, |call, name| match of.get_bytes(name) {
            Some(value) => call.header(name, value),
            None => call,
        })
}

/// Header fields by which a reader asks for a part of a file, or only for
/// another one than it has.
pub const CONDITIONS: [&str; 4] = ["range", "if-range", "if-none-match", "if-modified-since"];

/// A file's bytes as `files` serves them, under the conditions of a request:
/// [`Answer::pass_on`] hands them on.
///
/// # Errors
/// As [`send`].
pub fn download(id: &str, wishes: &Headers) -> Result<Answer> {
    let call = http::get(format!("{}/download", address(id)));
    send(with_headers(call, wishes, &CONDITIONS))
}
