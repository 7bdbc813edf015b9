//! Passwords that end users make for single programs. They are random, so
//! that a plain hash of them is enough. Ending one removes its row.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0070_user_app_passwords"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE user_app_passwords (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                     name TEXT NOT NULL,
                     hash {bytes} NOT NULL UNIQUE,
                     created_at {int} NOT NULL,
                     last_used_at {int}
                 ) {strict}",
                "CREATE INDEX user_app_passwords_user ON user_app_passwords (user_id, id)",
                "CREATE INDEX user_app_passwords_project ON user_app_passwords (project_id)",
            ],
        )
        .await
    }
}
