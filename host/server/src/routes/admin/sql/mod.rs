//! `/admin/v1/projects/{project}/sql`: the SQL editor.

pub(crate) mod cancel;
pub(crate) mod history;
pub(crate) mod run;
pub(crate) mod saved_add;
pub(crate) mod saved_list;
pub(crate) mod saved_put;
pub(crate) mod saved_remove;

use crate::state::HostState;
use atlashub_data::platform::SavedQuery;
use axum::{
    Router,
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is below `/admin`.
pub(super) fn router() -> Router<HostState> {
    Router::new()
        .route("/v1/projects/{project}/sql", post(run::handle))
        .route(
            "/v1/projects/{project}/sql/{id}/cancel",
            post(cancel::handle),
        )
        .route("/v1/projects/{project}/sql/history", get(history::handle))
        .route("/v1/projects/{project}/sql/saved", get(saved_list::handle))
        .route(
            "/v1/projects/{project}/sql/saved/{id}",
            put(saved_put::handle).delete(saved_remove::handle),
        )
}

/// Creating calls, which take an `Idempotency-Key`.
pub(super) fn creating() -> Router<HostState> {
    Router::new().route("/v1/projects/{project}/sql/saved", post(saved_add::handle))
}

/// A statement to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryText {
    /// Its name, unique within the project.
    name: String,
    /// The statement.
    sql: String,
}

/// A statement that is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct SavedQueryView {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// The statement.
    sql: String,
    /// Who kept it.
    actor: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<SavedQuery> for SavedQueryView {
    fn from(saved: SavedQuery) -> Self {
        Self {
            id: saved.id,
            name: saved.name,
            sql: saved.sql,
            actor: saved.actor,
            created_at: saved.created_at,
            updated_at: saved.updated_at,
        }
    }
}
