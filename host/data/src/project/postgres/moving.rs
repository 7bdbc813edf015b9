//! Where a project is moved to: its tables made, filled and compared.
//!
//! All of it runs as the role that owns the tables, so that nothing can do
//! more than the project could itself; only what the server's admin alone may
//! say is said by it.

use super::{
    PostgresProjects,
    names::{self, quoted},
    provision::{failed, run},
    public::prepare,
};
use crate::project::{
    moving::{
        ComparedRows, MovedTable, PUBLIC, PlannedPart, PluginTables, PublicPlan, Trouble,
        policy_object,
    },
    public::{Expression, PolicyChange, RowPolicy},
    sqlite::{Rows, SqliteProjects, Told},
    text,
};
use atlashub_core::{Error, PluginName, ProjectId, Result, capability::PluginScope};
use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use std::collections::{BTreeMap, BTreeSet};

/// The schema in which a plan is tried.
const TRIAL: &str = "atlashub_trial";
/// Where rows are put to be compared.
const BESIDE: &str = "moved_rows";
/// The oldest server, as it tells its version.
const OLDEST: i32 = 150_000;

const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, b.typname::text, \
       a.attgenerated <> '' \
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_type t ON t.oid = a.atttypid \
     JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
     WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') \
       AND c.relname <> '_migrations' \
     ORDER BY c.relname, a.attnum";

const REFERENCES: &str = "SELECT DISTINCT c.relname::text, o.relname::text \
     FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class o ON o.oid = f.confrelid \
     WHERE f.contype = 'f' AND c.relnamespace = $1::regnamespace AND c.oid <> o.oid";

/// A table's columns that hold values of their own: names and types.
type Columns = Vec<(String, String)>;

impl PostgresProjects {
    pub(in crate::project) async fn check_target(&self) -> Result<Vec<String>> {
        let mut lacks = Vec::new();
        let mut connection = self.admin.connect_to_platform().await?;
        let row = connection
            .fetch_one(
                "SELECT current_setting('server_version_num')::int, \
                 (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
            )
            .await
            .map_err(failed)?;
        let (version, is_superuser): (i32, bool) = (
            row.try_get(0).map_err(failed)?,
            row.try_get(1).map_err(failed)?,
        );
        if version < OLDEST {
            lacks.push("the Postgres server is older than 15".to_owned());
        }
        if !is_superuser {
            lacks.push(
                "the Postgres user is no superuser: row policies could not be enforced".to_owned(),
            );
        }
        connection.close().await.map_err(failed)?;
        Ok(lacks)
    }

    pub(in crate::project) async fn try_plan(&self, plan: &mut PublicPlan) -> Result<()> {
        let mut connection = self.admin.connect_to_platform().await?;
        let functions = prepare::functions(TRIAL);
        for sql in [
            "BEGIN".to_owned(),
            format!("CREATE SCHEMA {TRIAL}"),
            functions,
            format!("SET LOCAL search_path = {TRIAL}"),
            "SET LOCAL timezone = 'UTC'".to_owned(),
        ] {
            run(&mut connection, &sql).await?;
        }
        let mut troubles = Vec::new();
        for part in plan.begin.iter().chain(&plan.rest) {
            if let Some(why) = attempt(&mut connection, &part.sql).await? {
                troubles.push(Trouble {
                    object: part.object.clone(),
                    why,
                    may_stay: !part.needed,
                });
            }
        }
        let parts: Vec<PlannedPart> = plan.views.iter().map(|(_, part)| part.clone()).collect();
        for part in parts {
            if let Some(why) = attempt(&mut connection, &part.sql).await? {
                troubles.push(Trouble {
                    object: part.object,
                    why,
                    may_stay: true,
                });
            }
        }
        for (table, policy) in &mut plan.policies {
            if let Some(why) = try_policy(&mut connection, table, policy).await? {
                troubles.push(Trouble {
                    object: policy_object(table, policy),
                    why,
                    may_stay: true,
                });
            }
        }
        run(&mut connection, "ROLLBACK").await?;
        connection.close().await.map_err(failed)?;
        plan.troubles.extend(troubles);
        Ok(())
    }

