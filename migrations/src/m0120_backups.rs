//! Backups: where each archive is known, the work on them, and how each
//! project wants it done. A backup outlives its project, so that neither it
//! nor the work refers to one. `lease_until` is renewed by whoever is at work;
//! a policy's `owner_id` is its project's id, and nil for the platform.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0120_backups"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE backups (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid},
                     slug TEXT,
                     reason TEXT NOT NULL
                         CHECK (reason IN ('manual', 'scheduled', 'before_restore')),
                     state TEXT NOT NULL CHECK (state IN ('running', 'ready', 'failed')),
                     step TEXT NOT NULL,
                     bytes {int} NOT NULL,
                     sha256 TEXT,
                     objects {int} NOT NULL,
                     row_count {int} NOT NULL,
                     error TEXT,
                     actor TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     finished_at {int},
                     verified_at {int},
                     verify_error TEXT,
                     lease_until {int},
                     CHECK ((lease_until IS NOT NULL) = (state = 'running'))
                 ) {strict}",
                "CREATE INDEX backups_project ON backups (project_id, id)",
                // One at a time of a project.
                "CREATE UNIQUE INDEX backups_running ON backups (project_id)
                     WHERE state = 'running'",
                "CREATE TABLE backup_runs (
                     id {uuid} NOT NULL PRIMARY KEY,
                     backup_id {uuid} NOT NULL,
                     kind TEXT NOT NULL
                         CHECK (kind IN ('verify', 'restore_new', 'restore_over')),
                     project_id {uuid},
                     staging_id {uuid},
                     state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
                     step TEXT NOT NULL,
                     bytes {int} NOT NULL,
                     before_id {uuid},
                     error TEXT,
                     actor TEXT NOT NULL,
                     created_at {int} NOT NULL,
                     finished_at {int},
                     lease_until {int},
                     CHECK ((lease_until IS NOT NULL) = (state = 'running'))
                 ) {strict}",
                "CREATE INDEX backup_runs_backup ON backup_runs (backup_id, id)",
                "CREATE UNIQUE INDEX backup_runs_restoring ON backup_runs (project_id)
                     WHERE state = 'running' AND kind = 'restore_over'",
                "CREATE TABLE backup_policies (
                     owner_id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} REFERENCES projects (id) ON DELETE CASCADE,
                     settings TEXT NOT NULL,
                     due_at {int},
                     updated_at {int} NOT NULL
                 ) {strict}",
                "CREATE INDEX backup_policies_due ON backup_policies (due_at)
                     WHERE due_at IS NOT NULL",
            ],
        )
        .await
    }
}
