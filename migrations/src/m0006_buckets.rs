//! Buckets of a project.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_buckets"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &["CREATE TABLE buckets (
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     name TEXT NOT NULL,
                     settings TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     PRIMARY KEY (project_id, name)
                 ) {strict}"],
        )
        .await
    }
}
