//! How the parts that remember something take changes up from the feed.

use crate::{
    blobs::BlobStore,
    changes::{ChangeBatch, ChangeListener},
    directory::Directory,
};
use async_trait::async_trait;
use atlashub_core::Result;
use atlashub_data::platform::ChangeKind;

#[async_trait]
impl ChangeListener for Directory {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        if batch.lost {
            return self.reload().await;
        }
        self.apply(&batch.changes).await
    }
}

/// What was lost heals by itself: buckets are remembered for half a minute.
#[async_trait]
impl ChangeListener for BlobStore {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        for change in &batch.changes {
            let buckets_may_differ = matches!(
                change.kind,
                ChangeKind::ProjectCreated
                    | ChangeKind::ProjectChanged
                    | ChangeKind::ProjectDeleted
                    | ChangeKind::Other(_)
            );
            if let Some(project) = change.project.filter(|_| buckets_may_differ) {
                self.forget(project);
            }
        }
        Ok(())
    }
}
