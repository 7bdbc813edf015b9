//! `GET /admin/v1/admins/{id}`.

use super::AdminAccountView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/admins/{id}", tag = "admins", operation_id = "get_admin",
    params(("id" = String, Path, description = "The admin's id")),
    responses((status = 200, description = "The admin", body = AdminAccountView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(id): Path<String>,
) -> Result<Json<AdminAccountView>, Problem> {
    Ok(Json(state.app.admin(id.parse()?).await?.into()))
}
