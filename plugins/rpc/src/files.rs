//! `POST /rpc/store_file` and `GET /rpc/retrieve_file`: the caller's own files
//! by their paths.

use crate::answer::{refused, unauthorized};
use atlashub_files_client::{self as files, BASE, Page, Refusal};
use atlashub_sdk::{http::Answer, identity::CallerKind, prelude::*};

/// Header fields of an upload that `files` reads.
const PASSED_ON: [&str; 4] = [
    "content-length",
    "content-type",
    "description",
    "idempotency-key",
];

/// What is needed of a file's metadata.
#[derive(Debug, Deserialize)]
struct File {
    id: String,
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
    let call = http::post(format!("{BASE}/files/upload")).header("file-path", path);
    let call = files::with_headers(call, request.headers(), &PASSED_ON);
    let answer = files::send(call.stream(request.take_body()))?;
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
    let path = http::encoded(path.trim_start_matches('/'));
    let found = files::send(http::get(format!("{BASE}/users/me/files?path={path}")))?;
    if !found.status.is_success() {
        return pass_refusal(found);
    }
    let page: Page<File> = found.json()?;
    let Some(file) = page.items.first() else {
        return not_found();
    };
    let answer = files::download(&file.id, request.headers())?;
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
    let body = answer.body.bytes(Body::DEFAULT_LIMIT).unwrap_or_default();
    let message = match Refusal::new(status, &body).detail() {
        "" => "The file cannot be stored.".to_owned(),
        detail => detail.to_owned(),
    };
    refused(status, &message)
}
