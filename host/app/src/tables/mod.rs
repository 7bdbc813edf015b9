//! A project's own tables, as admins see and change them. What changes them is
//! written down as begun, made in the project's database, and then completed
//! with its statements, where every other node learns of it. One that was cut
//! short is completed or forgotten, as the project's database says.

mod change;
mod migrations;
mod policies;
mod settle;
mod view;

pub use change::Author;

use crate::changes::{ChangeBatch, ChangeListener};
use async_trait::async_trait;
use atlashub_core::Result;
use atlashub_data::{platform::ChangeKind, project::ProjectDatabases};

/// Has a node look at tables anew that another one changed.
pub(crate) struct TablesWatch(pub(crate) ProjectDatabases);

#[async_trait]
impl ChangeListener for TablesWatch {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        if batch.lost {
            self.0.all_tables_changed();
            return Ok(());
        }
        for change in &batch.changes {
            let tables_may_differ = matches!(
                change.kind,
                ChangeKind::TablesChanged | ChangeKind::Other(_)
            );
            if let Some(project) = change.project.filter(|_| tables_may_differ) {
                self.0.tables_changed(project);
            }
        }
        Ok(())
    }
}
