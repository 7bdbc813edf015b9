//! `GET /admin/v1/audit`, also `/admin/logs`: a page of events.

use super::{AuditQuery, AuditView};
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/audit", tag = "operations", operation_id = "audit",
    params(AuditQuery, PageQuery),
    responses((status = 200, description = "Events, newest first", body = List<AuditView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(query): Query<AuditQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<AuditView>>, Problem> {
    let mut filter = query.filter(&state).await?;
    filter.before = page.cursor()?;
    let events = state.app.audit(&filter, page.limit()).await?;
    Ok(Json(List::of(events, AuditView::from)))
}
