//! Second factors of platform admins: when the secret was proven, the last
//! time step of which a code was accepted, and recovery codes, of which only
//! the SHA-256 is kept.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0032_admin_second_factors"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "ALTER TABLE admins ADD COLUMN totp_enabled_at {int}",
                "ALTER TABLE admins ADD COLUMN totp_last_step {int} NOT NULL DEFAULT 0",
                "CREATE TABLE admin_recovery_codes (
                     admin_id {uuid} NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
                     code_hash {bytes} NOT NULL,
                     PRIMARY KEY (admin_id, code_hash)
                 ) {strict}",
            ],
        )
        .await
    }
}
