//! Backups: archives of a project or of the platform, made while everything
//! goes on, and put back whole or not at all.
//!
//! An archive of a project holds its database, its rows of the platform, the
//! components that it uses and its objects. The database is shown as it was
//! at one moment, the rows as of a moment after it, and the objects last: an
//! object comes before what refers to it and goes after it, so none is missed
//! that was there; and one that is deleted meanwhile is kept until the archive
//! is ready (see [`BlobStore`](crate::blobs::BlobStore)).
//!
//! What is restored is loaded beside what is there, under an id of its own,
//! and checked while it is. Only then does one transaction of the platform
//! say that it takes the place: before it nothing has changed, after it
//! everything has. What was there before is archived first.
//!
//! Whoever is at work renews a lease; what nobody renews has failed. Memory is
//! bounded by chunks, but for ids of end users while a project is copied.

mod archive;
#[cfg(test)]
mod damages;
mod links;
mod load;
mod make;
mod platform;
mod policy;
mod restore;
mod rows;
mod turns;
mod watch;

pub use archive::ArchiveFacts;
pub use archive::ArchiveKeys;
pub use links::BackupDownload;
pub use policy::policy_tag;
pub use restore::{RestoreInto, Restored};

use crate::Actor;
use atlashub_core::{Clock, Error, ErrorKind, ProjectId, Result, capability::blob::ByteStream};
use atlashub_data::{
    platform::{
        Backup, BackupPolicy, BackupReason, BackupRun, Platform, Project, RunKind, seal::Sealer,
    },
    project::ProjectDatabases,
};
use atlashub_storage::{ObjectPath, PathPrefix, Storage, links::LinkKey};
use serde_json::json;
use std::{path::PathBuf, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// Backups that are listed at once.
const MAX_LIST: u64 = 200;

/// What backups are made with.
pub struct BackupsParts {
    /// Rows.
    pub platform: Platform,
    /// Databases of projects.
    pub databases: ProjectDatabases,
    /// Objects of projects.
    pub storage: Storage,
    /// Where archives are kept.
    pub archives: Storage,
    /// Seal archives.
    pub keys: ArchiveKeys,
    /// Seals what rows hold.
    pub sealer: Sealer,
    /// Sign links to archives: the first signs, all verify.
    pub link_keys: Vec<LinkKey>,
    /// What links start with.
    pub public_url: String,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// A folder for what has to lie somewhere while an archive is made.
    pub scratch: PathBuf,
    /// The policy of projects, and of the platform, that have none of their
    /// own.
    pub usual_policy: Option<BackupPolicy>,
}

/// Makes backups and restores them. Cheap to clone.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    parts: BackupsParts,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Backups {
    /// Puts the parts together. Work ends when `stop` says so.
    #[must_use]
    pub fn new(parts: BackupsParts, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            parts,
            stop,
            tasks: TaskTracker::new(),
        }))
    }

    /// Learns where data of restored projects lies: for whoever has no
    /// directory of projects that does.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_locations(&self) -> Result<()> {
        for project in self.parts().platform.projects().load_all().await? {
            self.know(&project);
        }
        Ok(())
    }

    pub(crate) fn know(&self, project: &Project) {
        know(&self.parts().databases, &self.parts().sealer, project);
    }

    fn parts(&self) -> &BackupsParts {
        &self.0.parts
    }

    fn platform(&self) -> &Platform {
        &self.0.parts.platform
    }

    /// Waits until all work has ended, which it does soon after `stop`.
    pub async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// A backup of the project, or of the platform for `None`.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, project: Option<ProjectId>, id: Uuid) -> Result<Backup> {
        let found = self.platform().backups().get(id).await?;
        if found.project == project {
            return Ok(found);
        }
        Err(Error::not_found("backup"))
    }

    /// Of which project a backup is; `None` for the platform.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn owner_of(&self, id: Uuid) -> Result<Option<ProjectId>> {
        Ok(self.platform().backups().get(id).await?.project)
    }

    /// Backups of the project, or of the platform for `None`, newest first,
    /// and whether there are more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: Option<ProjectId>,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Backup>> {
        let limit = limit.clamp(1, MAX_LIST + 1);
        self.platform().backups().list(project, before, limit).await
    }

    /// Backups of everything, also of projects that are gone.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list_all(&self, before: Option<Uuid>, limit: u64) -> Result<Vec<Backup>> {
        let limit = limit.clamp(1, MAX_LIST + 1);
        self.platform().backups().list_all(before, limit).await
    }

    /// Work on a backup, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn runs(&self, backup: Uuid) -> Result<Vec<BackupRun>> {
        self.platform().backups().runs(backup).await
    }

    /// A run.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn run(&self, id: Uuid) -> Result<BackupRun> {
        self.platform().backups().get_run(id).await
    }

    /// What an archive is about, as far as can be told without reading it
    /// whole.
    ///
    /// # Errors
    /// `archive_unreadable`, `archive_key_unknown`, `archive_damaged`.
    pub async fn look_at(&self, archive: ByteStream) -> Result<ArchiveFacts> {
        let (_, about) = archive::ArchiveReader::open(archive, &self.parts().keys).await?;
        Ok(ArchiveFacts {
            backup: about.backup,
            project: about.project.map(|project| project.slug),
            created_at: about.created_at,
        })
    }

    /// Where the archive of a backup lies, which need not be known here.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn find_archive(&self, id: Uuid) -> Result<ObjectPath> {
        if let Ok(backup) = self.platform().backups().get(id).await {
            return ObjectPath::backup(backup.project, &id);
        }
        let name = format!("{id}.ahb");
        let mut after: Option<String> = None;
        loop {
            let archives = &self.parts().archives;
            let page = archives
                .walk(&PathPrefix::backups(), after.as_deref(), 500)
                .await?;
            for entry in &page.entries {
                let Some((whose, file)) = entry.key.split_once('/') else {
                    continue;
                };
                if file == name {
                    let project: Option<ProjectId> = whose.parse().ok();
                    return ObjectPath::backup(project, &id);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Err(Error::not_found("backup")),
            }
        }
    }

    /// Begins a backup of the project, or of the platform for `None`, and
    /// answers what is known of it; it goes on by itself.
    ///
    /// # Errors
    /// `backup_running`, `backup_tools_missing`.
    pub async fn begin(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        reason: BackupReason,
    ) -> Result<Backup> {
        let id = self.start(actor, project, reason).await?;
        let this = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = this.make(id, project).await {
                tracing::warn!(backup = %id, error = %crate::changes::chain(&error), "a backup was not made");
            } else if let Err(error) = this.keep_to_policy(project).await {
                tracing::warn!(error = %crate::changes::chain(&error), "old backups were not removed");
            }
        });
        self.platform().backups().get(id).await
    }

    /// As [`begin`](Self::begin), and waits until it is ready.
    ///
    /// # Errors
    /// As `begin`, and whatever keeps it from being made.
    pub async fn make_now(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        reason: BackupReason,
    ) -> Result<Backup> {
        let id = self.start(actor, project, reason).await?;
        self.make(id, project).await?;
        self.platform().backups().get(id).await
    }

    async fn start(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        reason: BackupReason,
    ) -> Result<Uuid> {
        self.parts().databases.check_tools().await?;
        let found = match project {
            Some(id) => Some(self.project(id).await?),
            None => None,
        };
        let named = found
            .as_ref()
            .map(|project| (project.id, project.slug.as_str()));
        let unit = self.platform().begin().await?;
        let id = unit
            .backups()
            .begin(named, reason, &actor.name(), watch::LEASE)
            .await?;
        let details = json!({ "reason": reason.as_str() });
        unit.audit()
            .append(actor.did("backup.create", project, id.to_string(), details))
            .await?;
        unit.commit().await?;
        Ok(id)
    }

    /// Deletes a backup and its archive.
    ///
    /// # Errors
    /// `not_found`, `backup_in_use`.
    pub async fn delete(&self, actor: &Actor, project: Option<ProjectId>, id: Uuid) -> Result<()> {
        self.get(project, id).await?;
        self.forget(project, id).await?;
        let event = actor.did("backup.delete", project, id.to_string(), json!({}));
        self.platform().audit().append(event).await
    }

    /// The row goes first: an archive without one is only too much, a row
    /// without one would be wrong.
    async fn forget(&self, project: Option<ProjectId>, id: Uuid) -> Result<()> {
        if !self.platform().backups().forget(id).await? {
            return Err(Error::conflict(
                "backup_in_use",
                "the backup is being made, verified or restored: wait until that has ended",
            ));
        }
        let path = ObjectPath::backup(project, &id)?;
        self.parts().archives.delete(&path).await.map(drop)
    }

    /// Begins to verify a backup: it is read whole and loaded, and that is
    /// thrown away.
    ///
    /// # Errors
    /// `not_found`, `backup_not_ready`.
    pub async fn verify(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        id: Uuid,
    ) -> Result<BackupRun> {
        let backup = self.ready(project, id).await?;
        let run = self
            .platform()
            .backups()
            .begin_run(id, RunKind::Verify, None, None, &actor.name(), watch::LEASE)
            .await?;
        let this = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = this.verify_now(run, &backup).await {
                tracing::warn!(backup = %id, error = %crate::changes::chain(&error), "a backup failed its test");
            }
        });
        self.platform().backups().get_run(run).await
    }

    /// A backup that is ready.
    async fn ready(&self, project: Option<ProjectId>, id: Uuid) -> Result<Backup> {
        let backup = self.get(project, id).await?;
        if backup.state == "ready" {
            return Ok(backup);
        }
        Err(Error::conflict(
            "backup_not_ready",
            "the backup is not ready: it is being made, or failed",
        ))
    }

    async fn project(&self, id: ProjectId) -> Result<Project> {
        let found = self.platform().projects().find(id).await?;
        found.ok_or_else(|| Error::not_found("project"))
    }
}

/// Takes note of where a project's data lies, and as what its plugins seal.
pub(crate) fn know(databases: &ProjectDatabases, sealer: &Sealer, project: &Project) {
    let settings = &project.settings;
    databases.locations().set(project.id, settings.location());
    sealer.set_sealed_as(project.id, settings.sealed_as());
}

/// The error for requests of a project that is being restored.
#[must_use]
pub fn being_restored() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "project_restoring",
        "the project is being restored, try again in a while",
    )
    .with_retry_after(5)
}
