//! Answers kept for `Idempotency-Key`. `scope` is a project's id, or
//! `platform`; `attempt` names the request that holds a running key.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_idempotency_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE idempotency_keys (
                     scope TEXT NOT NULL,
                     caller TEXT NOT NULL,
                     key TEXT NOT NULL,
                     request_hash {bytes} NOT NULL,
                     attempt {uuid} NOT NULL,
                     state TEXT NOT NULL CHECK (state IN ('running', 'done')),
                     status {int},
                     headers TEXT,
                     body {bytes},
                     started_at {int} NOT NULL,
                     expires_at {int} NOT NULL,
                     PRIMARY KEY (scope, caller, key)
                 ) {strict}",
                "CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at)",
            ],
        )
        .await
    }
}
