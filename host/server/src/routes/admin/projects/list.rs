//! `GET /admin/v1/projects`.

use super::ProjectView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which projects.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectsQuery {
    /// What the name or the slug contains, whatever the case of its letters.
    q: Option<String>,
    /// How many items, 1 to 1000; 50 unless given.
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects", tag = "projects", operation_id = "list_projects",
    params(ProjectsQuery),
    responses((status = 200, description = "Projects, oldest first", body = List<ProjectView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(query): Query<ProjectsQuery>,
) -> Result<Json<List<ProjectView>>, Problem> {
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let projects = state
        .app
        .projects(query.q.as_deref(), page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(projects, |project| {
        ProjectView::of(&state, project)
    })))
}
