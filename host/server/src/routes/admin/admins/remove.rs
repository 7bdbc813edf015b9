//! `DELETE /admin/v1/admins/{id}`.

use crate::{admin::OwnerCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/admins/{id}", tag = "admins", operation_id = "remove_admin",
    params(("id" = String, Path, description = "The admin's id")),
    responses((status = 204, description = "Removed; the last owner stays"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    OwnerCaller(caller): OwnerCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    state.app.remove_admin(&caller.actor, id.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
