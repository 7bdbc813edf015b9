//! Platform admins and their sessions. Emails are stored in lower case,
//! session tokens as SHA-256, TOTP secrets sealed.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_admins"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE admins (
                     id {uuid} NOT NULL PRIMARY KEY,
                     email TEXT NOT NULL UNIQUE,
                     password_hash TEXT NOT NULL,
                     role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'viewer')),
                     totp_secret TEXT,
                     created_at {int} NOT NULL,
                     disabled_at {int}
                 ) {strict}",
                "CREATE TABLE admin_sessions (
                     id {uuid} NOT NULL PRIMARY KEY,
                     admin_id {uuid} NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
                     token_hash {bytes} NOT NULL UNIQUE,
                     created_at {int} NOT NULL,
                     expires_at {int} NOT NULL,
                     revoked_at {int}
                 ) {strict}",
                "CREATE INDEX admin_sessions_admin ON admin_sessions (admin_id)",
                "CREATE INDEX admin_sessions_expiry ON admin_sessions (expires_at)",
            ],
        )
        .await
    }
}
