//! The queue: work that a project's plugins are to do, one row an item.
//! `finished_at` is set in the states that nothing follows, and only there, so
//! that the indexes of what is to be done leave history out. `seq` is the order
//! within an ordering key; `fence` grows each time that a worker takes the
//! item, so that one who comes back late is told apart.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0060_queue"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE queue_items (
                     seq {serial},
                     id {uuid} NOT NULL UNIQUE,
                     project_id {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
                     kind TEXT NOT NULL,
                     consumer TEXT NOT NULL,
                     name TEXT NOT NULL,
                     source TEXT,
                     subject {uuid} NOT NULL,
                     request_id {uuid},
                     payload TEXT NOT NULL,
                     bytes {int} NOT NULL,
                     ordering_key TEXT,
                     unique_key TEXT,
                     priority {int} NOT NULL,
                     hops {int} NOT NULL,
                     state TEXT NOT NULL CHECK (state IN ('waiting', 'ready', 'scheduled',
                         'held', 'running', 'done', 'dead', 'cancelled')),
                     due_at {int} NOT NULL,
                     attempt {int} NOT NULL,
                     max_attempts {int} NOT NULL,
                     fence {int} NOT NULL,
                     worker {uuid},
                     lease_until {int},
                     progress {int},
                     progress_note TEXT,
                     error_code TEXT,
                     error_message TEXT,
                     created_at {int} NOT NULL,
                     started_at {int},
                     finished_at {int},
                     CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'dead', 'cancelled'))),
                     CHECK ((lease_until IS NOT NULL) = (state = 'running'))
                 ) {strict}",
                "CREATE INDEX queue_items_ready ON queue_items
                     (project_id, priority, due_at, seq) WHERE state = 'ready'",
                "CREATE INDEX queue_items_scheduled ON queue_items (due_at)
                     WHERE state = 'scheduled'",
                "CREATE INDEX queue_items_held ON queue_items (due_at) WHERE state = 'held'",
                "CREATE INDEX queue_items_leases ON queue_items (lease_until)
                     WHERE state = 'running'",
                "CREATE INDEX queue_items_open ON queue_items
                     (project_id, consumer, ordering_key, seq) WHERE finished_at IS NULL",
                "CREATE UNIQUE INDEX queue_items_unique ON queue_items
                     (project_id, consumer, unique_key)
                     WHERE unique_key IS NOT NULL AND finished_at IS NULL",
                "CREATE INDEX queue_items_listed ON queue_items (project_id, state, seq)",
                "CREATE INDEX queue_items_finished ON queue_items (state, finished_at)
                     WHERE finished_at IS NOT NULL",
            ],
        )
        .await
    }
}
