//! An admin's credentials: the development token, a session as a bearer
//! token, a session in the cookie, an assertion of Cloudflare Access. One
//! that is given and does not fit is refused; the next is not tried, but for
//! a cookie that has run out where Access vouches for its owner.

use super::{Admin, same_origin};
use atlashub_app::App;
use atlashub_core::{AdminRole, Error, ErrorKind, RequestId, Result, token};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The header of the development token.
pub(crate) const DEV_TOKEN: HeaderName = HeaderName::from_static("x-dev-admin-token");
/// The cookie that holds a session.
pub(crate) const COOKIE: &str = "__Host-atlashub";

/// The header in which Cloudflare Access vouches for somebody.
const ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");

/// How the token of a session starts.
const SESSION_PREFIX: &str = "aht_";

/// An admin, and how it was recognised.
pub(super) struct Found {
    pub(super) admin: Admin,
    /// Whether a browser, or the proxy behind it, sends the credentials with
    /// every request: it proves no intention.
    pub(super) by_itself: bool,
}

/// The admin of a request; `None` when it carries no credentials of one.
///
/// # Errors
/// 401 when it carries some that do not fit.
pub(super) async fn find(
    app: &App,
    headers: &HeaderMap,
    request: Option<RequestId>,
) -> Result<Option<Found>> {
    let found = |by_itself| move |admin| Some(Found { admin, by_itself });
    if let Some(given) = headers.get(DEV_TOKEN) {
        return dev_token(app, given).map(found(false));
    }
    if let Some(token) = bearer(headers) {
        if !is_session(token) {
            return Err(refused());
        }
        return session(app, token).await.map(found(false));
    }
    let assertion = assertion(app, headers);
    let by_cookie = match cookie(headers) {
        Some(token) => Some(session(app, token).await),
        None => None,
    };
    match (by_cookie, assertion) {
        (None, None) => Ok(None),
        (Some(Err(error)), None) => Err(error),
        (Some(Ok(admin)), _) => Ok(found(true)(admin)),
        (_, Some(assertion)) => access(app, assertion, request).await.map(found(true)),
    }
}

/// The admin who makes a request to a plugin; `None` when the request carries
/// no credentials of one. A bearer token that is no session's is left to
/// others; the cookie counts only when the request comes from a page of this
/// origin.
///
/// # Errors
/// 401 when it carries credentials that do not fit.
pub(crate) async fn admin(app: &App, headers: &HeaderMap) -> Result<Option<Admin>> {
    if let Some(given) = headers.get(DEV_TOKEN) {
        return dev_token(app, given).map(Some);
    }
    if let Some(token) = bearer(headers) {
        if !is_session(token) {
            return Ok(None);
        }
        return session(app, token).await.map(Some);
    }
    let (token, assertion) = (cookie(headers), assertion(app, headers));
    let carries_some = token.is_some() || assertion.is_some();
    if !carries_some || same_origin::check(headers, &app.settings().public_url).is_err() {
        return Ok(None);
    }
    // What has run out is nobody's fault: the caller is nobody.
    if let Some(token) = token
        && let Ok(admin) = session(app, token).await
    {
        return Ok(Some(admin));
    }
    match assertion {
        Some(assertion) => Ok(access(app, assertion, None).await.ok()),
        None => Ok(None),
    }
}

/// Takes an admin's credentials out of the headers of a request that goes on
/// to a plugin; a bearer token is the caller's to take out.
pub(crate) fn strip(headers: &mut HeaderMap) {
    headers.remove(DEV_TOKEN);
    headers.remove(ASSERTION);
    if cookie(headers).is_none() {
        return;
    }
    let kept: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|pair| pair.split('=').next() != Some(COOKIE))
        .map(str::to_owned)
        .collect();
    headers.remove(header::COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_str(&kept.join("; "))) {
        headers.insert(header::COOKIE, value);
    }
}

/// Whether a bearer token has the form of a session's.
pub(crate) fn is_session(token: &str) -> bool {
    token.starts_with(SESSION_PREFIX)
}

/// The token in `authorization: Bearer …` (RFC 6750).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// The session in the cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

fn dev_token(app: &App, given: &HeaderValue) -> Result<Admin> {
    let given = given.to_str().map_err(|_| refused())?;
    match &app.settings().dev_admin_token {
        Some(own) if token::matches(own, &token::hash(given)) => Ok(Admin {
            id: None,
            role: AdminRole::Owner,
            session: None,
        }),
        _ => Err(refused()),
    }
}

/// The assertion, where this host expects one.
fn assertion<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    app.settings().cloudflare_access.as_ref()?;
    headers.get(ASSERTION)?.to_str().ok()
}

async fn access(app: &App, assertion: &str, request: Option<RequestId>) -> Result<Admin> {
    let identity = app.authenticate_access(assertion, request).await?;
    Ok(Admin {
        id: Some(identity.admin),
        role: identity.role,
        session: None,
    })
}

async fn session(app: &App, token: &str) -> Result<Admin> {
    let identity = app.authenticate_admin(token).await?.ok_or_else(refused)?;
    Ok(Admin {
        id: Some(identity.admin),
        role: identity.role,
        session: Some(identity),
    })
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_credentials",
        "the credentials do not fit, or have run out: sign in again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            })
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let found = headers(&[
            (header::COOKIE, "a=1; __Host-atlashubx=no"),
            (header::COOKIE, "b=2; __Host-atlashub=aht_x"),
        ]);
        assert_eq!(cookie(&found), Some("aht_x"));
        assert_eq!(
            cookie(&headers(&[(header::COOKIE, "__Host-atlashub=")])),
            None
        );
        assert_eq!(
            cookie(&headers(&[(header::COOKIE, "__host-atlashub=aht_x")])),
            None
        );
    }

    #[test]
    fn a_plugin_never_sees_an_admins_credentials() {
        let mut seen = headers(&[
            (DEV_TOKEN, "secret"),
            (header::COOKIE, "a=1; __Host-atlashub=aht_x; b=2"),
        ]);
        strip(&mut seen);
        assert_eq!(seen.get(DEV_TOKEN), None);
        assert_eq!(seen.get(header::COOKIE).unwrap(), "a=1; b=2");
        let mut alone = headers(&[(header::COOKIE, "__Host-atlashub=aht_x")]);
        strip(&mut alone);
        assert!(alone.is_empty());
    }

    #[test]
    fn the_scheme_of_a_bearer_token_has_no_case() {
        assert_eq!(
            bearer(&headers(&[(header::AUTHORIZATION, "bEaReR aht_x")])),
            Some("aht_x")
        );
        assert_eq!(
            bearer(&headers(&[(header::AUTHORIZATION, "Basic aht_x")])),
            None
        );
    }
}
