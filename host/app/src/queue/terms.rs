//! On which terms a schedule's job is done: those of the manifest that its
//! plugin is on, as the database knows it, so that all nodes find the same.

use atlashub_core::{
    Grant, Result, RevisionId,
    capability::jobs::{JobTarget, JobTerms, Schedule},
    job::JobDeclaration,
};
use atlashub_data::platform::{Installation, Installations, Platform, Revisions, Unit};
use moka::sync::Cache;
use std::sync::Arc;

/// Revisions whose jobs are remembered.
const REMEMBERED: u64 = 1_000;

/// How a schedule stands.
pub(super) enum Standing {
    /// Its job is done on these terms.
    Ready(JobTerms),
    /// Its plugin is off.
    Off,
    /// It was not granted, or is not declared any more.
    Refused,
}

/// Where the terms come from. What a revision declares never changes.
pub(crate) struct TermsOfJobs(Cache<RevisionId, Arc<Vec<JobDeclaration>>>);

impl TermsOfJobs {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Cache::new(REMEMBERED)))
    }

    /// How a schedule stands.
    pub(super) async fn of(&self, platform: &Platform, schedule: &Schedule) -> Result<Standing> {
        let (installations, revisions) = (platform.installations(), platform.revisions());
        self.look_up(installations, revisions, schedule).await
    }

    /// The same within a unit of work.
    pub(super) async fn within(&self, unit: &Unit, schedule: &Schedule) -> Result<Standing> {
        let (installations, revisions) = (unit.installations(), unit.revisions());
        self.look_up(installations, revisions, schedule).await
    }

    async fn look_up(
        &self,
        installations: Installations<'_>,
        revisions: Revisions<'_>,
        schedule: &Schedule,
    ) -> Result<Standing> {
        let found = installations.find(schedule.project, &schedule.plugin);
        let Some(installation) = found.await?.filter(|found| found.state.enabled) else {
            return Ok(Standing::Off);
        };
        let granted = |grant: Grant| installation.state.grants.contains(&grant);
        if !granted(Grant::Jobs) {
            return Ok(Standing::Refused);
        }
        match &schedule.terms.target {
            JobTarget::Platform(_) if granted(Grant::PlatformJobs) => {
                Ok(Standing::Ready(JobTerms::PLATFORM))
            }
            JobTarget::Platform(_) => Ok(Standing::Refused),
            JobTarget::Own(name) => {
                let declared = self.declared(revisions, &installation).await?;
                let job = declared.iter().find(|declared| declared.name == *name);
                Ok(job.map_or(Standing::Refused, |job| Standing::Ready(JobTerms::of(job))))
            }
        }
    }

    async fn declared(
        &self,
        revisions: Revisions<'_>,
        installation: &Installation,
    ) -> Result<Arc<Vec<JobDeclaration>>> {
        let id = installation.state.revision;
        if let Some(declared) = self.0.get(&id) {
            return Ok(declared);
        }
        let revision = revisions.find(id).await?;
        let declared = Arc::new(revision.map_or_else(Vec::new, |found| found.manifest.jobs));
        self.0.insert(id, Arc::clone(&declared));
        Ok(declared)
    }
}
