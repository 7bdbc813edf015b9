//! `GET` and `HEAD /_/backup/{token}`: downloads an archive, or a range of it.

use crate::{
    byte_range::{self, Asked},
    extract::Path,
    problem::Problem,
    state::HostState,
};
use atlashub_core::{Error, ErrorKind};
use axum::{body::Body, extract::State, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

#[utoipa::path(
    get, path = "/_/backup/{token}", tag = "signed links", operation_id = "download_archive", security(()),
    params(("token" = String, Path, description = "From a link to a backup")),
    responses(
        (status = 200, description = "The archive", content_type = "application/octet-stream"),
        (status = 206, description = "The range that was asked for", content_type = "application/octet-stream"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let backups = state.app.backups();
    let (path, filename) = backups.of_link(&token)?;
    let size = backups.stat_archive(&path).await?.size;
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let (status, part) = match byte_range::parse(asked, size) {
        Asked::Whole => (StatusCode::OK, 0..size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Nothing => {
            return Err(Problem(Error::new(
                ErrorKind::RangeNotSatisfiable,
                "invalid_range",
                format!("the range lies outside the archive of {size} bytes"),
            )));
        }
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let range = (status == StatusCode::PARTIAL_CONTENT).then(|| part.clone());
        Body::from_stream(backups.read_archive(&path, range).await?.bytes)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, octets);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let length = part.end.saturating_sub(part.start);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let disposition = format!("attachment; filename=\"{filename}\"");
    let texts = [
        (header::CONTENT_DISPOSITION, Some(disposition)),
        (
            header::CONTENT_RANGE,
            (status == StatusCode::PARTIAL_CONTENT)
                .then(|| format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))),
        ),
    ];
    for (name, text) in texts {
        let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
        headers.extend(value.map(|value| (name, value)));
    }
    Ok(response)
}
