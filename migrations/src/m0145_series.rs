//! What projects did over time. A row of `series` holds what happened from
//! `at` on for `step` seconds in one plugin of one project, each event in one
//! row only; the plugin is empty for what no plugin answered, the project nil
//! for the sum of all. `series_levels` has what was there at a moment, written
//! when it changed. `series_writes` keeps a write that was sent twice from
//! counting twice. No foreign keys: one write holds rows of many projects, and
//! those of a project just deleted must not lose the others.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0145_series"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE series (
                     project_id {uuid} NOT NULL,
                     at {int} NOT NULL,
                     step {int} NOT NULL CHECK (step IN (60, 3600, 86400)),
                     plugin TEXT NOT NULL,
                     requests {int} NOT NULL,
                     client_errors {int} NOT NULL,
                     server_errors {int} NOT NULL,
                     bytes_out {int} NOT NULL,
                     jobs_done {int} NOT NULL,
                     jobs_failed {int} NOT NULL,
                     l0 {int} NOT NULL, l1 {int} NOT NULL, l2 {int} NOT NULL, l3 {int} NOT NULL,
                     l4 {int} NOT NULL, l5 {int} NOT NULL, l6 {int} NOT NULL, l7 {int} NOT NULL,
                     l8 {int} NOT NULL, l9 {int} NOT NULL, l10 {int} NOT NULL, l11 {int} NOT NULL,
                     l12 {int} NOT NULL, l13 {int} NOT NULL, l14 {int} NOT NULL, l15 {int} NOT NULL,
                     PRIMARY KEY (project_id, at, step, plugin)
                 ) {strict}",
                "CREATE INDEX series_step ON series (step, at)",
                "CREATE TABLE series_levels (
                     project_id {uuid} NOT NULL,
                     at {int} NOT NULL,
                     storage_bytes {int} NOT NULL,
                     jobs_waiting {int} NOT NULL,
                     PRIMARY KEY (project_id, at)
                 ) {strict}",
                "CREATE INDEX series_levels_at ON series_levels (at)",
                "CREATE TABLE series_writes (
                     id {uuid} NOT NULL PRIMARY KEY,
                     at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX series_writes_at ON series_writes (at)",
            ],
        )
        .await
    }
}
