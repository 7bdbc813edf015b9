//! What is done by a backup policy: who is at it, which try it is, and how the
//! last one failed. `fence` grows each time that a node takes it, so that one
//! who comes back late is told apart; `made_id` is the backup of this turn that
//! is still to be tested. The policy's own `due_at` moves when a turn has ended.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0150_backup_turns"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &["CREATE TABLE backup_turns (
                     owner_id {uuid} NOT NULL PRIMARY KEY
                         REFERENCES backup_policies (owner_id) ON DELETE CASCADE,
                     fence {int} NOT NULL,
                     attempt {int} NOT NULL,
                     lease_until {int},
                     wait_until {int},
                     made_id {uuid},
                     verify_due_at {int},
                     failed_at {int},
                     error TEXT
                 ) {strict}"],
        )
        .await
    }
}
