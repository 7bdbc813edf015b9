//! `PATCH /admin/v1/admins/{id}`: another role, shut out or let in again.

use super::AdminAccountView;
use crate::{
    admin::OwnerCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::UpdateAdmin;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// What to change; absent members stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminPatch {
    /// `owner`, `admin` or `viewer`.
    role: Option<String>,
    /// Whether the admin is shut out.
    disabled: Option<bool>,
}

#[utoipa::path(
    patch, path = "/admin/v1/admins/{id}", tag = "admins", operation_id = "update_admin",
    params(("id" = String, Path, description = "The admin's id")),
    request_body = AdminPatch,
    responses((status = 200, description = "The admin as it is now", body = AdminAccountView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    OwnerCaller(caller): OwnerCaller,
    Path(id): Path<String>,
    Json(body): Json<AdminPatch>,
) -> Result<axum::Json<AdminAccountView>, Problem> {
    let wanted = UpdateAdmin {
        role: body.role.map(|role| role.parse()).transpose()?,
        disabled: body.disabled,
    };
    let admin = state
        .app
        .update_admin(&caller.actor, id.parse()?, wanted)
        .await?;
    Ok(axum::Json(admin.into()))
}
