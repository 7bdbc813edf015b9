//! Sessions of end users and their refresh tokens, of which only the hash is
//! kept. A session is the family of its refresh tokens. A session outlives its
//! user as a row, so that access tokens of a user who is gone are still known
//! to be void.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0021_user_sessions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE user_sessions (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     user_id {uuid} NOT NULL,
                     user_agent TEXT,
                     address TEXT,
                     created_at {int} NOT NULL,
                     refreshed_at {int} NOT NULL,
                     expires_at {int} NOT NULL,
                     revoked_at {int}
                 ) {strict}",
                "CREATE INDEX user_sessions_user ON user_sessions (user_id, id)",
                "CREATE INDEX user_sessions_project ON user_sessions (project_id)",
                "CREATE INDEX user_sessions_expiry ON user_sessions (expires_at)",
                "CREATE TABLE user_refresh_tokens (
                     token_hash {bytes} NOT NULL PRIMARY KEY,
                     session_id {uuid} NOT NULL REFERENCES user_sessions (id) ON DELETE CASCADE,
                     created_at {int} NOT NULL,
                     spent_at {int},
                     replaced_by {bytes}
                 ) {strict}",
                "CREATE INDEX user_refresh_tokens_session ON user_refresh_tokens (session_id)",
            ],
        )
        .await
    }
}
