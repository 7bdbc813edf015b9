//! `GET /admin/v1/projects/{project}/tables/{table}/policies`.

use super::PolicyView;
use crate::{
    admin::AdminCaller,
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/tables/{table}/policies", tag = "tables", operation_id = "list_policies",
    params(("project" = String, Path, description = "Id or slug"), ("table" = String, Path, description = "Its name")),
    responses((status = 200, description = "Row policies by name", body = List<PolicyView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, table)): Path<(String, String)>,
) -> Result<Json<List<PolicyView>>, Problem> {
    let project = state.app.project(&project).await?;
    let policies = state.app.row_policies(project.id, &table).await?;
    let policies = policies.into_iter().map(PolicyView::try_from);
    let policies: Vec<PolicyView> = policies.collect::<Result<_, _>>()?;
    Ok(Json(List::whole(policies)))
}
