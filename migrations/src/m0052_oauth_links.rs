//! What a code links to its user when it is used: somebody who is signed in
//! adds a way in, and the application has to show first that it was itself.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0052_oauth_links"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["ALTER TABLE oauth_codes ADD COLUMN links TEXT"]).await
    }
}
