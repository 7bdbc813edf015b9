//! Projects, and the host names that lead to them. A deleted project keeps
//! its row until it is purged, but not its slug.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_projects"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE projects (
                     id {uuid} NOT NULL PRIMARY KEY,
                     slug TEXT NOT NULL,
                     name TEXT NOT NULL,
                     settings TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     deleted_at {int}
                 ) {strict}",
                "CREATE UNIQUE INDEX projects_slug ON projects (slug) WHERE deleted_at IS NULL",
                "CREATE TABLE domains (
                     host TEXT NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     created_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX domains_project ON domains (project_id)",
            ],
        )
        .await
    }
}
