//! `DELETE /admin/v1/admins/{id}/totp`: for an admin who lost the
//! authenticator and the recovery codes.

use crate::{admin::OwnerCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/admins/{id}/totp", tag = "admins", operation_id = "reset_totp",
    params(("id" = String, Path, description = "The admin's id")),
    responses((status = 204, description = "The second factor is removed; all the admin's sessions have ended"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    OwnerCaller(caller): OwnerCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = id.parse()?;
    state
        .app
        .reset_admin_second_factor(&caller.actor, id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
