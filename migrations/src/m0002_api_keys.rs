//! API keys: only the SHA-256 of a key is stored. `revoked_at` may lie ahead.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_api_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE api_keys (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     kind TEXT NOT NULL CHECK (kind IN ('publishable', 'secret')),
                     name TEXT NOT NULL,
                     hash {bytes} NOT NULL UNIQUE,
                     hint TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     expires_at {int},
                     revoked_at {int},
                     last_used_at {int}
                 ) {strict}",
                "CREATE INDEX api_keys_project ON api_keys (project_id, id)",
            ],
        )
        .await
    }
}
