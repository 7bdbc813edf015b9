//! Tries at signing in and the like, counted for all nodes together. A slot
//! stands for an account or an address and is one of a fixed number, so the
//! table is bounded whatever strangers send; `free_at` is when all its tries
//! have come back, after which the row says nothing.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0030_tries"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE tries (
                     slot {int} NOT NULL PRIMARY KEY,
                     free_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX tries_free ON tries (free_at)",
            ],
        )
        .await
    }
}
