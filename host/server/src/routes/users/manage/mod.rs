//! Looking after a project's users and roles: below
//! `/admin/v1/projects/{project}` for platform admins, and below
//! `/v1/auth/admin` for the project's own users with the role `admin` and for
//! its secret keys.

pub(crate) mod add;
pub(crate) mod app_passwords;
pub(crate) mod auth;
pub(crate) mod change;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod invite;
pub(crate) mod list;
pub(crate) mod permissions;
pub(crate) mod providers;
pub(crate) mod remove_avatar;
pub(crate) mod reset_totp;
pub(crate) mod roles;
pub(crate) mod sessions;

use super::super::idempotency;
use crate::state::HostState;
use axum::{
    Router, middleware,
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
pub(crate) fn calls(state: &HostState) -> Router<HostState> {
    // Creating calls, which take an `Idempotency-Key`.
    let creating = Router::new()
        .route("/users", post(add::handle))
        .route("/users/{id}/invite", post(invite::handle))
        .route("/roles", post(roles::create))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            idempotency::of_user_admins,
        ));
    Router::new()
        .route("/users", read(list::handle))
        .route(
            "/users/{id}",
            read(get::handle)
                .patch(change::handle)
                .delete(delete::handle),
        )
        .route("/users/{id}/avatar", delete(remove_avatar::handle))
        .route("/users/{id}/totp", delete(reset_totp::handle))
        .route("/users/{id}/app-passwords", read(app_passwords::list))
        .route(
            "/users/{id}/app-passwords/{password}",
            delete(app_passwords::end),
        )
        .route(
            "/users/{id}/sessions",
            read(sessions::list).delete(sessions::end_all),
        )
        .route("/users/{id}/sessions/{session}", delete(sessions::end))
        .route("/permissions", read(permissions::handle))
        .route("/roles", read(roles::list))
        .route("/roles/{name}", patch(roles::update).delete(roles::delete))
        .merge(creating)
}

/// What platform admins do besides.
pub(crate) fn settings() -> Router<HostState> {
    Router::new()
        .route("/auth", read(auth::show).put(auth::put))
        .route("/auth/providers", read(providers::list))
        .route(
            "/auth/providers/{name}",
            read(providers::get)
                .put(providers::put)
                .delete(providers::delete),
        )
}
