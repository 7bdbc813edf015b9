//! `/admin/v1/projects/{project}/users/{id}/sessions`: where a user is signed
//! in, and ending that.

use super::{
    super::{caller::UserAdmin, view::UserSessionView},
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

/// A session that a path names.
#[derive(Deserialize)]
pub(crate) struct SessionPath {
    /// The user's id.
    id: String,
    /// The session's.
    session: String,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/users/{id}/sessions", tag = "users", operation_id = "list_sessions_of_user",
    description = "Also `/v1/auth/admin/users/{id}/sessions`. None of them is `current`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "Sessions that have not ended, newest first", body = List<UserSessionView>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<Json<List<UserSessionView>>, Problem> {
    let all = state
        .app
        .sessions_of(caller.project, path.id.parse()?)
        .await?;
    let shown = all
        .into_iter()
        .map(|session| UserSessionView::of(session, false));
    Ok(Json(List::whole(shown)))
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/users/{id}/sessions/{session}", tag = "users", operation_id = "end_session_of_user",
    description = "Also `/v1/auth/admin/users/{id}/sessions/{session}`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id"),
        ("session" = String, Path, description = "The session's id")),
    responses((status = 204, description = "The session has ended, on every node within a second"))
)]
pub(crate) async fn end(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<SessionPath>,
) -> Result<StatusCode, Problem> {
    let (user, session) = (path.id.parse()?, path.session.parse()?);
    state
        .app
        .end_session_of(&caller.actor, caller.project, user, session)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/users/{id}/sessions", tag = "users", operation_id = "end_sessions_of_user",
    description = "Also `/v1/auth/admin/users/{id}/sessions`. Ends the user's app passwords, too.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "All sessions have ended, on every node within a second"))
)]
pub(crate) async fn end_all(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .end_sessions_of(&caller.actor, caller.project, path.id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
