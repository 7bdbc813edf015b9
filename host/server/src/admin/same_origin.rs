//! Whether a request that a cookie vouches for comes from a page of this very
//! origin: by `Sec-Fetch-Site` where the browser sends it (Fetch Metadata),
//! else by `Origin`. A form of another site can forge neither.

use atlashub_core::{Error, ErrorKind, Result};
use http::{HeaderMap, header};

/// Checks where a request comes from.
///
/// # Errors
/// 403 `cross_site`.
pub(crate) fn check(headers: &HeaderMap, public_url: &str) -> Result<()> {
    if comes_from_here(headers, public_url) {
        return Ok(());
    }
    Err(refused())
}

/// The refusal of a request that comes from elsewhere.
pub(crate) fn refused() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "cross_site",
        "a session cookie counts only for requests of pages of this very address; send the token as a bearer",
    )
}

fn comes_from_here(headers: &HeaderMap, public_url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let Some(origin) = text(header::ORIGIN) else {
        return false;
    };
    if origin == public_url {
        return true;
    }
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    match (authority, text(header::HOST)) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        check(&headers, "https://hub.example").is_ok()
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        assert!(!allowed(&[]));
        assert!(!allowed(&[("sec-fetch-site", "cross-site")]));
        assert!(!allowed(&[("sec-fetch-site", "same-site")]));
        assert!(!allowed(&[("sec-fetch-site", "none")]));
        assert!(!allowed(&[
            ("origin", "https://evil.example"),
            ("host", "hub.example")
        ]));
        assert!(!allowed(&[("origin", "null"), ("host", "hub.example")]));
        assert!(!allowed(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://hub.example"),
        ]));
    }

    #[test]
    fn the_dashboard_itself_is_allowed() {
        assert!(allowed(&[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("origin", "https://hub.example")]));
        assert!(allowed(&[
            ("origin", "http://127.0.0.1:8080"),
            ("host", "127.0.0.1:8080")
        ]));
    }
}
