//! `GET /admin/v1/admins`.

use super::AdminAccountView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/admins", tag = "admins", operation_id = "list_admins",
    params(PageQuery),
    responses((status = 200, description = "Admins, oldest first", body = List<AdminAccountView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<AdminAccountView>>, Problem> {
    let admins = state.app.admins(page.cursor()?, page.limit()).await?;
    Ok(Json(List::of(admins, AdminAccountView::from)))
}
