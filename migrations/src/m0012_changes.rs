//! The changes feed: what other nodes must take up. It starts with a row of
//! its own, and pruning always leaves the newest, so that a reader can tell
//! whether it missed any.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_changes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE changes (
                     seq {serial},
                     project_id {uuid},
                     kind TEXT NOT NULL,
                     subject TEXT,
                     at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX changes_at ON changes (at)",
                "INSERT INTO changes (kind, at) VALUES ('feed_started', 0)",
            ],
        )
        .await
    }
}
