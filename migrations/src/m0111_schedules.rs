//! Schedules: times at which a plugin's job comes by itself. `next_at` is set
//! while one is on, and the index on it is all that is looked at while nothing
//! is due. With `rearm` set, `next_at` is no time of the schedule: the next one
//! is to be reckoned from then. `last_due_at` only grows, so that no time runs
//! twice.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0111_schedules"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE schedules (
                     id {uuid} NOT NULL PRIMARY KEY,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     plugin TEXT NOT NULL,
                     name TEXT NOT NULL,
                     fixed {bool} NOT NULL,
                     target TEXT NOT NULL,
                     expression TEXT NOT NULL,
                     zone TEXT NOT NULL,
                     catch_up TEXT NOT NULL CHECK (catch_up IN ('skip', 'once', 'all')),
                     overlap {bool} NOT NULL,
                     payload TEXT NOT NULL,
                     enabled {bool} NOT NULL,
                     paused {bool} NOT NULL,
                     suspended {bool} NOT NULL,
                     rearm {bool} NOT NULL,
                     next_at {int},
                     last_due_at {int},
                     last_item {uuid},
                     missed {int} NOT NULL,
                     last_missed_at {int},
                     created_at {int} NOT NULL,
                     updated_at {int} NOT NULL,
                     UNIQUE (project_id, plugin, name)
                 ) {strict}",
                "CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL",
            ],
        )
        .await
    }
}
