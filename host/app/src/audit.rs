//! Who did what: every change of state leaves an entry, written in the unit
//! of work that makes the change. Reading is paged.

use crate::App;
use atlashub_core::{Caller, ProjectId, RequestId, Result};
use atlashub_data::platform::{AuditEvent, AuditFilter, MigrationStatus, NewAuditEvent, Page};
use serde_json::Value;

/// Who makes a change, and during which request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who.
    pub caller: Caller,
    /// During which request.
    pub request: Option<RequestId>,
}

impl Actor {
    /// The host itself, at start or on schedule.
    #[must_use]
    pub fn host() -> Self {
        Self {
            caller: Caller::Scheduler,
            request: None,
        }
    }

    /// The actor in one word: an id, or the kind of a caller without one.
    #[must_use]
    pub fn name(&self) -> String {
        self.caller
            .id()
            .unwrap_or_else(|| self.caller.kind().to_owned())
    }

    /// An audit entry by this actor.
    #[must_use]
    pub fn did(
        &self,
        action: &str,
        project: Option<ProjectId>,
        target: impl Into<Option<String>>,
        details: Value,
    ) -> NewAuditEvent {
        NewAuditEvent {
            project,
            actor: self.caller.clone(),
            action: action.to_owned(),
            target: target.into(),
            request: self.request,
            details,
        }
    }
}

impl App {
    /// A page of the audit, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn audit(&self, filter: &AuditFilter, limit: u64) -> Result<Page<AuditEvent, i64>> {
        self.platform().audit().list(filter, limit).await
    }

    /// The platform's migrations in order, and whether they have run.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn platform_migrations(&self) -> Result<Vec<MigrationStatus>> {
        self.platform().migrations().await
    }
}
