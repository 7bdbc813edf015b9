//! What a project uses and may use.

use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result};
use atlashub_data::platform::{ProjectPatch, ProjectSettings, StorageUsage};
use serde_json::json;

/// What a project uses and may use.
#[derive(Clone, Debug)]
pub struct ProjectUsage {
    /// Bytes stored.
    pub storage: StorageUsage,
    /// The limits that an admin set beside storage.
    pub settings: ProjectSettings,
}

/// Limits to set. `None` leaves one as it is, `Some(None)` goes back to the
/// platform's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuotaPatch {
    /// The most bytes the project may store; `Some(None)` for no limit.
    pub storage_bytes: Option<Option<u64>>,
    /// The most bytes one end user may store.
    pub user_storage_bytes: Option<Option<u64>>,
    /// Requests in a second, sustained.
    pub requests_per_second: Option<Option<u32>>,
    /// Requests that read, of one caller, in a second.
    pub caller_reads_per_second: Option<Option<u32>>,
    /// Requests that change something, of one caller, in a second.
    pub caller_writes_per_second: Option<Option<u32>>,
}

impl App {
    /// What a project uses and may use.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn project_usage(&self, project: ProjectId) -> Result<ProjectUsage> {
        let storage = self.platform().usage().get(project).await?;
        let found = self.platform().projects().find(project).await?;
        let settings = found.ok_or_else(|| Error::not_found("project"))?.settings;
        Ok(ProjectUsage { storage, settings })
    }

    /// Sets limits of a project.
    ///
    /// # Errors
    /// `not_found`, `invalid_quota`.
    pub async fn set_quota(
        &self,
        actor: &Actor,
        project: ProjectId,
        wanted: QuotaPatch,
    ) -> Result<ProjectUsage> {
        let too_large = |bytes: Option<Option<u64>>| {
            bytes
                .flatten()
                .is_some_and(|bytes| i64::try_from(bytes).is_err())
        };
        let rates = [
            wanted.requests_per_second,
            wanted.caller_reads_per_second,
            wanted.caller_writes_per_second,
        ];
        if too_large(wanted.storage_bytes)
            || too_large(wanted.user_storage_bytes)
            || rates.contains(&Some(Some(0)))
        {
            return Err(Error::invalid(
                "invalid_quota",
                "a limit is above 0 and below 2^63",
            ));
        }
        let unit = self.platform().begin().await?;
        let found = unit
            .projects()
            .find(project)
            .await?
            .ok_or_else(|| Error::not_found("project"))?;
        if let Some(limit) = wanted.storage_bytes {
            unit.usage().set_limit(project, limit).await?;
        }
        let mut settings = found.settings;
        if let Some(limit) = wanted.user_storage_bytes {
            settings.user_storage_bytes = limit;
        }
        if let Some(limit) = wanted.requests_per_second {
            settings.requests_per_second = limit;
        }
        if let Some(limit) = wanted.caller_reads_per_second {
            settings.caller_reads_per_second = limit;
        }
        if let Some(limit) = wanted.caller_writes_per_second {
            settings.caller_writes_per_second = limit;
        }
        unit.projects()
            .update(
                project,
                ProjectPatch {
                    settings: Some(settings),
                    ..ProjectPatch::default()
                },
            )
            .await?;
        let details = json!({
            "storage_bytes": wanted.storage_bytes,
            "user_storage_bytes": wanted.user_storage_bytes,
            "requests_per_second": wanted.requests_per_second,
            "caller_reads_per_second": wanted.caller_reads_per_second,
            "caller_writes_per_second": wanted.caller_writes_per_second,
        });
        unit.audit()
            .append(actor.did("quota.set", Some(project), project.to_string(), details))
            .await?;
        unit.commit().await?;
        self.take_up(project).await;
        self.project_usage(project).await
    }
}
