//! `/api/v1/files`: a list, uploads, downloads, the trash.

use crate::record::{List, Record};
use atlashub_files_client::{self as client, BASE, CONDITIONS, File, Page, Refusal, address, ask};
use atlashub_sdk::prelude::*;
use serde_json::Value;

/// Header fields of an upload that `files` reads.
const PASSED_ON: [&str; 6] = [
    "content-length",
    "content-type",
    "description",
    "file-path",
    "folder-id",
    "idempotency-key",
];
/// Files of a page when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
    /// Those that others share with the caller, instead of the caller's own.
    #[serde(default)]
    shared: bool,
}

/// `GET /api/v1/files/`, what was changed last first.
pub(crate) fn list(Query(wishes): Query<Wishes>) -> Result<Json<List<Record>>> {
    let limit = wishes.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let cursor = wishes.cursor.as_deref();
    let page: Page<File> = if wishes.shared {
        client::shared(cursor, limit)?
    } else {
        client::changed(cursor, limit)?
    };
    Ok(Json(List::of(page)))
}

/// `POST /api/v1/files/`: a form with files in `file`, or a body under the path
/// in `File-Path`, as `files` takes them.
pub(crate) fn upload(mut request: Request) -> Result<Response> {
    let call = http::post(format!("{BASE}/files/upload"));
    let call = client::with_headers(call, request.headers(), &PASSED_ON);
    let answer = client::send(call.stream(request.take_body()))?;
    let stored: Value = client::read(answer, Refusal::into_error)?;
    let body = match stored {
        Value::Array(files) => {
            let files = files.into_iter().map(record);
            serde_json::to_value(files.collect::<Result<Vec<_>>>()?)?
        }
        file => serde_json::to_value(record(file)?)?,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn record(stored: Value) -> Result<Record> {
    let file: File = serde_json::from_value(stored)?;
    Ok(file.into())
}

/// `GET /api/v1/files/{id}`
pub(crate) fn metadata(Path(id): Path<String>) -> Result<Json<Record>> {
    let file: File = ask(http::get(address(&id)))?;
    Ok(Json(file.into()))
}

/// `DELETE /api/v1/files/{id}`: to the trash.
pub(crate) fn delete(Path(id): Path<String>) -> Result<StatusCode> {
    let answer = client::send(http::delete(address(&id)))?;
    if answer.status.is_success() {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(refused(answer))
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct DownloadWishes {
    /// A signed link instead of the bytes.
    #[serde(default)]
    redirect: bool,
}

/// `GET /api/v1/files/{id}/Download`: the bytes, or with `redirect=1` where
/// they are for five minutes.
pub(crate) fn download(
    Path(id): Path<String>,
    Query(wishes): Query<DownloadWishes>,
    headers: Headers,
) -> Result<Response> {
    if wishes.redirect {
        let link = signed_link(&id)?;
        return Ok(Response::new(StatusCode::FOUND)
            .with_header("location", link)
            .with_header("cache-control", "no-store"));
    }
    let call = http::get(format!("{}/download", address(&id)));
    let answer = client::send(client::with_headers(call, &headers, &CONDITIONS))?;
    let serves = answer.status.is_success()
        || matches!(
            answer.status,
            StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE
        );
    if serves {
        return Ok(answer.pass_on());
    }
    Err(refused(answer))
}

/// A link to a file's bytes that holds for five minutes.
pub(crate) fn signed_link(id: &str) -> Result<String> {
    let answer = client::send(http::get(format!("{}/download?redirect=1", address(id))))?;
    match answer.headers.get("location") {
        Some(link) if answer.status.is_redirection() => Ok(link.to_owned()),
        _ => Err(refused(answer)),
    }
}

/// `POST /api/v1/files/{id}/Confirm`: makes the file of what was sent to a link
/// of [`crate::credentials`].
pub(crate) fn confirm(Path(id): Path<String>) -> Result<Json<Record>> {
    let file: File = ask(http::post(format!("{}/confirm", address(&id))))?;
    Ok(Json(file.into()))
}

/// The refusal of `files` as one's own.
fn refused(answer: http::Answer) -> Error {
    let status = answer.status;
    let body = answer.body.bytes(Body::DEFAULT_LIMIT).unwrap_or_default();
    Refusal::new(status, &body).into_error()
}
