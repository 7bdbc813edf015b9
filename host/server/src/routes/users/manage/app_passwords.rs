//! `/admin/v1/projects/{project}/users/{id}/app-passwords`: which programs a
//! user has let in, and ending one of them.

use super::{
    super::{app_passwords::AppPasswordView, caller::UserAdmin},
    UserPath,
};
use crate::{
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};
use http::StatusCode;
use serde::Deserialize;

/// An app password that a path names.
#[derive(Deserialize)]
pub(crate) struct AppPasswordPath {
    /// The user's id.
    id: String,
    /// The app password's.
    password: String,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/users/{id}/app-passwords", tag = "users", operation_id = "list_app_passwords_of_user",
    description = "Also `/v1/auth/admin/users/{id}/app-passwords`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "App passwords, newest first", body = List<AppPasswordView>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<Json<List<AppPasswordView>>, Problem> {
    let all = state
        .app
        .app_passwords(caller.project, path.id.parse()?)
        .await?;
    Ok(Json(List::whole(all.into_iter().map(Into::into))))
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/users/{id}/app-passwords/{password}", tag = "users", operation_id = "end_app_password_of_user",
    description = "Also `/v1/auth/admin/users/{id}/app-passwords/{password}`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id"),
        ("password" = String, Path, description = "The app password's id")),
    responses((status = 204, description = "It is refused, on every node within a second"))
)]
pub(crate) async fn end(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<AppPasswordPath>,
) -> Result<StatusCode, Problem> {
    let (user, id) = (path.id.parse()?, path.password.parse()?);
    state
        .app
        .end_app_password(&caller.actor, caller.project, user, id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
