//! The audit: rows are added, never changed or removed. The database itself
//! sees to that.

use crate::ddl;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_audit"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE audit (
                     seq {serial},
                     at {int} NOT NULL,
                     project_id {uuid},
                     actor_kind TEXT NOT NULL,
                     actor_id TEXT,
                     action TEXT NOT NULL,
                     target TEXT,
                     request_id {uuid},
                     details TEXT NOT NULL
                 ) {strict}",
                "CREATE INDEX audit_project ON audit (project_id, seq)",
                "CREATE INDEX audit_actor ON audit (actor_id, seq)",
                "CREATE INDEX audit_at ON audit (at)",
            ],
        )
        .await?;
        ddl::run_by_engine(
            manager,
            &[
                "CREATE TRIGGER audit_keeps_rows BEFORE UPDATE ON audit
                 BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
                "CREATE TRIGGER audit_loses_none BEFORE DELETE ON audit
                 BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
                // `INSERT OR REPLACE` removes a row without a delete trigger.
                "CREATE TRIGGER audit_replaces_none BEFORE INSERT ON audit
                 WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
                 BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
            ],
            &[
                "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
                "CREATE TRIGGER audit_keeps_rows BEFORE UPDATE OR DELETE ON audit
                 FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
                "CREATE TRIGGER audit_keeps_all BEFORE TRUNCATE ON audit
                 FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
            ],
        )
        .await
    }
}
