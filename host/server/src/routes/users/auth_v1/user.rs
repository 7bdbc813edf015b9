//! The user behind an access token.

use super::view::{self, Metadata, not_here};
use crate::{
    extract::{Json, Path},
    problem::Problem,
    routes::users::caller::{FromClient, Me, MeOrAwaiting},
    state::HostState,
};
use atlashub_app::users::ProfilePatch;
use atlashub_core::Error;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub(super) struct Changes {
    #[serde(default)]
    data: Metadata,
    email: Option<String>,
    phone: Option<String>,
    password: Option<String>,
    #[serde(alias = "currentPassword")]
    current_password: Option<String>,
}

pub(super) async fn read(
    State(state): State<HostState>,
    MeOrAwaiting(me): MeOrAwaiting,
) -> Result<axum::Json<Value>, Problem> {
    let user = state.app.signed_in_user(&me).await?;
    let identities = state.app.user_identities(&me).await?;
    Ok(axum::Json(view::user(&user, &identities)))
}

/// Unlinks who the user is elsewhere.
pub(super) async fn unlink(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let unlinked = state.app.unlink_identity(&me, id.parse()?, &client).await;
    unlinked.map_err(|error| match error.code() {
        "not_found" => Error::new(
            error.kind(),
            "identity_not_found",
            "there is no such identity",
        ),
        _ => error,
    })?;
    Ok(axum::Json(json!({})))
}

/// Changes a profile, or the password: then all other sessions have ended.
/// The present password is asked for, but of who came by the link of a
/// forgotten one.
pub(super) async fn update(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    Json(body): Json<Changes>,
) -> Result<axum::Json<Value>, Problem> {
    if body.email.is_some() || body.phone.is_some() {
        return Err(not_here("an address is changed by an admin here"));
    }
    let patch = ProfilePatch {
        name: body.data.name,
        bio: body.data.bio,
        handle: body.data.handle,
    };
    let mut user = state.app.update_profile(&me, patch).await?;
    if let Some(password) = body.password {
        let present = body.current_password.map(Into::into);
        let set = state
            .app
            .set_password_in_session(&me, present, password.into(), &client);
        user = set.await?;
    }
    let identities = state.app.user_identities(&me).await?;
    Ok(axum::Json(view::user(&user, &identities)))
}
