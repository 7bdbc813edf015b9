//! `GET /admin/v1/invitations`.

use super::InvitationView;
use crate::{
    admin::OwnerCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/invitations", tag = "admins", operation_id = "list_invitations",
    params(PageQuery),
    responses((status = 200, description = "Open invitations, oldest first", body = List<InvitationView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: OwnerCaller,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<InvitationView>>, Problem> {
    let invitations = state.app.invitations(page.cursor()?, page.limit()).await?;
    Ok(Json(List::of(invitations, InvitationView::from)))
}
