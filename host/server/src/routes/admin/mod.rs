//! `/admin/v1`: what platform admins do.

pub(crate) mod admins;
pub(crate) mod audit;
pub(crate) mod backups;
pub(crate) mod check;
pub(crate) mod domains;
pub(crate) mod generated;
pub(crate) mod installations;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod migrations;
pub(crate) mod plugins;
pub(crate) mod projects;
pub(crate) mod queue;
pub(crate) mod schedules;
pub(crate) mod series;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod sql;
pub(crate) mod tables;

use super::{idempotency, users::manage};
use crate::state::HostState;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, post, put},
};
use http::{HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Room for the fields beside a component in an upload, bytes.
const FORM_ROOM: usize = 1024 * 1024;

/// All admin routes, below `/admin`.
pub(super) fn router(state: &HostState) -> Router<HostState> {
    let max_upload = state
        .config
        .limits
        .max_component()
        .saturating_add(FORM_ROOM);
    // Creating calls, which take an `Idempotency-Key`.
    let creating = Router::new()
        .route("/v1/projects", post(projects::create::handle))
        .route("/v1/projects/{project}/keys", post(keys::create::handle))
        .route(
            "/v1/projects/{project}/keys/{id}/rotate",
            post(keys::rotate::handle),
        )
        .route("/v1/projects/{project}/domains", post(domains::add::handle))
        .route("/v1/invitations", post(invitations::create::handle))
        .route(
            "/v1/projects/{project}/export",
            post(projects::export::handle),
        )
        .route(
            "/v1/projects/{project}/import",
            post(projects::import::handle),
        )
        .route(
            "/v1/projects/{project}/auth/keys/rotate",
            post(manage::auth::rotate),
        )
        .merge(backups::creating())
        .merge(schedules::creating())
        .merge(sql::creating())
        .merge(tables::creating())
        .layer(middleware::from_fn_with_state(
            state.clone(),
            idempotency::of_admins,
        ));
    Router::new()
        .route("/v1/setup", post(setup::handle).get(setup::show))
        .route(
            "/v1/session",
            post(session::create::handle)
                .get(session::show::handle)
                .delete(session::delete::handle),
        )
        .route("/v1/session/password", put(session::password::handle))
        .route(
            "/v1/session/totp",
            post(session::totp::begin).delete(session::totp::remove),
        )
        .route("/v1/session/totp/verify", post(session::totp::verify))
        .route("/v1/admins", get(admins::list::handle))
        .route(
            "/v1/admins/{id}",
            get(admins::get::handle)
                .patch(admins::update::handle)
                .delete(admins::remove::handle),
        )
        .route("/v1/admins/{id}/totp", delete(admins::reset_totp::handle))
        .route("/v1/invitations", get(invitations::list::handle))
        .route("/v1/invitations/{id}", delete(invitations::remove::handle))
        .route("/v1/invitations/accept", post(invitations::accept::handle))
        .route("/v1/projects", get(projects::list::handle))
        .route(
            "/v1/projects/{project}",
            get(projects::get::handle)
                .patch(projects::update::handle)
                .delete(projects::delete::handle),
        )
        .route("/v1/check", post(check::handle))
        .route("/v1/settings", get(settings::show))
        .route("/v1/settings/mail", post(settings::try_mail))
        .route("/v1/projects/{project}/usage", get(projects::usage::handle))
        .route(
            "/v1/projects/{project}/requests",
            get(projects::requests::handle),
        )
        .route(
            "/v1/projects/{project}/logs",
            get(installations::logs::of_project),
        )
        .route(
            "/v1/projects/{project}/check",
            post(projects::check::handle),
        )
        .route("/v1/projects/{project}/quota", put(projects::quota::handle))
        .route("/v1/projects/{project}/keys", get(keys::list::handle))
        .route(
            "/v1/projects/{project}/keys/{id}",
            delete(keys::revoke::handle),
        )
        .route("/v1/projects/{project}/domains", get(domains::list::handle))
        .route(
            "/v1/projects/{project}/domains/{host}",
            delete(domains::remove::handle),
        )
        .route(
            "/v1/projects/{project}/plugins",
            get(installations::list::handle),
        )
        .route(
            "/v1/projects/{project}/plugins/{plugin}",
            get(installations::get::handle)
                .put(installations::put::handle)
                .delete(installations::remove::handle),
        )
        .route(
            "/v1/projects/{project}/plugins/{plugin}/logs",
            get(installations::logs::handle),
        )
        .route(
            "/v1/projects/{project}/plugins/{plugin}/metrics",
            get(installations::metrics::handle),
        )
        .route(
            "/v1/projects/{project}/plugins/{plugin}/page-token",
            post(installations::page_token::handle),
        )
        .route("/v1/plugins/{plugin}", get(plugins::get::handle))
        .route(
            "/v1/plugins",
            get(plugins::list::handle)
                .merge(post(plugins::upload::handle).layer(DefaultBodyLimit::max(max_upload))),
        )
        .route(
            "/v1/projects/{project}/openapi.json",
            get(generated::openapi::handle),
        )
        .route(
            "/v1/projects/{project}/types.ts",
            get(generated::types::handle),
        )
        .merge(backups::router())
        .merge(queue::router())
        .merge(schedules::router())
        .merge(series::router())
        .merge(sql::router())
        .merge(tables::router())
        .route("/v1/audit", get(audit::list::handle))
        .route("/v1/audit/export", get(audit::export::handle))
        .route("/logs", get(audit::list::handle))
        .route("/v1/migrations", get(migrations::handle))
        .merge(creating)
        .nest(
            "/v1/projects/{project}",
            manage::calls(state).merge(manage::settings()),
        )
        .layer(cors(&state.config.network.cors_origins))
}

/// Lets pages of the configured origins call; without any, browsers keep
/// other origins out.
fn cors(origins: &[String]) -> CorsLayer {
    if origins.is_empty() {
        return CorsLayer::new();
    }
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderName::from_static("x-request-id"),
        ])
        .expose_headers([
            http::HeaderName::from_static("x-request-id"),
            header::ETAG,
            header::LOCATION,
        ])
}
