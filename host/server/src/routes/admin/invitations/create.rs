//! `POST /admin/v1/invitations`: invites an admin.

use super::InvitationView;
use crate::{admin::OwnerCaller, extract::Json, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// The address.
    email: String,
    /// `owner`, `admin` or `viewer`.
    role: String,
}

/// An invitation that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewInvitationView {
    #[serde(flatten)]
    view: InvitationView,
    /// Its token, shown once: to be passed on, good for one use.
    token: String,
}

#[utoipa::path(
    post, path = "/admin/v1/invitations", tag = "admins", operation_id = "invite_admin",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again")),
    request_body = NewInvitation,
    responses((status = 201, description = "The invitation; one of the same address before has ended", body = NewInvitationView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    OwnerCaller(caller): OwnerCaller,
    Json(body): Json<NewInvitation>,
) -> Result<(StatusCode, axum::Json<NewInvitationView>), Problem> {
    let role = body.role.parse()?;
    let invited = state
        .app
        .invite_admin(&caller.actor, &body.email, role)
        .await?;
    let view = NewInvitationView {
        view: invited.invitation.into(),
        token: invited.token.expose_secret().to_owned(),
    };
    Ok((StatusCode::CREATED, axum::Json(view)))
}
