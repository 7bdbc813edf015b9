//! Rows of the platform as they go into an archive and come out of it: one
//! JSON object a row, whatever its columns are, so that a later version reads
//! what an earlier one wrote.
//!
//! [`TABLES`] says of every table whose rows it holds and whether they belong
//! into an archive; a test keeps it complete. What a row means, and what
//! becomes of it in another project, is left to others.

use super::{
    Engine, Platform, Unit,
    failure::{corrupt, failed},
    unit::{Db, statement},
};
use atlashub_core::{Error, ProjectId, Result};
use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseTransaction, DbErr, IsolationLevel,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _, Value,
};
use serde_json::Map;
use std::{fmt::Write as _, sync::Arc};

/// Rows read at once.
const PAGE: i64 = 500;

/// Which rows of a table belong to the project `$1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those that this condition names: part of the project's archive.
    Project(&'static str),
    /// The platform's: part of its archive.
    Platform,
    /// Passing things of the project that this condition names: in no
    /// archive, and ended when the project's rows are replaced.
    Passing(&'static str),
    /// Nobody's that would miss them: in no archive, left alone.
    Nobody,
}

/// A table of the platform's database.
#[derive(Clone, Copy, Debug)]
pub struct ArchivedTable {
    /// Its name.
    pub name: &'static str,
    /// Whose rows it holds.
    pub whose: Whose,
}

const OF_PROJECT: &str = "project_id = $1";
const OF_USERS: &str = "user_id IN (SELECT id FROM users WHERE project_id = $1)";
const OF_REVISIONS: &str = "id IN (SELECT revision_id FROM installations WHERE project_id = $1 \
     UNION SELECT previous_revision_id FROM installations WHERE project_id = $1)";
const OF_DESCRIPTIONS: &str = "revision_id IN (SELECT revision_id FROM installations WHERE project_id = $1 \
     UNION SELECT previous_revision_id FROM installations WHERE project_id = $1)";

const fn table(name: &'static str, whose: Whose) -> ArchivedTable {
    ArchivedTable { name, whose }
}

/// Every table, those first that others refer to.
pub const TABLES: &[ArchivedTable] = &[
    table("plugin_revisions", Whose::Project(OF_REVISIONS)),
    table("plugin_descriptions", Whose::Project(OF_DESCRIPTIONS)),
    table("projects", Whose::Project("id = $1")),
    table("domains", Whose::Project(OF_PROJECT)),
    table("api_keys", Whose::Project(OF_PROJECT)),
    table("buckets", Whose::Project(OF_PROJECT)),
    table("storage_usage", Whose::Project(OF_PROJECT)),
    table("installations", Whose::Project(OF_PROJECT)),
    table("installation_history", Whose::Project(OF_PROJECT)),
    table("kv", Whose::Project(OF_PROJECT)),
    table("roles", Whose::Project(OF_PROJECT)),
    table("users", Whose::Project(OF_PROJECT)),
    table("user_roles", Whose::Project(OF_USERS)),
    table("user_recovery_codes", Whose::Project(OF_USERS)),
    table("user_identities", Whose::Project(OF_PROJECT)),
    table("user_app_passwords", Whose::Project(OF_PROJECT)),
    table("auth_settings", Whose::Project(OF_PROJECT)),
    table("auth_signing_keys", Whose::Project(OF_PROJECT)),
    table("auth_providers", Whose::Project(OF_PROJECT)),
    table("project_migrations", Whose::Project(OF_PROJECT)),
    table("sql_history", Whose::Project(OF_PROJECT)),
    table("saved_queries", Whose::Project(OF_PROJECT)),
    table("queue_items", Whose::Project(OF_PROJECT)),
    table("schedules", Whose::Project(OF_PROJECT)),
    table("backup_policies", Whose::Project(OF_PROJECT)),
    table("admins", Whose::Platform),
    table("admin_recovery_codes", Whose::Platform),
    table("audit", Whose::Platform),
    table("user_sessions", Whose::Passing(OF_PROJECT)),
    table("user_one_time_tokens", Whose::Passing(OF_USERS)),
    table("oauth_sign_ins", Whose::Passing(OF_PROJECT)),
    table("oauth_codes", Whose::Passing(OF_PROJECT)),
    table("direct_uploads", Whose::Passing(OF_PROJECT)),
    table("storage_reservations", Whose::Passing(OF_PROJECT)),
    table("user_refresh_tokens", Whose::Nobody),
    table("idempotency_keys", Whose::Nobody),
    table("channel_messages", Whose::Nobody),
    table("plugin_logs", Whose::Nobody),
    table("requests", Whose::Nobody),
    // What happened here, which no restored project did.
    table("series", Whose::Nobody),
    table("series_levels", Whose::Nobody),
    table("series_writes", Whose::Nobody),
    table("project_credentials", Whose::Nobody),
    table("admin_sessions", Whose::Nobody),
    table("admin_invitations", Whose::Nobody),
    table("changes", Whose::Nobody),
    table("tries", Whose::Nobody),
    table("nodes", Whose::Nobody),
    table("backups", Whose::Nobody),
    table("backup_runs", Whose::Nobody),
    table("backup_turns", Whose::Nobody),
    table("engine_moves", Whose::Nobody),
    table("engine_move_steps", Whose::Nobody),
    table("seaql_migrations", Whose::Nobody),
];

/// A row as it is archived.
pub type ArchivedRow = Map<String, serde_json::Value>;

/// The platform's rows as they were at one moment. Ends with this.
pub struct RowsAtOneMoment {
    platform: Platform,
    transaction: Arc<DatabaseTransaction>,
}

/// The rows of one table, read in pages.
pub struct RowsOfTable {
    transaction: Arc<DatabaseTransaction>,
    engine: Engine,
    table: &'static str,
    condition: &'static str,
    project: Option<ProjectId>,
    columns: Vec<Column>,
    after: i64,
    begun: bool,
    ended: bool,
}

struct Column {
    name: String,
    is_bytes: bool,
}

impl Platform {
    /// Looks at all rows as they are at this moment.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn rows_at_one_moment(&self) -> Result<RowsAtOneMoment> {
        let context = failed("read the platform's rows");
        let options = TransactionOptions {
            isolation_level: (self.engine() == Engine::Postgres)
                .then_some(IsolationLevel::RepeatableRead),
            access_mode: (self.engine() == Engine::Postgres).then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        };
        let pool = &self.pools().read;
        let transaction = pool.begin_with_options(options).await.map_err(&context)?;
        // The moment is that of the first read.
        for sql in match self.engine() {
            Engine::Postgres => ["SET LOCAL statement_timeout = 0", "SELECT 1"],
            Engine::Sqlite => ["SELECT 1", "SELECT count(*) FROM projects"],
        } {
            transaction
                .execute_raw(statement(self.engine(), sql, []))
                .await
                .map_err(&context)?;
        }
        Ok(RowsAtOneMoment {
            platform: self.clone(),
            transaction: Arc::new(transaction),
        })
    }

    /// The names of all tables, to compare with [`TABLES`].
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn table_names(&self) -> Result<Vec<String>> {
        let sql = match self.engine() {
            Engine::Postgres => {
                "SELECT table_name::text AS name FROM information_schema.tables \
                 WHERE table_schema = current_schema()"
            }
            Engine::Sqlite => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
        };
        let rows = Db::Pool(self)
            .read()
            .query_all_raw(statement(self.engine(), sql, []))
            .await;
        rows.and_then(|rows| rows.iter().map(|row| row.try_get("", "name")).collect())
            .map_err(failed("list the platform's tables"))
    }
}

