//! `GET /admin/v1/projects/{project}/domains`.

use super::DomainView;
use crate::{
    admin::AdminCaller,
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/domains", tag = "projects", operation_id = "list_domains",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Host names of the project", body = List<DomainView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<List<DomainView>>, Problem> {
    let project = state.app.project(&project).await?;
    let domains = state.app.domains(project.id).await?;
    Ok(Json(List::whole(domains.into_iter().map(DomainView::from))))
}
