//! `Authorization: Basic` (RFC 7617) at routes that take it: a user's address
//! and an app password, as programs send them that know nothing else.
//!
//! Never from a browser. It would keep the password for the whole origin and
//! send it by itself with whatever any page asks for; so browsers are not
//! asked for one, and one that they send is refused.

use atlashub_app::{App, directory::ProjectEntry, users::Client};
use atlashub_core::{Caller, Error, ErrorKind, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use std::net::IpAddr;

/// What only browsers send: Fetch Metadata, and where a page comes from.
const BROWSERS: [&str; 2] = ["sec-fetch-site", "origin"];

/// What follows `Basic` in a request.
fn sent(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(rest.trim())
}

/// Whether a request carries such credentials.
pub(super) fn is_sent(headers: &HeaderMap) -> bool {
    sent(headers).is_some()
}

/// The user whose address and app password a request carries; takes them out
/// of `headers`.
///
/// # Errors
/// 401 `invalid_app_password`, 403 `not_for_browsers`, `rate_limited`.
pub(super) async fn authenticate(
    app: &App,
    headers: &mut HeaderMap,
    project: &ProjectEntry,
    address: IpAddr,
) -> Result<Caller> {
    if is_browser(headers) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "not_for_browsers",
            "app passwords are for programs; in a browser, sign in and send the access token",
        ));
    }
    let (email, password) = sent(headers).and_then(read).unwrap_or_default();
    let user = app
        .authenticate_app_password(project.id, &email, &password, &Client::new(address, None))
        .await?;
    headers.remove(header::AUTHORIZATION);
    Ok(Caller::User(user))
}

/// The user name, which has no colon, and the password.
fn read(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (email, password) = text.split_once(':')?;
    Some((email.to_owned(), password.to_owned()))
}

/// Whether a browser makes the request.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    BROWSERS.iter().any(|name| headers.contains_key(*name))
}

/// What asks a program for its credentials.
pub(super) fn challenge(project: &ProjectEntry) -> Option<HeaderValue> {
    let text = format!("Basic realm=\"{}\", charset=\"UTF-8\"", project.slug);
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_colon() {
        let read = |text: &str| read(&STANDARD.encode(text));
        assert_eq!(
            read("a@example.com:aha-1:2"),
            Some(("a@example.com".into(), "aha-1:2".into()))
        );
        assert_eq!(read("a@example.com"), None);
        assert_eq!(super::read("not base64!"), None);
    }

    #[test]
    fn other_schemes_are_not_looked_at() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "basic YTpi".parse().unwrap());
        assert_eq!(sent(&headers), Some("YTpi"));
        headers.insert(header::AUTHORIZATION, "Bearer YTpi".parse().unwrap());
        assert!(!is_sent(&headers));
    }

    #[test]
    fn browsers_give_themselves_away() {
        let mut headers = HeaderMap::new();
        assert!(!is_browser(&headers));
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert!(is_browser(&headers));
    }
}
