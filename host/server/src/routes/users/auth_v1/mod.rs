//! `/auth/v1`: the calls of end users in the dialect of supabase's auth
//! client. A translation and nothing more: each call is one of the host's own,
//! with other names. What the host does not do is not here.
//!
//! The client is the description of this dialect; `/openapi.json` has the
//! host's own calls.

mod admin;
mod authorize;
mod error;
mod factors;
mod keys;
mod mails;
mod session;
mod settings;
mod user;
mod view;

pub(crate) use error::at_the_door as refused_in_dialect;

use crate::state::HostState;
use axum::{
    Router, middleware,
    routing::{delete, get, post},
};

/// The calls that are translated.
pub(super) fn calls() -> Router<HostState> {
    Router::new()
        .route("/signup", post(session::sign_up))
        .route("/token", post(session::token))
        .route("/logout", post(session::sign_out))
        .route("/user", get(user::read).put(user::update))
        .route("/user/identities/authorize", get(authorize::link))
        .route("/user/identities/{id}", delete(user::unlink))
        .route("/otp", post(mails::otp))
        .route("/recover", post(mails::recover))
        .route("/resend", post(mails::resend))
        .route("/verify", get(mails::open).post(mails::verify))
        .route("/factors", post(factors::enroll))
        .route("/factors/{id}", delete(factors::unenroll))
        .route("/factors/{id}/challenge", post(factors::challenge))
        .route("/factors/{id}/verify", post(factors::verify))
        .route("/authorize", get(authorize::lead))
        .route("/settings", get(settings::read))
        .route("/.well-known/jwks.json", get(keys::read))
        .route("/invite", post(admin::invite))
        .route("/admin/generate_link", post(admin::generate_link))
        .route("/admin/users/{id}/factors", get(admin::factors))
        .route(
            "/admin/users/{id}/factors/{factor}",
            delete(admin::remove_factor),
        )
        .route("/admin/users", get(admin::list).post(admin::add))
        .route(
            "/admin/users/{id}",
            get(admin::read).put(admin::change).delete(admin::remove),
        )
        .layer(middleware::from_fn(error::translate))
}
