//! `GET /users/{id}`: a user as everybody may see one.

use super::{caller::Project, view::PublicProfile};
use crate::{extract::Path, problem::Problem, state::HostState};
use atlashub_core::Error;
use axum::extract::State;

#[utoipa::path(
    get, path = "/users/{id}", tag = "users", operation_id = "get_user_profile", security(()),
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The public profile", body = PublicProfile))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    Path(id): Path<String>,
) -> Result<axum::Json<PublicProfile>, Problem> {
    let id = id.parse().map_err(|_| Error::not_found("user"))?;
    let user = state.app.public_profile(project.id(), id).await?;
    Ok(axum::Json(PublicProfile::of(&state.app, user)))
}
