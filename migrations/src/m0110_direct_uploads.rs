//! Uploads that were announced and come by a signed link. `reservation_id` is
//! what is set aside for one that goes straight to the store, as long as it
//! may still come; `check_at` is when somebody is to look at the row next.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0110_direct_uploads"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE direct_uploads (
                     id {uuid} PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     plugin TEXT NOT NULL,
                     bucket TEXT NOT NULL,
                     object_key TEXT NOT NULL,
                     max_bytes {int} NOT NULL,
                     is_straight {bool} NOT NULL,
                     reservation_id {uuid},
                     sha256 TEXT,
                     claimed_until {int},
                     settled_at {int},
                     expires_at {int} NOT NULL,
                     check_at {int} NOT NULL
                 ) {strict}",
                "CREATE UNIQUE INDEX direct_uploads_key ON direct_uploads
                     (project_id, plugin, bucket, object_key)",
                "CREATE INDEX direct_uploads_reservation ON direct_uploads (reservation_id)
                     WHERE reservation_id IS NOT NULL",
                "CREATE INDEX direct_uploads_check ON direct_uploads (check_at)",
            ],
        )
        .await
    }
}
