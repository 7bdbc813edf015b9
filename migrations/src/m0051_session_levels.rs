//! What a session of an end user has shown, and until when it may set a
//! password without the one before: after a link for who forgot theirs. A
//! code that gets such a session says so.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0051_session_levels"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "ALTER TABLE user_sessions ADD COLUMN level TEXT NOT NULL DEFAULT 'one_factor'
                     CHECK (level IN ('awaits_factor', 'one_factor', 'two_factors'))",
                "ALTER TABLE user_sessions ADD COLUMN recovers_until {int}",
                "ALTER TABLE oauth_codes ADD COLUMN recovers {bool} NOT NULL DEFAULT {false}",
            ],
        )
        .await
    }
}
