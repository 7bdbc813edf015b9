//! What plugins published to held streams, for a short while: how other nodes
//! learn of it, and what a client that comes back has missed. It starts with a
//! row of its own, and pruning always leaves the newest, so that a reader can
//! tell whether it missed any.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0080_channel_messages"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE channel_messages (
                     seq {serial},
                     project_id {uuid} REFERENCES projects (id) ON DELETE CASCADE,
                     plugin TEXT NOT NULL,
                     channel TEXT NOT NULL,
                     event TEXT NOT NULL,
                     data TEXT NOT NULL,
                     at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX channel_messages_channel ON channel_messages
                     (project_id, plugin, channel, seq)",
                "CREATE INDEX channel_messages_at ON channel_messages (at)",
                "INSERT INTO channel_messages (plugin, channel, event, data, at)
                     VALUES ('', '', '', '', 0)",
            ],
        )
        .await
    }
}
