//! The nodes that are up: each says so every few seconds, so that all know
//! by how many a budget is to be divided.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0031_nodes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &["CREATE TABLE nodes (
                 id {uuid} NOT NULL PRIMARY KEY,
                 started_at {int} NOT NULL,
                 seen_at {int} NOT NULL
             ) {strict}"],
        )
        .await
    }
}
