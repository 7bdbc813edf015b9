//! Plugins that changed are brought up apart from the changes feed: a task a
//! project, so that none compiles in the way of a revoked key.

use super::Directory;
use crate::changes::chain;
use atlashub_core::ProjectId;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Projects whose plugins are brought up at once.
const AT_ONCE: usize = 8;
/// Wait after the database could not.
const RETRY: Duration = Duration::from_millis(500);

/// The projects whose plugins are being brought up.
pub(super) struct Renewals {
    /// Each with whether something changed since its task began.
    projects: Mutex<HashMap<ProjectId, bool>>,
    turns: Arc<Semaphore>,
}

impl Default for Renewals {
    fn default() -> Self {
        Self {
            projects: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Renewals {
    /// Notes a change; whether it needs a task, since none is there.
    fn note(&self, project: ProjectId) -> bool {
        let mut projects = self.projects.lock();
        let runs = projects.contains_key(&project);
        projects.insert(project, true);
        !runs
    }

    /// Begins with what changed so far; false ends the task, as nothing did
    /// since it last began.
    fn begin(&self, project: ProjectId) -> bool {
        let mut projects = self.projects.lock();
        let changed = projects.insert(project, false).unwrap_or_default();
        if !changed {
            projects.remove(&project);
        }
        changed
    }

    /// Ends a task that did not end by itself.
    fn give_up(&self, project: ProjectId) {
        self.projects.lock().remove(&project);
    }

    /// Keeps the present change for another try.
    fn again(&self, project: ProjectId) {
        self.projects.lock().insert(project, true);
    }
}

impl Directory {
    /// Has the plugins of a project that is up brought up anew, soon. Changes
    /// that come meanwhile are taken up together, after that.
    pub(super) fn renew(&self, project: ProjectId) {
        if self.renewals.note(project) {
            tokio::spawn(renew(
                Weak::clone(&self.own),
                Arc::clone(&self.renewals.turns),
                project,
            ));
        }
    }
}

/// A task of a project. One that breaks leaves the place to the next.
struct Task {
    directory: Weak<Directory>,
    project: ProjectId,
    ended: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.ended
            && let Some(directory) = self.directory.upgrade()
        {
            directory.renewals.give_up(self.project);
        }
    }
}

async fn renew(directory: Weak<Directory>, turns: Arc<Semaphore>, project: ProjectId) {
    let mut task = Task {
        directory: Weak::clone(&directory),
        project,
        ended: false,
    };
    loop {
        let Ok(_turn) = turns.acquire().await else {
            return;
        };
        let Some(known) = directory.upgrade() else {
            return;
        };
        if !known.renewals.begin(project) {
            task.ended = true;
            return;
        }
        // What is not up reads the newest when it is asked for.
        let Some(entry) = known.by_id(project).filter(|entry| entry.is_up()) else {
            continue;
        };
        if let Err(error) = known.bring_up(&entry, None).await {
            tracing::warn!(
                error = %chain(&error), project = %entry.slug,
                "changed plugins were not brought up, trying again"
            );
            known.renewals.again(project);
            drop(known);
            tokio::time::sleep(RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_one_task_that_takes_up_what_comes_meanwhile_once() {
        let (renewals, project) = (Renewals::default(), ProjectId::new());
        assert!(renewals.note(project));
        assert!(!renewals.note(project));
        assert!(renewals.begin(project));
        assert!(!renewals.note(project));
        assert!(!renewals.note(project));
        assert!(renewals.begin(project));
        assert!(!renewals.begin(project));
        assert!(renewals.note(project));
    }

    #[test]
    fn a_task_that_broke_leaves_its_place_to_the_next() {
        let (renewals, project) = (Renewals::default(), ProjectId::new());
        assert!(renewals.note(project));
        assert!(renewals.begin(project));
        renewals.give_up(project);
        assert!(renewals.note(project));
    }

    #[test]
    fn a_try_that_failed_is_made_again() {
        let (renewals, project) = (Renewals::default(), ProjectId::new());
        assert!(renewals.note(project));
        assert!(renewals.begin(project));
        renewals.again(project);
        assert!(renewals.begin(project));
        assert!(!renewals.begin(project));
    }
}
