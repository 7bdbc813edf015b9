//! `GET /admin/v1/audit`, also `/admin/logs`: who did what.

use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_data::platform::{AuditEvent, AuditFilter};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which events; absent members let all through.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Of this project, by id or slug.
    project: Option<String>,
    /// Of the caller with this id.
    actor: Option<String>,
    /// Of this action; `project.*` for all of a thing.
    action: Option<String>,
    /// Done to this thing.
    target: Option<String>,
    /// At this time or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<OffsetDateTime>,
    /// Before this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<OffsetDateTime>,
    /// How many, 1 to 1000; 50 unless given.
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditView {
    /// Its number; grows with each event.
    seq: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// In which project; null for the platform.
    #[schema(required)]
    project_id: Option<Uuid>,
    /// The kind of caller.
    actor_kind: String,
    /// The caller's id.
    #[schema(required)]
    actor_id: Option<String>,
    /// What was done, as in `project.create`.
    action: String,
    /// To which thing.
    #[schema(required)]
    target: Option<String>,
    /// During which request.
    #[schema(required)]
    request_id: Option<Uuid>,
    /// What else is worth knowing.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<AuditEvent> for AuditView {
    fn from(event: AuditEvent) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            project_id: event.project.map(|id| *id.as_uuid()),
            actor_kind: event.actor_kind,
            actor_id: event.actor_id,
            action: event.action,
            target: event.target,
            request_id: event.request.map(|id| *id.as_uuid()),
            details: event.details,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/audit", tag = "operations", operation_id = "audit",
    params(AuditQuery),
    responses((status = 200, description = "Events, newest first", body = List<AuditView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(query): Query<AuditQuery>,
) -> Result<Json<List<AuditView>>, Problem> {
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let project = match query.project.as_deref() {
        // A project that is gone still has its events.
        Some(text) => Some(match text.parse() {
            Ok(id) => id,
            Err(_) => state.app.project(text).await?.id,
        }),
        None => None,
    };
    let filter = AuditFilter {
        project,
        actor: query.actor,
        action: query.action,
        target: query.target,
        from: query.from,
        until: query.to,
        before: page.cursor()?,
    };
    let events = state.app.audit(&filter, page.limit()).await?;
    Ok(Json(List::of(events, AuditView::from)))
}