impl RowsAtOneMoment {
    /// How many rows a table has.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn count(&self, table: &'static str) -> Result<u64> {
        let context = failed("count the platform's rows");
        let counting = Statement::from_string(
            match self.platform.engine() {
                Engine::Postgres => sea_orm::DbBackend::Postgres,
                Engine::Sqlite => sea_orm::DbBackend::Sqlite,
            },
            format!("SELECT count(*) AS rows FROM {table}"),
        );
        let row = self
            .transaction
            .query_one_raw(counting)
            .await
            .map_err(&context)?;
        let count = row.map(|row| row.try_get::<i64>("", "rows")).transpose();
        let count = count.map_err(&context)?.unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The rows of a table: those of `project`, or all.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn of_table(
        &self,
        table: &'static str,
        condition: &'static str,
        project: Option<ProjectId>,
    ) -> Result<RowsOfTable> {
        let engine = self.platform.engine();
        let columns = columns(&*self.transaction, engine, table)
            .await
            .map_err(failed("read the platform's columns"))?;
        Ok(RowsOfTable {
            transaction: Arc::clone(&self.transaction),
            engine,
            table,
            condition,
            project,
            // A table that this version knows and this database has not yet.
            ended: columns.is_empty(),
            columns,
            after: i64::MIN,
            begun: false,
        })
    }
}

