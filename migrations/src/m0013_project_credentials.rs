//! Sealed passwords of the database roles of a project.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0013_project_credentials"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &["CREATE TABLE project_credentials (
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     role TEXT NOT NULL,
                     sealed_password TEXT NOT NULL,
                     updated_at {int} NOT NULL,
                     PRIMARY KEY (project_id, role)
                 ) {strict}"],
        )
        .await
    }
}
