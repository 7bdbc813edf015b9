//! `DELETE /admin/v1/invitations/{id}`: takes an invitation back.

use crate::{admin::OwnerCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/invitations/{id}", tag = "admins", operation_id = "remove_invitation",
    params(("id" = String, Path, description = "The invitation's id")),
    responses((status = 204, description = "Taken back"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    OwnerCaller(caller): OwnerCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = id.parse()?;
    state.app.remove_invitation(&caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
