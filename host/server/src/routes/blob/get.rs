//! `GET` and `HEAD /_/blob/{token}`: downloads an object, or a range of it.

use crate::{
    byte_range::{self, Asked},
    extract::Path,
    problem::Problem,
    state::HostState,
};
use atlashub_app::blobs::BlobStore;
use atlashub_core::{Error, ErrorKind};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

#[utoipa::path(
    get, path = "/_/blob/{token}", tag = "signed links", operation_id = "download_blob", security(()),
    params(("token" = String, Path, description = "From a signed link")),
    responses(
        (status = 200, description = "The object", content_type = "application/octet-stream"),
        (status = 206, description = "The range that was asked for", content_type = "application/octet-stream"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let blobs = state.app.blobs();
    let link = blobs.verify_link(&token, &method)?;
    let info = blobs.stat_link(&link).await?;
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let (status, part) = match byte_range::parse(asked, info.size) {
        Asked::Whole => (StatusCode::OK, 0..info.size),
        Asked::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Asked::Nothing => return Ok(out_of_range(info.size)),
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let range = (status == StatusCode::PARTIAL_CONTENT).then(|| part.clone());
        Body::from_stream(blobs.read_link(&link, range).await?.bytes)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = BlobStore::link_headers(&link);
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(part.end.saturating_sub(part.start)),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let shown = format!(
            "bytes {}-{}/{}",
            part.start,
            part.end.saturating_sub(1),
            info.size
        );
        headers.extend(HeaderValue::from_str(&shown).map(|value| (header::CONTENT_RANGE, value)));
    }
    Ok(response)
}

fn out_of_range(size: u64) -> Response {
    let error = Error::new(
        ErrorKind::RangeNotSatisfiable,
        "invalid_range",
        format!("the range lies outside the object of {size} bytes"),
    );
    let mut response = Problem(error).into_response();
    let value = HeaderValue::from_str(&format!("bytes */{size}"));
    response
        .headers_mut()
        .extend(value.map(|value| (header::CONTENT_RANGE, value)));
    response
}
