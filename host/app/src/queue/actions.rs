//! What the platform does for a project as a job: a registry of actions, which
//! is filled while the app starts. An action that nobody has put in is not
//! available, and whoever asks for it is told so.

use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, PluginName, ProjectId, Result, capability::jobs::PlatformJob,
};
use atlashub_data::platform::{Lease, Platform};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Actions that a node works on at once: one that takes long holds no more
/// workers than these.
const AT_ONCE: usize = 4;

/// A job of the platform's.
pub struct PlatformTask {
    /// The project that it is for.
    pub project: ProjectId,
    /// The plugin that asked for it.
    pub plugin: PluginName,
    /// What it was asked with, JSON.
    pub payload: String,
    /// 1 at first.
    pub attempt: u32,
    /// The attempt after which it is given up.
    pub max_attempts: u32,
    pub(super) platform: Platform,
    pub(super) lease: Lease,
}

impl PlatformTask {
    /// Says how far it is.
    ///
    /// # Errors
    /// `job_lost` when it was cancelled or another node has it now: stop.
    pub async fn progress(&self, percent: u8, note: Option<String>) -> Result<()> {
        let queue = self.platform.queue();
        if queue.note_progress(self.lease, percent, note).await? {
            Ok(())
        } else {
            Err(lost())
        }
    }
}

/// Does a job of the platform's. It is done at least once; an error that is a
/// client's fault ends the job, any other has it tried again.
#[async_trait]
pub trait PlatformAction: Send + Sync {
    /// Whether it can be done for a project, so that whoever asks is told at
    /// once.
    ///
    /// # Errors
    /// `platform_job_unavailable`.
    async fn check(&self, project: ProjectId) -> Result<()> {
        let _ = project;
        Ok(())
    }

    /// Does it. Dropped when it takes longer than the job may, or is
    /// cancelled.
    async fn run(&self, task: &PlatformTask) -> Result<()>;
}

/// The actions of this node.
pub struct PlatformActions {
    actions: RwLock<BTreeMap<PlatformJob, Arc<dyn PlatformAction>>>,
    places: Semaphore,
}

impl PlatformActions {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            actions: RwLock::default(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// Makes an action available, in place of the one before.
    pub fn register(&self, job: PlatformJob, action: Arc<dyn PlatformAction>) {
        self.actions.write().insert(job, action);
    }

    /// The action.
    ///
    /// # Errors
    /// `platform_job_unavailable`.
    pub(crate) fn get(&self, job: PlatformJob) -> Result<Arc<dyn PlatformAction>> {
        self.actions.read().get(&job).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "platform_job_unavailable",
                format!("this host does not do `{}` as a job", job.as_str()),
            )
        })
    }

    /// A place to work in, if one is free.
    pub(super) fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }
}

/// The error of who no longer has a job.
pub(super) fn lost() -> Error {
    Error::conflict(
        "job_lost",
        "the job was cancelled, or another worker has it now",
    )
}
