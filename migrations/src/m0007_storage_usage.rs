//! Bytes that a project uses, the most it may use, and the bytes set aside
//! for uploads under way. `used_bytes` includes what is set aside.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0007_storage_usage"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE storage_usage (
                     project_id {uuid} NOT NULL PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
                     used_bytes {int} NOT NULL CHECK (used_bytes >= 0),
                     limit_bytes {int} CHECK (limit_bytes >= 0)
                 ) {strict}",
                "CREATE TABLE storage_reservations (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     bytes {int} NOT NULL CHECK (bytes >= 0),
                     created_at {int} NOT NULL,
                     expires_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX storage_reservations_expiry ON storage_reservations (expires_at)",
                "CREATE INDEX storage_reservations_project ON storage_reservations (project_id)",
            ],
        )
        .await
    }
}
