//! `GET /v1/auth/oauth/{provider}/callback`: where a provider leads back to.

use super::{browser, lead_to};
use crate::{
    extract::{Path, Query},
    problem::Problem,
    routes::users::{
        caller::{FromClient, Project},
        confirm::page,
    },
    state::HostState,
};
use atlashub_app::users::{OAuthReturn, escape_html};
use atlashub_core::{Error, ErrorKind, ProviderName};
use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

/// What a provider says (RFC 6749, section 4.1.2, and RFC 9207).
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Said {
    /// The state that it was sent.
    #[serde(default)]
    state: String,
    /// Its code.
    code: Option<String>,
    /// Who it says it is.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/auth/oauth/{provider}/callback", tag = "users", operation_id = "finish_oauth", security(()),
    params(("provider" = String, Path, description = "The provider's name"), Said),
    responses(
        (status = 302, description = "To the application, with `code` or with `error`, `error_code` and `error_description`"),
        (status = 400, description = "A page that says that no such sign-in was begun in this browser", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let provider: ProviderName = provider.parse().map_err(|_| Error::not_found("provider"))?;
    let back = OAuthReturn {
        state: said.state,
        code: said.code,
        issuer: said.iss,
        error: said.error,
        browser: browser(&headers),
    };
    let address = project.address();
    let finished = state.app.finish_oauth(&address, &provider, back, &client);
    match finished.await {
        Ok(to) => lead_to(to.as_str())
            .ok_or_else(|| Problem(Error::internal("lead a browser on", "no header"))),
        Err(error) if error.kind() == ErrorKind::BadRequest => {
            let text = format!("<p role=\"alert\">{}.</p>", escape_html(error.message()));
            Ok(page(StatusCode::BAD_REQUEST, &text))
        }
        Err(error) => Err(Problem(error)),
    }
}