async fn columns(
    connection: &impl sea_orm::ConnectionTrait,
    engine: Engine,
    table: &str,
) -> Result<Vec<Column>, DbErr> {
    let sql = match engine {
        Engine::Postgres => {
            "SELECT column_name::text AS name, data_type::text AS type \
             FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
        }
        Engine::Sqlite => "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
    };
    let rows = connection
        .query_all_raw(statement(engine, sql, [table.into()]))
        .await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get("", "type")?;
            Ok(Column {
                name: row.try_get("", "name")?,
                is_bytes: kind.eq_ignore_ascii_case("blob"),
            })
        })
        .collect()
}

impl RowsOfTable {
    /// The next rows, each as JSON in one line; empty at the end.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next(&mut self) -> Result<Vec<String>> {
        if self.ended {
            return Ok(Vec::new());
        }
        let context = failed("read the platform's rows");
        let rows = match self.engine {
            Engine::Postgres => self.next_on_postgres().await,
            Engine::Sqlite => self.next_on_sqlite().await,
        }
        .map_err(&context)?;
        self.ended = rows.is_empty();
        Ok(rows)
    }

    async fn next_on_postgres(&mut self) -> Result<Vec<String>, DbErr> {
        let ordered = self.columns.iter().any(|column| column.name == "seq");
        if !self.begun {
            let order = if ordered { " ORDER BY seq" } else { "" };
            let project = self.project.map(|id| *id.as_uuid());
            let condition = project.map_or_else(
                || "TRUE".to_owned(),
                // A cursor takes no parameters; an id is made of digits alone.
                |id| self.condition.replace("$1", &format!("'{id}'::uuid")),
            );
            let declare = format!(
                "DECLARE archived NO SCROLL CURSOR FOR SELECT row_to_json(t)::text AS line \
                 FROM (SELECT * FROM {} WHERE {condition}{order}) AS t",
                self.table
            );
            self.run(declare).await?;
            self.begun = true;
        }
        let fetch = format!("FETCH {PAGE} FROM archived");
        let rows = self
            .transaction
            .query_all_raw(Statement::from_string(sea_orm::DbBackend::Postgres, fetch))
            .await?;
        if rows.is_empty() {
            self.run("CLOSE archived".to_owned()).await?;
        }
        rows.iter().map(|row| row.try_get("", "line")).collect()
    }

    async fn run(&self, sql: String) -> Result<(), DbErr> {
        self.transaction
            .execute_raw(Statement::from_string(sea_orm::DbBackend::Postgres, sql))
            .await
            .map(drop)
    }

    async fn next_on_sqlite(&mut self) -> Result<Vec<String>, DbErr> {
        let mut object = String::new();
        for column in &self.columns {
            let name = &column.name;
            let value = if column.is_bytes {
                format!("iif(\"{name}\" IS NULL, NULL, hex(\"{name}\"))")
            } else {
                format!("\"{name}\"")
            };
            let comma = if object.is_empty() { "" } else { ", " };
            write!(object, "{comma}'{name}', {value}").unwrap_or_default();
        }
        let condition = if self.project.is_some() {
            self.condition
        } else {
            "$1 IS NULL"
        };
        let sql = format!(
            "SELECT rowid AS place, json_object({object}) AS line FROM {} \
             WHERE {condition} AND rowid > $2 ORDER BY rowid LIMIT {PAGE}",
            self.table
        );
        let values = [
            Value::from(self.project.map(|id| *id.as_uuid())),
            self.after.into(),
        ];
        let rows = self
            .transaction
            .query_all_raw(Statement::from_sql_and_values(
                sea_orm::DbBackend::Sqlite,
                sql,
                values,
            ))
            .await?;
        if let Some(last) = rows.last() {
            self.after = last.try_get("", "place")?;
        }
        rows.iter().map(|row| row.try_get("", "line")).collect()
    }
}

