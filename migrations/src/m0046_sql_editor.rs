//! The SQL editor: what was run in a project, and what was kept to be run
//! again.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0046_sql_editor"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE sql_history (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     actor TEXT NOT NULL,
                     mode TEXT NOT NULL,
                     sql TEXT NOT NULL,
                     outcome TEXT NOT NULL,
                     row_count {int} NOT NULL,
                     duration {int} NOT NULL,
                     at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX sql_history_project ON sql_history (project_id, id)",
                "CREATE TABLE saved_queries (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     name TEXT NOT NULL,
                     sql TEXT NOT NULL,
                     actor TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     UNIQUE (project_id, name)
                 ) {strict}",
            ],
        )
        .await
    }
}
