//! Jobs in the queue: how long an attempt may take, how long one waits after
//! the first, and for those of a schedule which of its times they are for. Of
//! one time of one schedule there is one job; its `subject` is the schedule.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0112_queue_jobs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "ALTER TABLE queue_items ADD COLUMN timeout_ms {int}",
                "ALTER TABLE queue_items ADD COLUMN backoff_ms {int}",
                "ALTER TABLE queue_items ADD COLUMN schedule TEXT",
                "ALTER TABLE queue_items ADD COLUMN tick_at {int}",
                "CREATE UNIQUE INDEX queue_items_ticks ON queue_items (subject, tick_at)
                     WHERE tick_at IS NOT NULL",
            ],
        )
        .await
    }
}
