//! `/v1/auth/identities`: who the user is elsewhere.

use super::caller::{FromClient, Me, Project};
use crate::{
    extract::{Json, List, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::BeginOAuth;
use atlashub_core::Error;
use atlashub_data::platform::Identity;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who a user is elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct IdentityView {
    /// Its id.
    id: Uuid,
    /// The provider's name.
    provider: String,
    /// The address there, as the provider last said.
    email: Option<String>,
    /// When it was linked.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it last signed in.
    #[serde(with = "time::serde::rfc3339")]
    last_used_at: OffsetDateTime,
}

impl From<Identity> for IdentityView {
    fn from(identity: Identity) -> Self {
        Self {
            id: *identity.id.as_uuid(),
            provider: identity.provider,
            email: identity.email,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

#[utoipa::path(
    get, path = "/v1/auth/identities", tag = "users", operation_id = "list_my_identities", security(("user" = [])),
    responses((status = 200, description = "Identities, oldest first", body = List<IdentityView>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    Me(me): Me,
) -> Result<axum::Json<List<IdentityView>>, Problem> {
    let identities = state.app.user_identities(&me).await?;
    Ok(axum::Json(List::whole(
        identities.into_iter().map(IdentityView::from),
    )))
}

/// An account elsewhere that is to be linked.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LinkBody {
    /// The provider's name.
    provider: String,
    /// Where it leads in the end: one of the project's `redirect_urls`, the
    /// first of them unless given.
    redirect_to: Option<String>,
    /// The SHA-256 of the application's verifier, in base64url (RFC 7636).
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
}

/// Where to lead the browser.
#[derive(Serialize, ToSchema)]
pub(crate) struct LinkView {
    /// Good for five minutes.
    url: String,
}

#[utoipa::path(
    post, path = "/v1/auth/identities", tag = "users", operation_id = "link_identity", security(("user" = [])),
    description = "Lead the browser to `url`; it comes back as from a sign-in, and `POST /v1/auth/oauth/token` links the account.",
    request_body = LinkBody,
    responses((status = 200, description = "Where to lead the browser", body = LinkView))
)]
pub(crate) async fn link(
    State(state): State<HostState>,
    project: Project,
    Me(me): Me,
    Json(body): Json<LinkBody>,
) -> Result<axum::Json<LinkView>, Problem> {
    let provider = body.provider.parse();
    let wanted = BeginOAuth {
        provider: provider.map_err(|_| Error::not_found("provider"))?,
        redirect_to: body.redirect_to,
        code_challenge: body.code_challenge,
        code_challenge_method: body.code_challenge_method,
        browser: None,
        link: None,
    };
    let url = state
        .app
        .ask_to_link(&project.address(), &me, wanted)
        .await?;
    Ok(axum::Json(LinkView { url: url.into() }))
}

#[utoipa::path(
    delete, path = "/v1/auth/identities/{id}", tag = "users", operation_id = "unlink_my_identity", security(("user" = [])),
    params(("id" = String, Path, description = "The identity's id")),
    responses((status = 204, description = "It signs in no more; 409 `last_way_in` when there is no other way"))
)]
pub(crate) async fn unlink(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.app.unlink_identity(&me, id.parse()?, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}
