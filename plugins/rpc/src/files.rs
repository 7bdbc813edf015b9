//! `POST /rpc/store_file` and `GET /rpc/retrieve_file`: the caller's own files
//! by their paths.

use crate::answer::{refused, unauthorized};
use atlashub_sdk::{http::Answer, identity::CallerKind, prelude::*};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const FILES: &str = "http://files.internal";

/// What is needed of a file's metadata.
#[derive(Debug, Deserialize)]
struct File {
    id: String,
}

/// A page of files.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<File>,
}

/// Stores the body under the path, in place of what is there.
pub(crate) fn store(caller: Caller, mut request: Request) -> Result<Response> {
    if is_nobody(&caller) {
        return unauthorized();
    }
    let Some(path) = request.header("file-path").map(str::to_owned) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Send the path as the header `File-Path`.",
        );
    };
    let mut call = http::post(format!("{FILES}/files/upload")).header("file-path", path);
    for name in [
        "content-length",
        "content-type",
        "description",
        "idempotency-key",
    ] {
        if let Some(value) = request.header(name) {
            call = call.header(name, value);
        }
    }
    let answer = call.stream(request.take_body()).send().map_err(absent)?;
    if !answer.status.is_success() {
        return pass_refusal(answer);
    }
    let file: File = answer.json()?;
    Ok(Json(file.id).into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    p_file_path: Option<String>,
}

/// The bytes of the caller's own file at the path.
pub(crate) fn retrieve(
    Query(wanted): Query<Wanted>,
    caller: Caller,
    request: Request,
) -> Result<Response> {
    if is_nobody(&caller) {
        return unauthorized();
    }
    let Some(path) = wanted.p_file_path else {
        return refused(
            StatusCode::BAD_REQUEST,
            "Name the file's path as `p_file_path`.",
        );
    };
    let path = utf8_percent_encode(path.trim_start_matches('/'), NON_ALPHANUMERIC);
    let found = http::get(format!("{FILES}/users/me/files?path={path}"))
        .send()
        .map_err(absent)?;
    if !found.status.is_success() {
        return pass_refusal(found);
    }
    let page: Page = found.json()?;
    let Some(file) = page.items.first() else {
        return not_found();
    };
    let mut call = http::get(format!("{FILES}/files/{}/download", file.id));
    for name in ["range", "if-none-match", "if-range"] {
        if let Some(value) = request.header(name) {
            call = call.header(name, value);
        }
    }
    let answer = call.send().map_err(absent)?;
    if answer.status.is_client_error() && answer.status != StatusCode::RANGE_NOT_SATISFIABLE {
        return not_found();
    }
    Ok(answer.pass_on())
}

/// Whether nobody is signed in, and no key speaks for a server.
fn is_nobody(caller: &Caller) -> bool {
    matches!(caller.kind, CallerKind::Nobody | CallerKind::PublishableKey)
}

fn not_found() -> Result<Response> {
    refused(StatusCode::BAD_REQUEST, "File not found.")
}

/// A refusal of `files` in the dialect's shape: 401 and 413 keep their status.
fn pass_refusal(answer: Answer) -> Result<Response> {
    #[derive(Deserialize)]
    struct Problem {
        detail: Option<String>,
    }
    let status = match answer.status {
        StatusCode::UNAUTHORIZED => return unauthorized(),
        StatusCode::FORBIDDEN
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE => answer.status,
        status if status.is_client_error() => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    };
    let problem: Result<Problem> = answer.json();
    let detail = problem.ok().and_then(|problem| problem.detail);
    refused(
        status,
        detail.as_deref().unwrap_or("The file cannot be stored."),
    )
}

/// Where there is no plugin `files`.
fn absent(error: Error) -> Error {
    if error.code() != "upstream_failed" {
        return error;
    }
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "files_unavailable",
        "this needs the plugin `files`, which is not switched on in this project",
    )
    .with_cause(error)
}
