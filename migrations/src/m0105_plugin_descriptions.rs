//! What plugins say of their routes. Apart from the revisions, which are read
//! for every installation: a description is read when somebody asks for it.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0105_plugin_descriptions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &["CREATE TABLE plugin_descriptions (
                   revision_id {uuid} NOT NULL PRIMARY KEY
                       REFERENCES plugin_revisions (id) ON DELETE CASCADE,
                   document TEXT NOT NULL
               ) {strict}"],
        )
        .await
    }
}
