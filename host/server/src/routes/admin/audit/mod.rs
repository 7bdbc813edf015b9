//! `/admin/v1/audit`: who did what.

pub(crate) mod export;
pub(crate) mod list;

use crate::{problem::Problem, state::HostState};
use atlashub_data::platform::{AuditEvent, AuditFilter};
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
}

impl AuditQuery {
    async fn filter(self, state: &HostState) -> Result<AuditFilter, Problem> {
        let project = match self.project.as_deref() {
            // A project that is gone still has its events.
            Some(text) => Some(match text.parse() {
                Ok(id) => id,
                Err(_) => state.app.project(text).await?.id,
            }),
            None => None,
        };
        Ok(AuditFilter {
            project,
            actor: self.actor,
            action: self.action,
            target: self.target,
            from: self.from,
            until: self.to,
            before: None,
        })
    }
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
