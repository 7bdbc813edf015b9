//! `/v1/auth/identities`: who the user is elsewhere.

use super::caller::Me;
use crate::{
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_data::platform::Identity;
use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
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
) -> Result<Json<List<IdentityView>>, Problem> {
    let identities = state.app.user_identities(&me).await?;
    Ok(Json(List::whole(
        identities.into_iter().map(IdentityView::from),
    )))
}

#[utoipa::path(
    delete, path = "/v1/auth/identities/{id}", tag = "users", operation_id = "unlink_my_identity", security(("user" = [])),
    params(("id" = String, Path, description = "The identity's id")),
    responses((status = 204, description = "It signs in no more; 409 `last_way_in` when there is no other way"))
)]
pub(crate) async fn unlink(
    State(state): State<HostState>,
    Me(me): Me,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.app.unlink_identity(&me, id.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