    pub(in crate::project) async fn make_public(
        &self,
        project: ProjectId,
        plan: &PublicPlan,
    ) -> Result<()> {
        let mut connection = self.log_in(project, PUBLIC).await?;
        run(&mut connection, "BEGIN").await?;
        let there: Vec<(String, String)> = sqlx::query_as(
            "SELECT relname::text, relkind::text FROM pg_class \
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')",
        )
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
        for (name, kind) in there {
            let what = if kind == "v" { "VIEW" } else { "TABLE" };
            let sql = format!("DROP {what} IF EXISTS public.{} CASCADE", quoted(&name));
            run(&mut connection, &sql).await?;
        }
        for part in &plan.begin {
            make(&mut connection, part).await?;
        }
        run(&mut connection, "COMMIT").await?;
        connection.close().await.map_err(failed)
    }

    pub(in crate::project) async fn finish_public(
        &self,
        project: ProjectId,
        plan: &PublicPlan,
    ) -> Result<()> {
        let mut connection = self.log_in(project, PUBLIC).await?;
        run(&mut connection, "BEGIN").await?;
        for part in &plan.rest {
            make(&mut connection, part).await?;
        }
        for (_, part) in &plan.views {
            make(&mut connection, part).await?;
        }
        run(&mut connection, "COMMIT").await?;
        connection.close().await.map_err(failed)?;
        self.change_tables(project, &[], None).await?;
        let mut by_table: BTreeMap<&str, Vec<RowPolicy>> = BTreeMap::new();
        for (table, policy) in &plan.policies {
            by_table.entry(table).or_default().push(policy.clone());
        }
        for (table, policies) in by_table {
            self.change_row_policies(project, table, PolicyChange::All(policies))
                .await?;
        }
        Ok(())
    }

    pub(in crate::project) async fn match_plugin(
        &self,
        scope: &PluginScope,
        source: &[MovedTable],
    ) -> Result<PluginTables> {
        let schema = scope.plugin.schema();
        let mut connection = self.log_in(scope.project, &schema).await?;
        let target = columns(&mut connection, &schema).await?;
        let mut found = PluginTables::default();
        for table in source {
            let Some(own) = target.get(&table.name) else {
                // An index that SQLite keeps in a table is none on Postgres.
                found.derived.push(table.name.clone());
                continue;
            };
            let missing = table
                .columns
                .iter()
                .find(|column| !own.iter().any(|(name, _)| name == *column));
            if let Some(missing) = missing {
                return Err(Error::conflict(
                    "plugin_differs",
                    format!(
                        "the plugin `{}` has the column `{}.{missing}` on SQLite only: its rows \
                         cannot be moved",
                        scope.plugin, table.name
                    ),
                ));
            }
            found.both.push(table.clone());
        }
        let is_moved = |name: &String| found.both.iter().any(|table| table.name == *name);
        let only_there = target.keys().filter(|name| !is_moved(name));
        found.derived.extend(only_there.cloned());
        let order = in_order(&mut connection, &schema, &found.both).await?;
        found
            .both
            .sort_by_key(|table| order.iter().position(|name| *name == table.name));
        // What the plugin's own migrations have put there.
        run(&mut connection, "BEGIN").await?;
        for table in found.both.iter().rev() {
            let sql = format!("DELETE FROM {}", named(&schema, &table.name));
            run(&mut connection, &sql).await?;
        }
        run(&mut connection, "COMMIT").await?;
        connection.close().await.map_err(failed)?;
        Ok(found)
    }

