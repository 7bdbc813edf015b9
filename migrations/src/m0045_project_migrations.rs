//! What changed the tables of projects: numbered within the project, written
//! before it runs and completed after it. One that was never completed was cut
//! short, and may or may not have happened.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0045_project_migrations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &["CREATE TABLE project_migrations (
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     number {int} NOT NULL,
                     title TEXT NOT NULL,
                     sql TEXT,
                     digest TEXT,
                     actor TEXT NOT NULL,
                     started_at {int} NOT NULL,
                     applied_at {int},
                     PRIMARY KEY (project_id, number)
                 ) {strict}"],
        )
        .await
    }
}
