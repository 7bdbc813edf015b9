//! Plugin revisions: immutable uploads, addressed by the SHA-256 of their
//! bytes. The bytes lie in object storage.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_plugin_revisions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE plugin_revisions (
                     id {uuid} NOT NULL PRIMARY KEY,
                     plugin TEXT NOT NULL,
                     version TEXT NOT NULL,
                     digest {bytes} NOT NULL,
                     size_bytes {int} NOT NULL,
                     manifest TEXT NOT NULL,
                     imports TEXT NOT NULL,
                     exports TEXT NOT NULL,
                     builtin {bool} NOT NULL,
                     created_at {int} NOT NULL,
                     UNIQUE (plugin, digest)
                 ) {strict}",
                "CREATE INDEX plugin_revisions_plugin ON plugin_revisions (plugin, id)",
                "CREATE INDEX plugin_revisions_digest ON plugin_revisions (digest)",
            ],
        )
        .await
    }
}
