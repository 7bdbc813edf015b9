//! How a project lets its end users in, and the keys that sign their access
//! tokens. Private halves are sealed; a key's id is the `kid` of its tokens.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0022_project_auth"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE auth_settings (
                     project_id {uuid} NOT NULL PRIMARY KEY
                         REFERENCES projects (id) ON DELETE CASCADE,
                     settings TEXT NOT NULL,
                     updated_at {int} NOT NULL
                 ) {strict}",
                "CREATE TABLE auth_signing_keys (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     public_key {bytes} NOT NULL,
                     sealed_private_key TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     retired_at {int}
                 ) {strict}",
                "CREATE INDEX auth_signing_keys_project ON auth_signing_keys (project_id)",
                // One key of a project signs.
                "CREATE UNIQUE INDEX auth_signing_keys_current
                     ON auth_signing_keys (project_id) WHERE retired_at IS NULL",
            ],
        )
        .await
    }
}
