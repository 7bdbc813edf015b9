//! End users of projects, the roles that projects make themselves, and who
//! holds which. Emails and handles are stored in lower case, TOTP secrets
//! sealed; a role is named by its text, so that the built-in ones need no row.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0020_users"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE users (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     email TEXT NOT NULL,
                     handle TEXT,
                     name TEXT,
                     bio TEXT,
                     avatar TEXT,
                     password_hash TEXT,
                     email_verified_at {int},
                     disabled_at {int},
                     totp_secret TEXT,
                     totp_enabled_at {int},
                     totp_last_step {int} NOT NULL DEFAULT 0,
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     UNIQUE (project_id, email),
                     UNIQUE (project_id, handle)
                 ) {strict}",
                "CREATE INDEX users_project ON users (project_id, id)",
                "CREATE TABLE user_roles (
                     user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                     role TEXT NOT NULL,
                     PRIMARY KEY (user_id, role)
                 ) {strict}",
                "CREATE TABLE roles (
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     name TEXT NOT NULL,
                     permissions TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     PRIMARY KEY (project_id, name)
                 ) {strict}",
                "CREATE TABLE user_recovery_codes (
                     user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                     code_hash {bytes} NOT NULL,
                     PRIMARY KEY (user_id, code_hash)
                 ) {strict}",
                "CREATE TABLE user_one_time_tokens (
                     token_hash {bytes} NOT NULL PRIMARY KEY,
                     user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                     kind TEXT NOT NULL,
                     email TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     expires_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX user_one_time_tokens_user ON user_one_time_tokens (user_id, kind)",
                "CREATE INDEX user_one_time_tokens_expiry ON user_one_time_tokens (expires_at)",
            ],
        )
        .await
    }
}
