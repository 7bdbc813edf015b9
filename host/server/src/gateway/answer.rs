//! Answers that the gateway gives itself: cross-origin sharing. Credentials
//! travel in headers that a page has to set by itself, never in cookies, so
//! every origin may ask (Fetch standard, CORS protocol).

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

/// The answer to a preflight, if this is one.
pub(super) fn preflight<B>(request: &Request<B>) -> Option<Response<Body>> {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    );
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    answer.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        asked.cloned().unwrap_or(HeaderValue::from_static("*")),
    );
    answer.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    answer.insert(
        header::VARY,
        HeaderValue::from_static("access-control-request-headers"),
    );
    Some(response)
}

/// Lets every origin read the answer, unless the plugin said otherwise.
pub(crate) fn allow_origin(headers: &mut HeaderMap) {
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("*"),
    );
}

/// What a document may do that has no origin.
const WITHOUT_ORIGIN: &str =
    "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads";

/// Takes the origin from a document that a plugin answers with: the host is
/// the dashboard's as well, and a script of that origin could do there what an
/// admin may who looks at the document. What browsers do not run is left as it
/// is. A policy of the plugin's own still holds beside this one.
pub(super) fn take_origin(headers: &mut HeaderMap) {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter().peekable();
    let runs = types.peek().is_none() || types.any(|kind| kind.to_str().map_or(true, runs_scripts));
    if runs {
        headers.append(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(WITHOUT_ORIGIN),
        );
    }
}

/// Whether a browser may take a body of this media type for a document with
/// scripts, by what it is or by guessing (MIME Sniffing standard, §7).
fn runs_scripts(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    !essence.contains('/')
        || essence.contains("html")
        || essence.contains("xml")
        || essence.contains("unknown")
        || essence.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_with_scripts_lose_their_origin() {
        let policies = |kind: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            take_origin(&mut headers);
            headers
                .get_all(header::CONTENT_SECURITY_POLICY)
                .iter()
                .count()
        };
        for kind in [
            None,
            Some(""),
            Some("Text/HTML; charset=utf-8"),
            Some("application/xhtml+xml"),
            Some("image/svg+xml"),
            Some("*/*"),
        ] {
            assert_eq!(policies(kind), 1, "{kind:?}");
        }
        for kind in [
            "application/json",
            "application/problem+json",
            "application/pdf",
            "text/plain; charset=utf-8",
            "image/png",
        ] {
            assert_eq!(policies(Some(kind)), 0, "{kind}");
        }
    }

    #[test]
    fn a_plugins_own_policy_holds_beside_it() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'"),
        );
        take_origin(&mut headers);
        let all = headers.get_all(header::CONTENT_SECURITY_POLICY);
        assert_eq!(all.iter().count(), 2);
    }
}
