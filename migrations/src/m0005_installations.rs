//! Plugins installed in projects, and what each change to them was.
//! `generation` grows with every change; a writer names the one it read.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_installations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE installations (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     plugin TEXT NOT NULL,
                     revision_id {uuid} NOT NULL REFERENCES plugin_revisions (id),
                     previous_revision_id {uuid} REFERENCES plugin_revisions (id),
                     enabled {bool} NOT NULL,
                     config TEXT NOT NULL,
                     grants TEXT NOT NULL,
                     routes TEXT,
                     limits TEXT,
                     generation {int} NOT NULL,
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     UNIQUE (project_id, plugin)
                 ) {strict}",
                "CREATE INDEX installations_revision ON installations (revision_id)",
                "CREATE INDEX installations_previous_revision ON installations (previous_revision_id)",
                "CREATE TABLE installation_history (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     plugin TEXT NOT NULL,
                     installation_id {uuid} NOT NULL,
                     change TEXT NOT NULL,
                     generation {int} NOT NULL,
                     revision_id {uuid} NOT NULL,
                     enabled {bool} NOT NULL,
                     config TEXT NOT NULL,
                     grants TEXT NOT NULL,
                     routes TEXT,
                     limits TEXT,
                     actor TEXT NOT NULL,
                     at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX installation_history_plugin ON installation_history (project_id, plugin, id)",
            ],
        )
        .await
    }
}
