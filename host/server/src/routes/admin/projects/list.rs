//! `GET /admin/v1/projects`.

use super::ProjectView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects", tag = "projects", operation_id = "list_projects",
    params(PageQuery),
    responses((status = 200, description = "Projects, oldest first", body = List<ProjectView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<ProjectView>>, Problem> {
    let projects = state.app.projects(page.cursor()?, page.limit()).await?;
    Ok(Json(List::of(projects, |project| {
        ProjectView::of(&state, project)
    })))
}
