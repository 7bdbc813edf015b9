//! `GET /admin/v1/projects/{project}/users/{id}`.

use super::{
    super::{caller::UserAdmin, view::UserView},
    UserPath,
};
use crate::{extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/users/{id}", tag = "users", operation_id = "get_user",
    description = "Also `/v1/auth/admin/users/{id}`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The user", body = UserView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<Json<UserView>, Problem> {
    let user = state.app.user(caller.project, path.id.parse()?).await?;
    Ok(Json(UserView::of(&state.app, user)))
}
