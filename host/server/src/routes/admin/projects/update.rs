//! `PATCH /admin/v1/projects/{project}`.

use super::ProjectView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::UpdateProject;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// What to change of a project; absent members stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectPatch {
    /// Another display name.
    name: Option<String>,
    /// Another name in addresses.
    slug: Option<String>,
}

#[utoipa::path(
    patch, path = "/admin/v1/projects/{project}", tag = "projects", operation_id = "update_project",
    params(("project" = String, Path, description = "Id or slug")),
    request_body = ProjectPatch,
    responses((status = 200, description = "The project as it is now", body = ProjectView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<ProjectPatch>,
) -> Result<axum::Json<ProjectView>, Problem> {
    let project = state.app.project(&project).await?;
    let slug = body.slug.map(|slug| slug.parse()).transpose()?;
    let wanted = UpdateProject {
        name: body.name,
        slug,
    };
    let project = state
        .app
        .update_project(&caller.actor, project.id, wanted)
        .await?;
    Ok(axum::Json(ProjectView::of(&state, project)))
}
