//! Requests that projects were asked, the latest of each: which route, by what
//! kind of caller, how it ended and how long it took. `missed` counts those
//! before it that came too fast to be kept. No foreign key, as for the lines of
//! plugins, which an index makes readable over all plugins of a project.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0160_requests"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE requests (
                     seq {serial},
                     project_id {uuid} NOT NULL,
                     at {int} NOT NULL,
                     plugin TEXT,
                     method TEXT NOT NULL,
                     path TEXT NOT NULL,
                     status {int} NOT NULL,
                     micros {int} NOT NULL,
                     bytes {int} NOT NULL,
                     caller TEXT,
                     request_id {uuid},
                     missed {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX requests_project ON requests (project_id, seq)",
                "CREATE INDEX requests_at ON requests (at)",
                "CREATE INDEX plugin_logs_project ON plugin_logs (project_id, seq)",
            ],
        )
        .await
    }
}
