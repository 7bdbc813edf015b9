//! Invitations of platform admins. Only the SHA-256 of an invitation's token
//! is kept; an address has one invitation at a time.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0033_admin_invitations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE admin_invitations (
                     id {uuid} NOT NULL PRIMARY KEY,
                     email TEXT NOT NULL UNIQUE,
                     role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
                     token_hash {bytes} NOT NULL UNIQUE,
                     invited_by {uuid} REFERENCES admins (id) ON DELETE SET NULL,
                     created_at {int} NOT NULL,
                     expires_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX admin_invitations_expiry ON admin_invitations (expires_at)",
                "CREATE INDEX admin_invitations_inviter ON admin_invitations (invited_by)",
            ],
        )
        .await
    }
}
