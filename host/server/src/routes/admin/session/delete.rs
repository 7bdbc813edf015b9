//! `DELETE /admin/v1/session`: signs out.

use super::no_cookie;
use crate::{admin::AnyAdmin, problem::Problem, state::HostState};
use axum::{extract::State, response::IntoResponse};
use http::{StatusCode, header};

#[utoipa::path(
    delete, path = "/admin/v1/session", tag = "admins", operation_id = "sign_out",
    responses((status = 204, description = "Signed out"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    AnyAdmin(caller): AnyAdmin,
) -> Result<impl IntoResponse, Problem> {
    if let Some(session) = &caller.admin.session {
        state.app.sign_out(&caller.actor, session).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, no_cookie())]))
}
