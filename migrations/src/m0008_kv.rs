//! Small values of plugins. Keys are bytes, so that both engines list them in
//! byte order.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0008_kv"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE kv (
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     plugin TEXT NOT NULL,
                     key {bytes} NOT NULL,
                     value {bytes} NOT NULL,
                     version {int} NOT NULL,
                     expires_at {int},
                     PRIMARY KEY (project_id, plugin, key)
                 ) {strict}",
                "CREATE INDEX kv_expiry ON kv (expires_at) WHERE expires_at IS NOT NULL",
            ],
        )
        .await
    }
}
