//! `GET /admin/v1/projects/{project}/permissions`: what roles can be made of.

use super::super::caller::UserAdmin;
use crate::{extract::List, problem::Problem, state::HostState};
use atlashub_app::users::PermissionView;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A permission that an installed plugin declares.
#[derive(Serialize, ToSchema)]
pub(crate) struct PermissionItem {
    /// `<plugin>:<action>`.
    permission: String,
    /// The plugin.
    plugin: String,
    /// What it allows.
    title: String,
    /// The built-in roles that hold it.
    roles: Vec<&'static str>,
    /// Whether the plugin is switched on.
    enabled: bool,
}

impl From<PermissionView> for PermissionItem {
    fn from(view: PermissionView) -> Self {
        Self {
            permission: view.permission,
            plugin: view.plugin.into(),
            title: view.title,
            roles: view.roles.into_iter().map(|role| role.as_str()).collect(),
            enabled: view.enabled,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/permissions", tag = "users", operation_id = "list_permissions",
    description = "Also `/v1/auth/admin/permissions`, for users with the role `admin` and secret keys.",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "What the project's plugins declare, by name", body = List<PermissionItem>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
) -> Result<axum::Json<List<PermissionItem>>, Problem> {
    let permissions = state.app.permissions(caller.project).await?;
    Ok(axum::Json(List::whole(
        permissions.into_iter().map(PermissionItem::from),
    )))
}