    pub(in crate::project) async fn take_rows(
        &self,
        source: &SqliteProjects,
        (from, to): (ProjectId, ProjectId),
        schema: &str,
        table: &MovedTable,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64> {
        let mut connection = self.log_in(to, schema).await?;
        let columns = copied(&mut connection, schema, table).await?;
        run(&mut connection, "BEGIN").await?;
        let into = named(schema, &table.name);
        run(&mut connection, &format!("DELETE FROM {into}")).await?;
        let rows = source.rows_to_move(from, schema, &table.name, told_as(&columns))?;
        let count = copy(&mut connection, &into, &table.name, &columns, rows, told).await?;
        count_on(&mut connection, schema, table, &columns).await?;
        run(&mut connection, "COMMIT").await?;
        connection.close().await.map_err(failed)?;
        Ok(count)
    }

    pub(in crate::project) async fn compare_rows(
        &self,
        source: &SqliteProjects,
        (from, to): (ProjectId, ProjectId),
        schema: &str,
        table: &MovedTable,
    ) -> Result<ComparedRows> {
        self.let_have_beside(to, schema, true).await?;
        let compared = self.compare_beside(source, (from, to), schema, table).await;
        self.let_have_beside(to, schema, false).await?;
        compared
    }

    async fn compare_beside(
        &self,
        source: &SqliteProjects,
        (from, to): (ProjectId, ProjectId),
        schema: &str,
        table: &MovedTable,
    ) -> Result<ComparedRows> {
        let mut connection = self.log_in(to, schema).await?;
        let columns = copied(&mut connection, schema, table).await?;
        let names = list(&columns);
        let own = named(schema, &table.name);
        for sql in [
            "BEGIN".to_owned(),
            format!(
                "CREATE TEMP TABLE {BESIDE} ON COMMIT DROP AS SELECT {names} FROM {own} WHERE false"
            ),
        ] {
            run(&mut connection, &sql).await?;
        }
        let rows = source.rows_to_move(from, schema, &table.name, told_as(&columns))?;
        let beside = format!("pg_temp.{BESIDE}");
        copy(
            &mut connection,
            &beside,
            &table.name,
            &columns,
            rows,
            &|_| {},
        )
        .await?;
        let source = sum(&mut connection, &format!("SELECT {names} FROM {beside}")).await?;
        let target = sum(&mut connection, &format!("SELECT {names} FROM {own}")).await?;
        run(&mut connection, "ROLLBACK").await?;
        connection.close().await.map_err(failed)?;
        Ok(ComparedRows {
            source: source.0,
            target: target.0,
            same: source == target,
            checksum: target.1,
        })
    }

    /// Lets the owner of a schema make tables that end with its session.
    async fn let_have_beside(&self, project: ProjectId, schema: &str, may: bool) -> Result<()> {
        let database = names::database(project);
        let (word, to) = if may {
            ("GRANT", "TO")
        } else {
            ("REVOKE", "FROM")
        };
        let mut inside = self.admin.connect(&database).await.map_err(failed)?;
        let sql = format!(
            "{word} TEMPORARY ON DATABASE {} {to} {}",
            quoted(&database),
            quoted(&role(project, schema)?)
        );
        run(&mut inside, &sql).await?;
        inside.close().await.map_err(failed)
    }

    pub(in crate::project) async fn after_move(
        &self,
        scope: &PluginScope,
        sql: &str,
    ) -> Result<()> {
        let mut connection = self.log_in(scope.project, &scope.plugin.schema()).await?;
        run(&mut connection, "BEGIN").await?;
        for statement in text::split_postgres(sql) {
            connection
                .execute(sqlx::query(AssertSqlSafe(statement.to_owned())))
                .await
                .map_err(|error| {
                    Error::invalid(
                        "after_move_failed",
                        format!(
                            "what the plugin `{}` wants done after a move failed: {}",
                            scope.plugin,
                            said(&error)
                        ),
                    )
                    .with_source(error)
                })?;
        }
        run(&mut connection, "COMMIT").await?;
        connection.close().await.map_err(failed)
    }

    pub(in crate::project) async fn analyze(&self, project: ProjectId) -> Result<()> {
        let database = names::database(project);
        let mut inside = self.admin.connect(&database).await.map_err(failed)?;
        run(&mut inside, "ANALYZE").await?;
        inside.close().await.map_err(failed)
    }

    /// A connection of the role that owns the schema, without limits of time.
    async fn log_in(&self, project: ProjectId, schema: &str) -> Result<PgConnection> {
        let role = role(project, schema)?;
        let password = self.admin.password(project, &role).await?;
        let path = if schema == PUBLIC {
            format!("public,{}", prepare::SCHEMA)
        } else {
            schema.to_owned()
        };
        let options = self
            .admin
            .options_of(&names::database(project))
            .username(&role)
            .password(password.expose_secret())
            .application_name("atlashub migrate-engine")
            .options([
                ("search_path", path.as_str()),
                ("statement_timeout", "0"),
                ("lock_timeout", "0"),
                ("idle_in_transaction_session_timeout", "0"),
                ("timezone", "UTC"),
            ]);
        PgConnection::connect_with(&options).await.map_err(failed)
    }
}

fn role(project: ProjectId, schema: &str) -> Result<String> {
    if schema == PUBLIC {
        return Ok(names::owner(project));
    }
    let plugin: PluginName = schema.replace('_', "-").parse()?;
    Ok(names::plugin(&PluginScope { project, plugin }))
}

fn named(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}

fn list(columns: &Columns) -> String {
    let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
    names.join(", ")
}

/// What of the columns of a schema's tables holds values of its own.
async fn columns(connection: &mut PgConnection, schema: &str) -> Result<BTreeMap<String, Columns>> {
    let rows = sqlx::query(COLUMNS)
        .bind(quoted(schema))
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for row in rows {
        let read = || -> Result<(String, String, String, bool), sqlx::Error> {
            Ok((
                row.try_get(0)?,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
            ))
        };
        let (table, column, kind, generated) = read().map_err(failed)?;
        let own = tables.entry(table).or_default();
        if !generated {
            own.push((column, kind));
        }
    }
    Ok(tables)
}

/// The columns of a table that are copied, as the source orders them.
async fn copied(
    connection: &mut PgConnection,
    schema: &str,
    table: &MovedTable,
) -> Result<Columns> {
    let mut all = columns(connection, schema).await?;
    let own = all.remove(&table.name).unwrap_or_default();
    table
        .columns
        .iter()
        .map(|name| {
            let found = own.iter().find(|(column, _)| column == name).cloned();
            found.ok_or_else(|| {
                Error::conflict(
                    "plugin_differs",
                    format!("the target has no column `{}.{name}`", table.name),
                )
            })
        })
        .collect()
}

fn told_as(columns: &Columns) -> Vec<(String, Told)> {
    columns
        .iter()
        .map(|(name, kind)| {
            let told = match kind.as_str() {
                "bool" => Told::Boolean,
                "int2" | "int4" | "int8" => Told::Integer,
                "float4" | "float8" => Told::Real,
                "bytea" => Told::Bytes,
                "uuid" => Told::Uuid,
                _ => Told::Text,
            };
            (name.clone(), told)
        })
        .collect()
}

/// Tables, those first that others refer to.
async fn in_order(
    connection: &mut PgConnection,
    schema: &str,
    tables: &[MovedTable],
) -> Result<Vec<String>> {
    let pairs: Vec<(String, String)> = sqlx::query_as(REFERENCES)
        .bind(quoted(schema))
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    let mut order: Vec<String> = Vec::new();
    let mut left: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    while !left.is_empty() {
        let ready: Vec<&str> = left
            .iter()
            .copied()
            .filter(|name| {
                pairs
                    .iter()
                    .filter(|(from, _)| from == name)
                    .all(|(_, to)| !left.contains(to.as_str()))
            })
            .collect();
        if ready.is_empty() {
            return Err(Error::conflict(
                "plugin_differs",
                format!("the tables of `{schema}` refer to each other in a circle"),
            ));
        }
        for name in ready {
            left.remove(name);
            order.push(name.to_owned());
        }
    }
    Ok(order)
}

async fn copy(
    connection: &mut PgConnection,
    into: &str,
    table: &str,
    columns: &Columns,
    mut rows: Rows,
    told: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64> {
    let statement = format!("COPY {into} ({}) FROM STDIN", list(columns));
    let refused = |error: sqlx::Error| {
        Error::invalid(
            "value_does_not_fit",
            format!(
                "a row of `{table}` does not fit into Postgres: {}",
                said(&error)
            ),
        )
        .with_source(error)
    };
    let mut copying = connection.copy_in_raw(&statement).await.map_err(refused)?;
    let mut count = 0;
    while let Some(chunk) = rows.recv().await {
        match chunk {
            Ok((more, bytes)) => {
                if let Err(error) = copying.send(bytes).await {
                    // The server says why at the end.
                    return Err(match copying.finish().await {
                        Err(why) => refused(why),
                        Ok(_) => refused(error),
                    });
                }
                count += more;
                told(count);
            }
            Err(error) => {
                let _ = copying.abort("the source broke off").await;
                return Err(error);
            }
        }
    }
    let taken = copying.finish().await.map_err(refused)?;
    if taken != count {
        return Err(Error::internal(
            "copy rows",
            format!("{count} rows of `{table}` were sent and {taken} taken"),
        ));
    }
    Ok(count)
}

/// Has what counts by itself go on behind the largest number.
async fn count_on(
    connection: &mut PgConnection,
    schema: &str,
    table: &MovedTable,
    columns: &Columns,
) -> Result<()> {
    let into = named(schema, &table.name);
    for (column, kind) in columns {
        if !matches!(kind.as_str(), "int2" | "int4" | "int8") {
            continue;
        }
        let sequence: Option<String> = sqlx::query_scalar("SELECT pg_get_serial_sequence($1, $2)")
            .bind(&into)
            .bind(column)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        let Some(sequence) = sequence else { continue };
        let sql = format!(
            "SELECT setval($1::regclass, greatest(coalesce(max({}), 0), $2, 0) + 1, false) FROM {into}",
            quoted(column)
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(sequence)
            .bind(table.last.unwrap_or(0))
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

/// The number of rows, and a sum over them in whatever order.
async fn sum(connection: &mut PgConnection, rows: &str) -> Result<(i64, String)> {
    let sql = format!("SELECT {} FROM ({rows}) AS m", crate::platform::moving::SUM);
    sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .map_err(failed)
}

async fn make(connection: &mut PgConnection, part: &PlannedPart) -> Result<()> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(part.sql.clone())))
        .await
        .map(drop)
        .map_err(|error| {
            Error::conflict(
                "object_does_not_fit",
                format!(
                    "`{}` cannot be made on Postgres: {}",
                    part.object,
                    said(&error)
                ),
            )
            .with_source(error)
        })
}

/// Tries a statement within a transaction; why it failed.
async fn attempt(connection: &mut PgConnection, sql: &str) -> Result<Option<String>> {
    run(&mut *connection, "SAVEPOINT trial").await?;
    let tried = connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await;
    match tried {
        Ok(_) => {
            run(&mut *connection, "RELEASE SAVEPOINT trial").await?;
            Ok(None)
        }
        Err(error @ sqlx::Error::Database(_)) => {
            run(&mut *connection, "ROLLBACK TO SAVEPOINT trial").await?;
            Ok(Some(said(&error)))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Tries a policy's conditions. One that compares the caller's id, a UUID
/// here, with a text is helped along.
async fn try_policy(
    connection: &mut PgConnection,
    table: &str,
    policy: &mut RowPolicy,
) -> Result<Option<String>> {
    let sql = |condition: &str| format!("SELECT 1 FROM {} WHERE ({condition})", quoted(table));
    for expression in policy.using.iter_mut().chain(policy.check.iter_mut()) {
        let Expression::Sql(condition) = expression else {
            continue;
        };
        let Some(why) = attempt(connection, &sql(condition)).await? else {
            continue;
        };
        let helped = condition.replace("caller_id()", "caller_id()::text");
        if attempt(connection, &sql(&helped)).await?.is_some() {
            return Ok(Some(why));
        }
        *condition = helped;
    }
    Ok(None)
}

/// What the server said, with where.
fn said(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(database) = error else {
        return error.to_string();
    };
    let place = database
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .and_then(|error| error.r#where());
    match place {
        // The first line names table, line and column.
        Some(place) => format!(
            "{} ({})",
            database.message(),
            place.lines().next().unwrap_or_default()
        ),
        None => database.message().to_owned(),
    }
}
