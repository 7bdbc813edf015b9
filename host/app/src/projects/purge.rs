//! Removing what a deleted project leaves: database, objects, rows. Taken up
//! again by the next sweep when a part fails, or when a crash came between.

use super::IN_THE_MAKING;
use crate::{App, changes::chain, maintenance::NOTICE};
use atlashub_core::{ProjectId, Result};
use atlashub_data::platform::Project;
use parking_lot::Mutex;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::Notify;

/// No making of a project takes this long.
const MAKING: Duration = Duration::from_secs(15 * 60);

/// What the purge of projects keeps in mind.
#[derive(Default)]
pub(crate) struct Purge {
    wanted: Notify,
    making: Arc<Mutex<HashSet<ProjectId>>>,
}

/// Keeps a project in the making from being purged.
pub(crate) struct Making {
    id: ProjectId,
    all: Arc<Mutex<HashSet<ProjectId>>>,
}

impl Drop for Making {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

impl App {
    pub(crate) fn making(&self, id: ProjectId) -> Making {
        let all = Arc::clone(&self.purge().making);
        all.lock().insert(id);
        Making { id, all }
    }

    pub(crate) fn want_purge(&self) {
        self.purge().wanted.notify_one();
    }

    /// Waits until somebody deleted a project.
    pub(crate) async fn purge_wanted(&self) {
        self.purge().wanted.notified().await;
    }

    pub(crate) async fn purge_deleted_projects(&self) {
        let deleted = match self.platform().projects().deleted().await {
            Ok(deleted) => deleted,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "deleted projects were not looked up");
                return;
            }
        };
        for project in deleted {
            if !self.is_due(&project) {
                continue;
            }
            match self.still_of_use(&project).await {
                Ok(false) => {}
                Ok(true) => continue,
                Err(error) => {
                    tracing::warn!(project = %project.id, error = %chain(&error), "it was not found out whether a hidden project is of use");
                    continue;
                }
            }
            match self.purge_project(project.id).await {
                Ok(()) => tracing::info!(project = %project.id, "a deleted project is gone"),
                Err(error) => {
                    tracing::warn!(project = %project.id, error = %chain(&error), "a deleted project is not gone yet");
                }
            }
        }
    }

    fn is_due(&self, project: &Project) -> bool {
        if self.purge().making.lock().contains(&project.id) {
            return false;
        }
        // Another node may be at work on a project in the making. On SQLite
        // there is no other node.
        let alone = self.platform().engine() == atlashub_data::platform::Engine::Sqlite;
        let making = project.settings.other.contains_key(IN_THE_MAKING);
        let patience = if making && !alone { MAKING } else { NOTICE };
        project
            .deleted_at
            .is_some_and(|at| at + patience <= self.clock().now())
    }

    /// Whether a project's data lies in a hidden one, or is being loaded to it.
    async fn still_of_use(&self, project: &Project) -> Result<bool> {
        self.backups().remove_leftover(project.id).await?;
        self.backups().is_of_use(project).await
    }

    async fn purge_project(&self, id: ProjectId) -> Result<()> {
        self.databases().drop(id).await?;
        self.blobs().delete_project(id).await?;
        self.platform().idempotency().delete_all(id).await?;
        self.platform().projects().purge(id).await.map(drop)
    }
}
