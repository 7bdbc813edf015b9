//! What is running now on this node, so that it can be stopped. Another node's
//! statements are stopped through the changes feed.

use crate::changes::{ChangeBatch, ChangeListener};
use async_trait::async_trait;
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use atlashub_data::platform::ChangeKind;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Statements of one project at once, on one node.
const PER_PROJECT: usize = 4;
/// Statements of all projects at once, on one node.
const PER_NODE: usize = 32;

/// Statements that run now.
#[derive(Default)]
pub(crate) struct Running {
    stops: Mutex<HashMap<(ProjectId, Uuid), CancellationToken>>,
}

/// A statement that runs; it is forgotten when this is dropped.
pub(crate) struct Entry {
    running: Arc<Running>,
    key: (ProjectId, Uuid),
    stop: CancellationToken,
}

impl Running {
    /// Enters a statement.
    ///
    /// # Errors
    /// `too_many_statements`, `statement_running` when the id is taken.
    pub(crate) fn enter(self: &Arc<Self>, project: ProjectId, id: Uuid) -> Result<Entry> {
        let mut stops = self.stops.lock();
        let of_project = stops.keys().filter(|(own, _)| *own == project).count();
        if of_project >= PER_PROJECT || stops.len() >= PER_NODE {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "too_many_statements",
                "other statements of the editor are running, wait for them or stop them",
            )
            .with_retry_after(1));
        }
        if stops.contains_key(&(project, id)) {
            return Err(Error::conflict(
                "statement_running",
                "a statement with this id is running",
            ));
        }
        let stop = CancellationToken::new();
        stops.insert((project, id), stop.clone());
        Ok(Entry {
            running: Arc::clone(self),
            key: (project, id),
            stop,
        })
    }

    /// Stops a statement; whether it runs on this node.
    pub(crate) fn stop(&self, project: ProjectId, id: Uuid) -> bool {
        let stops = self.stops.lock();
        let found = stops.get(&(project, id));
        if let Some(stop) = found {
            stop.cancel();
        }
        found.is_some()
    }
}

impl Entry {
    /// Cancelled when the statement is to be stopped.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.stops.lock().remove(&self.key);
    }
}

#[async_trait]
impl ChangeListener for Running {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        for change in &batch.changes {
            let id = change.subject.as_deref().and_then(|id| id.parse().ok());
            if let (ChangeKind::StatementCancelled, Some(project), Some(id)) =
                (&change.kind, change.project, id)
            {
                self.stop(project, id);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_bounded_stopped_and_forgotten() {
        let running = Arc::new(Running::default());
        let (project, other) = (ProjectId::new(), ProjectId::new());
        let id = Uuid::now_v7();
        let entry = running.enter(project, id).unwrap();
        let code = |result: Result<Entry>| result.err().unwrap().code().to_owned();
        assert_eq!(code(running.enter(project, id)), "statement_running");
        assert!(!running.stop(other, id), "another project's was stopped");
        assert!(running.stop(project, id) && entry.stop().is_cancelled());
        let more: Vec<Entry> = (1..PER_PROJECT)
            .map(|_| running.enter(project, Uuid::now_v7()).unwrap())
            .collect();
        let refused = running.enter(project, Uuid::now_v7());
        assert_eq!(code(refused), "too_many_statements");
        drop((entry, more));
        assert!(!running.stop(project, id));
        let _again = running.enter(project, id).unwrap();
    }
}
