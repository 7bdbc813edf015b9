//! Moving an installation to another engine: that one is under way to this
//! database, or has been verified, and which steps of it are done. There is one
//! move of a database at most, and none of most.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0135_engine_moves"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE engine_moves (
                     one {int} NOT NULL PRIMARY KEY CHECK (one = 1),
                     source TEXT NOT NULL,
                     begun_at {int} NOT NULL,
                     verified_at {int}
                 ) {strict}",
                "CREATE TABLE engine_move_steps (
                     name TEXT NOT NULL PRIMARY KEY,
                     done {bool} NOT NULL,
                     details TEXT NOT NULL,
                     updated_at {int} NOT NULL
                 ) {strict}",
            ],
        )
        .await
    }
}