/// A table that archived rows are added to.
pub struct RowsInto {
    table: &'static str,
    known: Vec<Column>,
}

impl Unit {
    /// Prepares to add archived rows to a table.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn rows_into(&self, table: &'static str) -> Result<RowsInto> {
        let known = columns(&self.executor(), self.engine(), table)
            .await
            .map_err(failed("read the platform's columns"))?;
        Ok(RowsInto { table, known })
    }

    /// Adds a row as it was archived. A number that the database gives itself
    /// is given anew.
    ///
    /// # Errors
    /// `archive_too_new` when the table has no such column, `archive_damaged`
    /// when the row is none that it takes, `row_taken` when
    /// a row of the same key is there.
    pub async fn add_archived_row(&self, into: &RowsInto, row: &ArchivedRow) -> Result<()> {
        let table = into.table;
        let mut given: Vec<&Column> = Vec::new();
        for name in row.keys().filter(|name| *name != "seq") {
            let column = into.known.iter().find(|column| column.name == *name);
            given.push(column.ok_or_else(|| {
                Error::invalid(
                    "archive_too_new",
                    format!("the archive was made by a later version: `{table}` has no `{name}`"),
                )
            })?);
        }
        let json =
            serde_json::to_string(row).map_err(|error| corrupt("archived row")(error.into()))?;
        let names: Vec<String> = given
            .iter()
            .map(|column| format!("\"{}\"", column.name))
            .collect();
        let names = names.join(", ");
        let sql = match self.engine() {
            Engine::Postgres => format!(
                "INSERT INTO {table} ({names}) \
                 SELECT {names} FROM json_populate_record(NULL::{table}, $1::json)"
            ),
            Engine::Sqlite => {
                let values: Vec<String> = given
                    .iter()
                    .map(|column| {
                        let value = format!("json_extract($1, '$.{}')", column.name);
                        if column.is_bytes {
                            format!("unhex({value})")
                        } else {
                            value
                        }
                    })
                    .collect();
                format!(
                    "INSERT INTO {table} ({names}) VALUES ({})",
                    values.join(", ")
                )
            }
        };
        let adding = Statement::from_sql_and_values(self.backend(), sql, [json.into()]);
        let added = self.executor().execute_raw(adding).await;
        added.map(drop).map_err(|error| {
            if super::failure::is_duplicate(&error) {
                Error::conflict(
                    "row_taken",
                    format!("`{table}` has a row of the same key already"),
                )
                .with_source(error)
            } else if super::failure::is_misfit(&error) {
                Error::invalid(
                    "archive_damaged",
                    format!(
                        "the archive is damaged: a row of `{table}` lacks what it must have, or \
                         has what it cannot"
                    ),
                )
                .with_source(error)
            } else {
                failed("add an archived row")(error)
            }
        })
    }

    fn backend(&self) -> sea_orm::DbBackend {
        match self.engine() {
            Engine::Postgres => sea_orm::DbBackend::Postgres,
            Engine::Sqlite => sea_orm::DbBackend::Sqlite,
        }
    }

    /// Removes the project's rows from a table.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove_rows(
        &self,
        table: &'static str,
        condition: &'static str,
        project: ProjectId,
    ) -> Result<()> {
        if self.rows_into(table).await?.known.is_empty() {
            return Ok(());
        }
        let sql = format!("DELETE FROM {table} WHERE {condition}");
        let project = Value::from(*project.as_uuid());
        self.executor()
            .execute_raw(Statement::from_sql_and_values(
                self.backend(),
                sql,
                [project],
            ))
            .await
            .map(drop)
            .map_err(failed("remove rows of a project"))
    }
}
