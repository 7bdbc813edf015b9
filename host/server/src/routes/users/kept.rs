//! How a session is kept. A program keeps the refresh token itself; a page asks
//! for `"session": "cookie"`, and then no script ever has it: it stands in a
//! cookie that the browser sends to the one call that exchanges it, and for
//! pages of the same origin only. The access token is the page's, for minutes.

use super::{caller::Project, view::TokensView};
use crate::{admin::same_origin, problem::Problem, state::HostState};
use atlashub_app::users::Tokens;
use atlashub_core::{Error, Result};
use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use utoipa::ToSchema;

/// The cookie's name, where browsers hold it to be sent over TLS only.
const COOKIE: &str = "__Secure-atlashub-session";
/// Its name on plain HTTP of this very machine.
const LOCAL_COOKIE: &str = "atlashub-session";
/// The call that it is sent to, inside a project.
const REFRESH: &str = "/v1/auth/refresh";
/// How long a browser keeps it; what the token itself is good for, the server
/// knows.
const MAX_AGE: u32 = 400 * 24 * 3_600;

/// Who keeps the refresh token.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keeper {
    /// The client: it stands in the answer.
    #[default]
    Client,
    /// The browser, in a cookie that no script can read. For pages of the same
    /// origin.
    Cookie,
}

/// The browser at the other end, if it is one.
pub(crate) struct Browser {
    from_here: bool,
    local: bool,
    path: String,
    token: Option<String>,
}

impl FromRequestParts<HostState> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let Project(found) = Project::from_request_parts(parts, state).await?;
        let headers = &parts.headers;
        let local = is_local(headers);
        Ok(Self {
            from_here: same_origin::check(headers, &state.app.settings().public_url).is_ok(),
            local,
            path: format!("{}{REFRESH}", found.base),
            token: cookie(headers, name(local)),
        })
    }
}

impl Browser {
    /// What the cookie holds.
    ///
    /// # Errors
    /// 403 `cross_site` when a page of another origin asks, 401 when there is
    /// no cookie.
    pub(super) fn token(&self) -> Result<&str> {
        self.check(Keeper::Cookie)?;
        self.token
            .as_deref()
            .ok_or_else(|| Error::unauthenticated("sign in first"))
    }

    /// Whether a session may be kept as the client wishes.
    ///
    /// # Errors
    /// 403 `cross_site`.
    pub(super) fn check(&self, keeper: Keeper) -> Result<()> {
        match keeper {
            Keeper::Cookie if !self.from_here => Err(same_origin::refused()),
            Keeper::Client | Keeper::Cookie => Ok(()),
        }
    }

    /// The answer with tokens, the refresh token where it is to be kept.
    pub(super) fn answer<T: Serialize>(
        &self,
        status: StatusCode,
        keeper: Keeper,
        tokens: Option<Tokens>,
        view: impl FnOnce(Option<TokensView>) -> T,
    ) -> Response {
        let Some(tokens) = tokens else {
            return (status, axum::Json(view(None))).into_response();
        };
        match keeper {
            Keeper::Client => (status, axum::Json(view(Some(tokens.into())))).into_response(),
            Keeper::Cookie => {
                let cookie = self.cookie(&tokens.refresh_token, MAX_AGE);
                let view = view(Some(TokensView::without_refresh(tokens)));
                set(cookie, (status, axum::Json(view)).into_response())
            }
        }
    }

    /// Takes the cookie away, where a page of this origin asks.
    pub(super) fn forget(&self, response: Response) -> Response {
        if self.from_here {
            set(self.cookie("", 0), response)
        } else {
            response
        }
    }

    fn cookie(&self, token: &str, max_age: u32) -> String {
        let secure = if self.local { "" } else { " Secure;" };
        format!(
            "{}={token}; Path={};{secure} HttpOnly; SameSite=Strict; Max-Age={max_age}",
            name(self.local),
            self.path
        )
    }
}

fn set(cookie: String, mut response: Response) -> Response {
    response
        .headers_mut()
        .extend(HeaderValue::from_str(&cookie).map(|value| (header::SET_COOKIE, value)));
    response
}

fn name(local: bool) -> &'static str {
    if local { LOCAL_COOKIE } else { COOKIE }
}

/// Whether a page of this machine asks over plain HTTP, as its browser says:
/// not every browser takes such a connection for a secure one.
fn is_local(headers: &HeaderMap) -> bool {
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| Url::parse(text).ok());
    let Some(origin) = origin.filter(|origin| origin.scheme() == "http") else {
        return false;
    };
    match origin.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(local: bool) -> Browser {
        Browser {
            from_here: true,
            local,
            path: "/p/shop/v1/auth/refresh".to_owned(),
            token: None,
        }
    }

    #[test]
    fn the_cookie_goes_to_one_call_of_one_project() {
        assert_eq!(
            browser(false).cookie("ahr_1", 60),
            "__Secure-atlashub-session=ahr_1; Path=/p/shop/v1/auth/refresh; Secure; HttpOnly; SameSite=Strict; Max-Age=60"
        );
        assert_eq!(
            browser(true).cookie("", 0),
            "atlashub-session=; Path=/p/shop/v1/auth/refresh; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }

    #[test]
    fn only_plain_http_of_this_machine_does_without_tls() {
        let asks = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            is_local(&headers)
        };
        for local in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert!(asks(local), "{local}");
        }
        for other in [
            "https://127.0.0.1",
            "http://hub.example",
            "null",
            "http://localhost.evil.example",
        ] {
            assert!(!asks(other), "{other}");
        }
    }
}
