//! `GET /admin/v1/projects/{project}/users`.

use super::super::{caller::UserAdmin, view::UserView};
use crate::{
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_data::platform::UserFilter;
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserQuery {
    /// Those whose address or handle starts with this.
    q: Option<String>,
    /// Those who hold this role.
    role: Option<String>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/users", tag = "users", operation_id = "list_users",
    description = "Also `/v1/auth/admin/users`, for users with the role `admin` and secret keys.",
    params(("project" = String, Path, description = "Id or slug"), UserQuery, PageQuery),
    responses((status = 200, description = "Users, oldest first", body = List<UserView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Query(query): Query<UserQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<UserView>>, Problem> {
    let filter = UserFilter {
        starts_with: query.q.filter(|text| !text.trim().is_empty()),
        role: query.role,
        enabled: false,
    };
    let users = state
        .app
        .users(caller.project, &filter, page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(users, |user| UserView::of(&state.app, user))))
}
