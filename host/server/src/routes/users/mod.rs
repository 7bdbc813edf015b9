//! `/v1/auth`, and the same calls below `/auth` and `/users`: what the end
//! users of a project do. The gateway has found the project and the caller
//! before a request comes here.

pub(crate) mod app_passwords;
mod auth_v1;
pub(crate) mod avatar;
pub(crate) mod caller;
pub(crate) mod confirm;
pub(crate) mod forgot;
pub(crate) mod identities;
pub(crate) mod jwks;
pub(crate) mod kept;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod magic_link;
pub(crate) mod manage;
pub(crate) mod me;
pub(crate) mod oauth;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod refresh;
pub(crate) mod sessions;
pub(crate) mod signup;
pub(crate) mod totp;
pub(crate) mod verify_email;
mod view;

pub(crate) use auth_v1::refused_in_dialect;

use super::idempotency;
use crate::state::HostState;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, post, put},
};

/// All calls of end users, at the three places where they are answered.
pub(super) fn router(state: &HostState) -> Router<HostState> {
    Router::new()
        .nest("/v1/auth", calls(state).nest("/users", profiles()))
        .nest("/auth", calls(state).nest("/users", profiles()))
        .nest("/users", calls(state).merge(profiles()))
        .nest("/auth/v1", auth_v1::calls())
}

/// What everybody may see of a user.
fn profiles() -> Router<HostState> {
    Router::new()
        .route("/{id}", get(profile::handle))
        .route("/{id}/avatar", get(avatar::show))
}

/// Creating calls, which take an `Idempotency-Key`.
fn creating(state: &HostState) -> Router<HostState> {
    Router::new()
        .route("/app-passwords", post(app_passwords::create))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            idempotency::of_users,
        ))
}

fn calls(state: &HostState) -> Router<HostState> {
    Router::new()
        .route("/signup", post(signup::handle))
        .route("/login", post(login::handle))
        .route("/refresh", post(refresh::handle))
        .route("/logout", post(logout::handle))
        .route("/me", get(me::show).put(me::update))
        .route(
            "/me/avatar",
            post(avatar::set)
                .layer(DefaultBodyLimit::max(avatar::MAX_FORM))
                .delete(avatar::remove),
        )
        .route("/password", put(password::handle))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", delete(sessions::end))
        .route("/app-passwords", get(app_passwords::list))
        .merge(creating(state))
        .route("/app-passwords/{id}", delete(app_passwords::end))
        .route("/totp", delete(totp::remove))
        .route("/totp/enroll", post(totp::enroll))
        .route("/totp/verify", post(totp::verify))
        .route("/forgot-password", post(forgot::ask))
        .route("/reset-password", post(forgot::reset))
        .route("/verify-email", post(verify_email::handle))
        .route("/magic-link", post(magic_link::handle))
        .route("/identities", get(identities::list).post(identities::link))
        .route("/identities/{id}", delete(identities::unlink))
        .route("/oauth/token", post(oauth::token::handle))
        .route("/oauth/{provider}", get(oauth::start::handle))
        .route("/oauth/{provider}/callback", get(oauth::callback::handle))
        .route("/confirm", get(confirm::show).post(confirm::confirm))
        .nest("/admin", manage::calls(state))
        .route("/.well-known/jwks.json", get(jwks::handle))
}
