//! What admins see of the queue and do with it.

use crate::{Actor, App};
use atlashub_core::{Error, ItemId, PluginName, ProjectId, Result};
use atlashub_data::platform::{ItemFilter, Page, QueueCounts, QueueItem, Unit};
use serde_json::json;

impl App {
    /// A page of a project's items, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn queue_items(
        &self,
        project: ProjectId,
        filter: &ItemFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Page<QueueItem, i64>> {
        let queue = self.platform().queue();
        queue.list(project, filter, before, limit).await
    }

    /// How many items of a project are in each state.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn queue_counts(&self, project: ProjectId) -> Result<QueueCounts> {
        self.platform().queue().counts(project).await
    }

    /// One item of a project.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn queue_item(&self, project: ProjectId, item: ItemId) -> Result<QueueItem> {
        let found = self.platform().queue().find(project, item).await?;
        found.ok_or_else(|| Error::not_found("queue item"))
    }

    /// Lets an item be tried at once, with all its tries before it.
    ///
    /// # Errors
    /// `not_found`, `queue_item_not_retryable`, `queue_item_exists`.
    pub async fn retry_queue_item(
        &self,
        actor: &Actor,
        project: ProjectId,
        item: ItemId,
    ) -> Result<QueueItem> {
        let unit = self.platform().begin().await?;
        let retried = unit.queue().retry(project, item).await?;
        self.queue_changed(unit, actor, "queue.retry", retried)
            .await
    }

    /// Takes an item back that has not ended. A handler that runs is stopped
    /// within a lease.
    ///
    /// # Errors
    /// `not_found`, `queue_item_ended`.
    pub async fn cancel_queue_item(
        &self,
        actor: &Actor,
        project: ProjectId,
        item: ItemId,
    ) -> Result<QueueItem> {
        let unit = self.platform().begin().await?;
        let cancelled = unit.queue().cancel(project, item).await?;
        self.queue_changed(unit, actor, "queue.cancel", cancelled)
            .await
    }

    /// Notes what an admin did with an item, and has the workers look.
    async fn queue_changed(
        &self,
        unit: Unit,
        actor: &Actor,
        action: &str,
        item: QueueItem,
    ) -> Result<QueueItem> {
        let about = json!({ "consumer": item.consumer, "name": item.name });
        let did = actor.did(action, Some(item.project), item.id.to_string(), about);
        unit.audit().append(did).await?;
        unit.commit().await?;
        self.queue().wake();
        Ok(item)
    }

    /// Readies what waits for a plugin that may be there again. When it
    /// fails, the items are looked at by themselves in a while.
    pub(crate) async fn release_queue(&self, project: ProjectId, plugin: &PluginName) {
        match self.platform().queue().release(project, plugin).await {
            Ok(0) => {}
            Ok(_) => self.queue().wake(),
            Err(error) => tracing::warn!(%error, %plugin, "work that waits was not readied"),
        }
    }
}
