//! `/admin/v1/projects/{project}/roles`: roles made of permissions.

use super::{super::caller::UserAdmin, RolePath};
use crate::{
    extract::{IfMatch, Json, List, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::RoleView;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// A role.
#[derive(Serialize, ToSchema)]
pub(crate) struct RoleItem {
    /// Its name.
    name: String,
    /// Whether every project has it.
    built_in: bool,
    /// What its holders may do: `<plugin>:<action>`, `<plugin>:*`, or `*` for
    /// the role `admin`. What `editor` and `viewer` may do, the manifests of
    /// the installed plugins say.
    permissions: BTreeSet<String>,
    /// Those of them that no installed plugin declares; they allow nothing
    /// until one does.
    undeclared: BTreeSet<String>,
    /// What `If-Match` takes, with its quotes: another with each change. Built-in
    /// ones do not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// A role to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    /// Its name: lower-case letters, digits, `_` and `-`.
    name: String,
    /// What its holders may do.
    #[serde(default)]
    permissions: BTreeSet<String>,
}

/// Other permissions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    /// What its holders may do, in place of all.
    permissions: BTreeSet<String>,
}

impl From<RoleView> for RoleItem {
    fn from(role: RoleView) -> Self {
        Self {
            name: role.name,
            built_in: role.built_in,
            permissions: role.permissions,
            undeclared: role.undeclared,
            etag: role.tag,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/roles", tag = "users", operation_id = "list_roles",
    description = "Also `/v1/auth/admin/roles`, for users with the role `admin` and secret keys.",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Roles, the built-in ones first", body = List<RoleItem>))
)]
pub(crate) async fn list(
    State(state): State<HostState>,
    caller: UserAdmin,
) -> Result<axum::Json<List<RoleItem>>, Problem> {
    let roles = state.app.user_roles(caller.project).await?;
    Ok(axum::Json(List::whole(
        roles.into_iter().map(RoleItem::from),
    )))
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/roles", tag = "users", operation_id = "create_role",
    description = "Also `/v1/auth/admin/roles`.",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = NewRole,
    responses((status = 201, description = "The role", body = RoleItem))
)]
pub(crate) async fn create(
    State(state): State<HostState>,
    caller: UserAdmin,
    Json(body): Json<NewRole>,
) -> Result<(StatusCode, axum::Json<RoleItem>), Problem> {
    let role = state
        .app
        .create_role(&caller.actor, caller.project, &body.name, &body.permissions)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(role.into())))
}

#[utoipa::path(
    patch, path = "/admin/v1/projects/{project}/roles/{name}", tag = "users", operation_id = "update_role",
    description = "Also `/v1/auth/admin/roles/{name}`. Holders have the permissions within a second.",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("name" = String, Path, description = "The role's name"),
        ("If-Match" = Option<String>, Header, description = "An `etag`: only what has it is changed"),
    ),
    request_body = RoleChange,
    responses(
        (status = 200, description = "The role as it is now", body = RoleItem),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
    )
)]
pub(crate) async fn update(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<RolePath>,
    IfMatch(condition): IfMatch,
    Json(body): Json<RoleChange>,
) -> Result<axum::Json<RoleItem>, Problem> {
    let role = state
        .app
        .update_role(
            &caller.actor,
            caller.project,
            &path.name,
            &body.permissions,
            &condition,
        )
        .await?;
    Ok(axum::Json(role.into()))
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/roles/{name}", tag = "users", operation_id = "delete_role",
    description = "Also `/v1/auth/admin/roles/{name}`. It is taken from all who hold it.",
    params(("project" = String, Path, description = "Id or slug"), ("name" = String, Path, description = "The role's name")),
    responses((status = 204, description = "The role is gone"))
)]
pub(crate) async fn delete(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<RolePath>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .delete_role(&caller.actor, caller.project, &path.name)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
