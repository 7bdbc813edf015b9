//! Looking after a project's users and roles: below
//! `/admin/v1/projects/{project}` for platform admins, and below
//! `/v1/auth/admin` for the project's own users with the role `admin` and for
//! its secret keys.

pub(crate) mod add;
pub(crate) mod auth;
pub(crate) mod change;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod invite;
pub(crate) mod list;
pub(crate) mod providers;
pub(crate) mod reset_totp;
pub(crate) mod roles;

use crate::state::HostState;
use axum::{
    Router,
    routing::{delete, get as read, patch, post},
};
use serde::Deserialize;

/// A user that a path names; who looks after users has found the project.
#[derive(Deserialize)]
pub(crate) struct UserPath {
    /// The user's id.
    pub(crate) id: String,
}

/// A role that a path names.
#[derive(Deserialize)]
pub(crate) struct RolePath {
    /// The role's name.
    pub(crate) name: String,
}

/// What may be done in both places.
pub(crate) fn calls() -> Router<HostState> {
    Router::new()
        .route("/users", read(list::handle).post(add::handle))
        .route(
            "/users/{id}",
            read(get::handle)
                .patch(change::handle)
                .delete(delete::handle),
        )
        .route("/users/{id}/invite", post(invite::handle))
        .route("/users/{id}/totp", delete(reset_totp::handle))
        .route("/roles", read(roles::list).post(roles::create))
        .route("/roles/{name}", patch(roles::update).delete(roles::delete))
}

/// What platform admins do besides.
pub(crate) fn settings() -> Router<HostState> {
    Router::new()
        .route("/auth", read(auth::show).put(auth::put))
        .route("/auth/keys/rotate", post(auth::rotate))
        .route("/auth/providers", read(providers::list))
        .route(
            "/auth/providers/{name}",
            read(providers::get)
                .put(providers::put)
                .delete(providers::delete),
        )
}
