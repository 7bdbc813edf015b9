//! `/dashboard`: the pages for admins, which the binary carries. They are
//! static files; what they show they ask of `/admin/v1` with the session's
//! cookie, which no script can read.
//!
//! A file's name below `assets/` has its digest in it, so that browsers keep
//! it for good; every address that is no file's is a page of the application,
//! which finds its way itself. Without the files, as after a plain
//! `cargo build`, a page says what to run.

mod encoding;
mod files;
mod policy;

use crate::{problem::Problem, state::HostState};
use atlashub_core::Error;
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::get,
};
use files::File;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// What every address without a file of its own answers.
const PAGE: &str = "index.html";

/// The files whose names change with what is in them.
const HASHED: &str = "assets/";

/// The page of a binary that was built without the dashboard.
const MISSING: &str = include_str!("missing.html");

/// The addresses of the dashboard.
pub(crate) fn router() -> Router<HostState> {
    Router::new()
        .route("/dashboard", get(page))
        .route("/dashboard/", get(page))
        .route("/dashboard/{*path}", get(file))
}

async fn page(state: State<HostState>, headers: HeaderMap) -> Result<Response, Problem> {
    file(state, Path(PAGE.to_owned()), headers).await
}

async fn file(
    State(state): State<HostState>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut response = match files::find(&path) {
        Some(file) => answer(file, &headers)?,
        None if path.starts_with(HASHED) => return Err(Problem(Error::not_found("address"))),
        None => match files::find(PAGE) {
            Some(file) => answer(file, &headers)?,
            None => missing(),
        },
    };
    policy::protect(response.headers_mut(), &state.config.storage)?;
    Ok(response)
}

/// A file, encoded as the browser likes it, or that it has not changed.
fn answer(file: &File, asked: &HeaderMap) -> Result<Response, Error> {
    let (encoding, bytes) = encoding::choose(file, asked);
    let suffix = encoding.map_or("", |name| name);
    let tag = HeaderValue::from_str(&format!("\"{}{suffix}\"", file.tag))
        .map_err(|error| Error::internal("write a header", error))?;
    let kept = if file.path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let unchanged = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/").as_bytes() == tag.as_bytes());
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(bytes))
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    set(headers, header::CACHE_CONTROL, kept);
    set(headers, header::VARY, "accept-encoding");
    set(headers, header::CONTENT_TYPE, file.content_type);
    if let (false, Some(encoding)) = (unchanged, encoding) {
        set(headers, header::CONTENT_ENCODING, encoding);
    }
    Ok(response)
}

fn missing() -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, MISSING).into_response();
    let headers = response.headers_mut();
    set(headers, header::CONTENT_TYPE, "text/html; charset=utf-8");
    set(headers, header::CACHE_CONTROL, "no-store");
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: File = File {
        path: "assets/app-1.js",
        content_type: "text/javascript; charset=utf-8",
        tag: "abc",
        plain: b"let a = 1",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    };

    #[test]
    fn a_hashed_file_is_kept_for_good_and_the_page_is_asked_for_again() {
        let headers = HeaderMap::new();
        let hashed = answer(&FILE, &headers).unwrap();
        assert!(
            hashed.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let page = File { path: PAGE, ..FILE };
        let page = answer(&page, &headers).unwrap();
        assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
        assert!(page.headers().get(header::CONTENT_ENCODING).is_none());
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br"));
        let first = answer(&FILE, &headers).unwrap();
        assert_eq!(first.headers()[header::CONTENT_ENCODING], "br");
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(
            answer(&FILE, &headers).unwrap().status(),
            StatusCode::NOT_MODIFIED
        );
        headers.remove(header::ACCEPT_ENCODING);
        assert_eq!(answer(&FILE, &headers).unwrap().status(), StatusCode::OK);
    }
}
