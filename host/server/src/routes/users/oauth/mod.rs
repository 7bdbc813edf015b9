//! `/v1/auth/oauth`: signing in with others. A browser is led to the provider
//! and back; the cookie that says that it is the same one is nobody else's to
//! read, and is sent to the place where browsers come back only.

pub(crate) mod callback;
pub(in crate::routes::users) mod refused;
pub(crate) mod start;
pub(crate) mod token;

use atlashub_app::users::ProjectAddress;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::time::Duration;
use url::Url;

use super::caller::Project;

/// The cookie of a browser that signs in.
const COOKIE: &str = "__Secure-atlashub-oauth";

impl Project {
    /// How addresses name the project.
    pub(super) fn address(&self) -> ProjectAddress {
        ProjectAddress {
            id: self.0.project.id,
            slug: self.0.project.slug.clone(),
        }
    }
}

/// The token in the cookie.
fn browser(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// The cookie for a browser that comes back to `callback`.
fn cookie(callback: &str, token: &str, lifetime: Duration) -> Option<HeaderValue> {
    let url = Url::parse(callback).ok()?;
    let path = url.path().rsplitn(3, '/').nth(2)?;
    let seconds = lifetime.as_secs();
    let text =
        format!("{COOKIE}={token}; Path={path}; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    HeaderValue::from_str(&text).ok()
}

/// Leads a browser on.
fn lead_to(url: &str) -> Option<Response> {
    let location = HeaderValue::from_str(url).ok()?;
    Some((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_the_place_of_coming_back() {
        let callback = "https://hub.example/p/shop/v1/auth/oauth/google/callback";
        let set = cookie(callback, "ahb_1", Duration::from_secs(600)).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "__Secure-atlashub-oauth=ahb_1; Path=/p/shop/v1/auth/oauth; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            "a=b; __Secure-atlashub-oauth=ahb_1".parse().unwrap(),
        );
        assert_eq!(browser(&headers).as_deref(), Some("ahb_1"));
        assert_eq!(browser(&HeaderMap::new()), None);
    }
}
