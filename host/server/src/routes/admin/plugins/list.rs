//! `GET /admin/v1/plugins`: the catalogue, each plugin with its newest
//! revision.

use super::RevisionView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::PluginName;
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/plugins", tag = "plugins", operation_id = "list_plugins",
    params(PageQuery),
    responses((status = 200, description = "Plugins by name, each with its newest revision", body = List<RevisionView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<RevisionView>>, Problem> {
    let after: Option<PluginName> = page.cursor()?;
    let revisions = state.app.catalogue(after.as_ref(), page.limit()).await?;
    Ok(Json(List::of(revisions, RevisionView::from)))
}
