//! Which node set storage aside, so that what a dead one left is given back
//! soon; and which accounts are to be counted anew because of it.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0090_storage_recounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "ALTER TABLE storage_reservations ADD COLUMN node_id {uuid}",
                "ALTER TABLE storage_usage ADD COLUMN recount_since {int}",
                "CREATE INDEX storage_usage_recount ON storage_usage (recount_since)
                     WHERE recount_since IS NOT NULL",
            ],
        )
        .await
    }
}
