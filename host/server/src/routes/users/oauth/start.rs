//! `GET /v1/auth/oauth/{provider}`: sends a browser to a provider.

use super::{browser, cookie, lead_to, refused};
use crate::{
    extract::{Path, Query},
    problem::Problem,
    routes::users::caller::{FromClient, Project},
    state::HostState,
};
use atlashub_app::users::{BeginOAuth, Client, ProjectAddress};
use atlashub_core::{Error, ProviderName};
use axum::{extract::State, response::Response};
use http::{HeaderMap, header};
use serde::Deserialize;
use url::{Url, form_urlencoded};
use utoipa::IntoParams;

/// What an application wants.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Start {
    /// Where it leads in the end: one of the project's `redirect_urls`, the
    /// first of them unless given.
    pub(in crate::routes::users) redirect_to: Option<String>,
    /// The SHA-256 of the application's verifier, in base64url (RFC 7636).
    pub(in crate::routes::users) code_challenge: Option<String>,
    /// `S256`.
    pub(in crate::routes::users) code_challenge_method: Option<String>,
    /// Whether the browser was led to the host's own address already.
    #[serde(default)]
    pub(in crate::routes::users) home: bool,
    /// What `POST /v1/auth/identities` has put into an address.
    pub(in crate::routes::users) link: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/auth/oauth/{provider}", tag = "users", operation_id = "begin_oauth", security(()),
    params(("provider" = String, Path, description = "The provider's name"), Start),
    responses(
        (status = 302, description = "To the provider; in the end, or at once when it cannot begin and `redirect_to` is given and allowed, to `redirect_to`, with `code` or with `error`, `error_code` and `error_description`"),
        (status = 400, description = "It cannot begin, and there is nowhere to lead to: a page for who accepts HTML, else a problem", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Query(start): Query<Start>,
) -> Result<Response, Problem> {
    let address = project.address();
    let wanted = start.redirect_to.clone();
    let begun = begin(&state, &address, &provider, start, &headers, &client).await;
    match begun {
        Err(Problem(error)) => refused::answer(&state, address.id, wanted, &headers, error).await,
        begun => begun,
    }
}

async fn begin(
    state: &HostState,
    address: &ProjectAddress,
    provider: &str,
    start: Start,
    headers: &HeaderMap,
    client: &Client,
) -> Result<Response, Problem> {
    let provider: ProviderName = provider.parse().map_err(|_| Error::not_found("provider"))?;
    let callback = state.app.oauth_callback(&address.slug, &provider);
    let lost = || Error::internal("lead a browser to a provider", "the address is no header");
    if !start.home && !is_home(&callback, headers) {
        return lead_home(&callback, &start);
    }
    let wanted = BeginOAuth {
        provider,
        redirect_to: start.redirect_to,
        code_challenge: start.code_challenge,
        code_challenge_method: start.code_challenge_method,
        browser: browser(headers),
        link: start.link,
    };
    let begun = state.app.begin_oauth(address, wanted, client).await?;
    let mut response = lead_to(begun.location.as_str()).ok_or_else(lost)?;
    let cookie = cookie(&callback, &begun.browser, begun.lifetime).ok_or_else(lost)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Whether the browser calls the host that it will come back to: a cookie of
/// another one would not come along.
fn is_home(callback: &str, headers: &HeaderMap) -> bool {
    let called = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let Some((url, called)) = Url::parse(callback).ok().zip(called) else {
        return true;
    };
    let called = Url::parse(&format!("{}://{called}", url.scheme()));
    called.is_ok_and(|called| called.origin() == url.origin())
}

/// Leads to the same beginning at the host that the browser will come back to.
///
/// # Errors
/// When the address is no header.
pub(in crate::routes::users) fn lead_home(
    callback: &str,
    start: &Start,
) -> Result<Response, Problem> {
    lead_to(&home(callback, start)).ok_or_else(|| {
        Problem(Error::internal(
            "lead a browser home",
            "the address is no header",
        ))
    })
}

/// The same beginning at the host that the browser will come back to.
fn home(callback: &str, start: &Start) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let members = [
        ("redirect_to", &start.redirect_to),
        ("code_challenge", &start.code_challenge),
        ("code_challenge_method", &start.code_challenge_method),
        ("link", &start.link),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.append_pair("home", "true");
    let base = callback.strip_suffix("/callback").unwrap_or(callback);
    format!("{base}?{}", query.finish())
}
