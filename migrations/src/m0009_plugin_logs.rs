//! Log lines of plugins. No foreign key: a batch holds lines of many
//! projects, and a line of a project just deleted must not lose the others.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0009_plugin_logs"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE plugin_logs (
                     seq {serial},
                     project_id {uuid} NOT NULL,
                     plugin TEXT NOT NULL,
                     at {int} NOT NULL,
                     level {int} NOT NULL,
                     source TEXT NOT NULL,
                     request_id {uuid},
                     message TEXT NOT NULL
                 ) {strict}",
                "CREATE INDEX plugin_logs_plugin ON plugin_logs (project_id, plugin, seq)",
                "CREATE INDEX plugin_logs_at ON plugin_logs (at)",
            ],
        )
        .await
    }
}
