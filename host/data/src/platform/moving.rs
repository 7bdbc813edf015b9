//! Moving all rows of the platform to a database of another engine, table by
//! table, and the journal of such a move, which lies in the target: what it
//! says is done is done in the same transaction.
//!
//! A target that was not verified is no installation yet: whoever opens it to
//! work on it asks [`Platform::check_moved`] first. Which projects there are,
//! their databases and their objects are left to others.

use super::{
    Engine, Platform, Unit,
    archive::{ArchivedRow, RowsAtOneMoment, TABLES},
    failure::{corrupt, failed},
    instant,
    unit::{Db, statement},
};
use atlashub_core::{Error, Result};
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionTrait as _,
    Value,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Tables that are the database's own: the passwords of its roles, its feed
/// of changes, its schema, and the journal itself.
const STAY: &[&str] = &[
    "project_credentials",
    "changes",
    "engine_moves",
    "engine_move_steps",
    "seaql_migrations",
];
/// Rows of it are never deleted, not even by the host.
const APPEND_ONLY: &str = "audit";
/// Held by who moves to a database.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(4711046135) AS taken";
/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where rows are put to be compared.
const BESIDE: &str = "moved_rows";

/// A step of a move as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveStep {
    /// Whether it is done; begun otherwise.
    pub done: bool,
    /// What it noted, JSON.
    pub details: serde_json::Value,
}

/// A move as the journal has it.
#[derive(Clone, Debug)]
pub struct EngineMove {
    /// What tells the source from others.
    pub source: String,
    /// Whether everything was found to be the same there.
    pub verified: bool,
}

/// That nobody else moves to this database, as long as it is held.
pub struct MoveLock {
    _transaction: DatabaseTransaction,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Rows of the source.
    pub source: i64,
    /// Rows of the target.
    pub target: i64,
    /// Whether they are the same.
    pub same: bool,
    /// A sum over the target's rows.
    pub checksum: String,
}

/// The names of the tables whose rows are moved, those first that others
/// refer to.
pub fn moved_tables() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .map(|table| table.name)
        .filter(|name| !STAY.contains(name))
}

impl Platform {
    /// Refuses a database to which an installation is being moved.
    ///
    /// # Errors
    /// `moved_by_half`.
    pub async fn check_moved(&self) -> Result<()> {
        match self.engine_move().await? {
            Some(found) if !found.verified => Err(Error::conflict(
                "moved_by_half",
                "an installation is being moved to this database, and it is not verified yet: \
                 run `atlashub migrate-engine` again with the settings of where it comes from; \
                 until it has ended well, the installation there is the one to start",
            )),
            _ => Ok(()),
        }
    }

    /// The move to this database, if there was one.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn engine_move(&self) -> Result<Option<EngineMove>> {
        let context = failed("read how far a move is");
        let sql = "SELECT source, verified_at FROM engine_moves";
        let row = Db::Pool(self)
            .read()
            .query_one_raw(statement(self.engine(), sql, []))
            .await
            .map_err(&context)?;
        row.map(|row| {
            let verified: Option<i64> = row.try_get("", "verified_at")?;
            Ok::<_, DbErr>(EngineMove {
                source: row.try_get("", "source")?,
                verified: verified.is_some(),
            })
        })
        .transpose()
        .map_err(context)
    }

    /// Keeps others from moving to this database.
    ///
    /// # Errors
    /// `move_running` when somebody does.
    pub async fn lock_for_move(&self) -> Result<MoveLock> {
        // One that was killed may hold it for a moment more.
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.try_lock_for_move().await? {
                Some(lock) => return Ok(lock),
                None if tokio::time::Instant::now() >= until => {
                    return Err(Error::conflict(
                        "move_running",
                        "another `migrate-engine` is moving to this database: let it end",
                    ));
                }
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn try_lock_for_move(&self) -> Result<Option<MoveLock>> {
        let context = failed("lock the database for a move");
        let transaction = self.pools().write.begin().await.map_err(&context)?;
        let still = "SET LOCAL idle_in_transaction_session_timeout = 0";
        transaction
            .execute_raw(statement(self.engine(), still, []))
            .await
            .map_err(&context)?;
        let row = transaction
            .query_one_raw(statement(self.engine(), LOCK, []))
            .await
            .map_err(&context)?;
        let taken = row.map(|row| row.try_get::<bool>("", "taken")).transpose();
        let taken = taken.map_err(&context)? == Some(true);
        Ok(taken.then_some(MoveLock {
            _transaction: transaction,
        }))
    }

    /// Which tables of those that are moved have rows already.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn tables_with_rows(&self) -> Result<Vec<&'static str>> {
        let context = failed("look whether a database is empty");
        let there: BTreeSet<String> = self.table_names().await?.into_iter().collect();
        let mut found = Vec::new();
        // Migrations themselves put a row into the other.
        for table in moved_tables().filter(|name| *name != "channel_messages") {
            if !there.contains(table) {
                continue;
            }
            let sql = format!("SELECT 1 AS one FROM {table} LIMIT 1");
            let row = Db::Pool(self)
                .read()
                .query_one_raw(Statement::from_string(self.backend_of_move(), sql))
                .await
                .map_err(&context)?;
            if row.is_some() {
                found.push(table);
            }
        }
        Ok(found)
    }

    /// Notes that a move from `source` begins.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn begin_move(&self, source: &str) -> Result<()> {
        let sql = "INSERT INTO engine_moves (one, source, begun_at) VALUES (1, $1, $2)";
        let now = instant::to_micros(self.now());
        self.write_of_move(sql, [source.into(), now.into()]).await
    }

    /// Notes that everything is there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn finish_move(&self) -> Result<()> {
        let sql = "UPDATE engine_moves SET verified_at = $1";
        let now = instant::to_micros(self.now());
        self.write_of_move(sql, [now.into()]).await
    }

    /// All steps that were begun or done, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn move_steps(&self) -> Result<BTreeMap<String, MoveStep>> {
        let context = failed("read how far a move is");
        let sql = "SELECT name, done, details FROM engine_move_steps";
        let rows = Db::Pool(self)
            .read()
            .query_all_raw(statement(self.engine(), sql, []))
            .await
            .map_err(&context)?;
        let mut steps = BTreeMap::new();
        for row in rows {
            let name: String = row.try_get("", "name").map_err(&context)?;
            let details: String = row.try_get("", "details").map_err(&context)?;
            let step = MoveStep {
                done: row.try_get("", "done").map_err(&context)?,
                details: serde_json::from_str(&details)
                    .map_err(|error| corrupt("step of a move")(error.into()))?,
            };
            steps.insert(name, step);
        }
        Ok(steps)
    }

    /// Notes a step.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_move_step(&self, name: &str, step: &MoveStep) -> Result<()> {
        let unit = self.begin().await?;
        note(&unit, name, step).await?;
        unit.commit().await
    }

    /// Forgets steps whose names begin so: they are done again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget_move_steps(&self, begin: &str) -> Result<()> {
        let sql = "DELETE FROM engine_move_steps WHERE starts_with(name, $1)";
        self.write_of_move(sql, [begin.into()]).await
    }

    async fn write_of_move(
        &self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<()> {
        Db::Pool(self)
            .write()
            .execute_raw(statement(self.engine(), sql, values))
            .await
            .map(drop)
            .map_err(failed("note how far a move is"))
    }

    fn backend_of_move(&self) -> DbBackend {
        match self.engine() {
            Engine::Postgres => DbBackend::Postgres,
            Engine::Sqlite => DbBackend::Sqlite,
        }
    }

    /// Removes what is in the tables, but for what is never removed: before the
    /// first of them is copied, or all are once more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn empty_moved_tables(&self) -> Result<()> {
        let unit = self.begin().await?;
        run(&unit, "SET LOCAL statement_timeout = 0".to_owned()).await?;
        let tables: Vec<&str> = moved_tables()
            .filter(|table| *table != APPEND_ONLY)
            .collect();
        for table in tables.iter().rev() {
            run(&unit, format!("DELETE FROM {table}")).await?;
        }
        unit.commit().await
    }

    /// Copies all rows of a table to this database, where it is empty, and notes `step` as done:
    /// both or neither. Answers how many; `told` hears on the way.
    ///
    /// # Errors
    /// When a row does not fit, or a database cannot.
    pub async fn take_table(
        &self,
        from: &RowsAtOneMoment,
        table: &'static str,
        step: &str,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64> {
        let unit = self.begin().await?;
        let columns = target_columns(&unit, table).await?;
        let mut rows = from.of_table(table, "", None).await?;
        let mut count = 0;
        loop {
            let page = rows.next().await?;
            if page.is_empty() {
                break;
            }
            count += page.len() as u64;
            insert(&unit, table, table, &columns, &page).await?;
            told(count);
        }
        if columns.iter().any(|column| column.name == "seq") {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'seq'), \
                 (SELECT coalesce(max(seq), 0) + 1 FROM {table}), false)"
            );
            run(&unit, sql).await?;
        }
        let done = MoveStep {
            done: true,
            details: serde_json::json!({ "rows": count }),
        };
        note(&unit, step, &done).await?;
        unit.commit().await?;
        Ok(count)
    }

    /// Reads the source's rows once more, and compares them with those that
    /// are here as this database itself writes them.
    ///
    /// # Errors
    /// When a database cannot.
    pub async fn compare_table(
        &self,
        from: &RowsAtOneMoment,
        table: &'static str,
    ) -> Result<Compared> {
        let unit = self.begin().await?;
        let columns = target_columns(&unit, table).await?;
        let names = names(&columns);
        run(
            &unit,
            format!(
                "CREATE TEMP TABLE {BESIDE} ON COMMIT DROP AS SELECT {names} FROM {table} WHERE false"
            ),
        )
        .await?;
        run(&unit, "SET LOCAL statement_timeout = 0".to_owned()).await?;
        let mut rows = from.of_table(table, "", None).await?;
        loop {
            let page = rows.next().await?;
            if page.is_empty() {
                break;
            }
            insert(&unit, BESIDE, table, &columns, &page).await?;
        }
        let source = sum(&unit, &format!("SELECT {names} FROM {BESIDE}")).await?;
        let target = sum(&unit, &format!("SELECT {names} FROM {table}")).await?;
        unit.roll_back().await?;
        Ok(Compared {
            source: source.0,
            target: target.0,
            same: source == target,
            checksum: target.1,
        })
    }
}

/// A column of the target.
struct Target {
    name: String,
    is_bytes: bool,
}

async fn target_columns(unit: &Unit, table: &'static str) -> Result<Vec<Target>> {
    let sql = "SELECT column_name::text AS name, data_type::text AS type \
         FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
    let context = failed("read the platform's columns");
    let rows = unit
        .executor()
        .query_all_raw(statement(unit.engine(), sql, [table.into()]))
        .await
        .map_err(&context)?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get("", "type")?;
            Ok(Target {
                name: row.try_get("", "name")?,
                is_bytes: kind == "bytea",
            })
        })
        .collect::<Result<_, DbErr>>()
        .map_err(context)
}

fn names(columns: &[Target]) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    names.join(", ")
}

/// Puts rows, JSON each, into a table as rows of the table `like`.
async fn insert(
    unit: &Unit,
    into: &str,
    like: &'static str,
    columns: &[Target],
    page: &[String],
) -> Result<()> {
    let bytes: Vec<&str> = columns
        .iter()
        .filter(|column| column.is_bytes)
        .map(|column| column.name.as_str())
        .collect();
    let mut rows = String::from("[");
    for (number, line) in page.iter().enumerate() {
        if number > 0 {
            rows.push(',');
        }
        if bytes.is_empty() {
            rows.push_str(line);
            continue;
        }
        // Bytes are told in hexadecimal digits, which Postgres wants marked.
        let read = |error: serde_json::Error| corrupt("row")(error.into());
        let mut row: ArchivedRow = serde_json::from_str(line).map_err(read)?;
        for name in &bytes {
            if let Some(serde_json::Value::String(digits)) = row.get_mut(*name)
                && !digits.starts_with("\\x")
            {
                digits.insert_str(0, "\\x");
            }
        }
        rows.push_str(&serde_json::to_string(&row).map_err(read)?);
    }
    rows.push(']');
    let names = names(columns);
    // What is there of it already stays, and is compared like all.
    let again = if into == APPEND_ONLY {
        " ON CONFLICT DO NOTHING"
    } else {
        ""
    };
    let sql = format!(
        "INSERT INTO {into} ({names}) \
         SELECT {names} FROM json_populate_recordset(NULL::{like}, $1::json){again}"
    );
    unit.executor()
        .execute_raw(Statement::from_sql_and_values(
            DbBackend::Postgres,
            sql,
            [rows.into()],
        ))
        .await
        .map(drop)
        .map_err(|error| {
            Error::invalid(
                "row_does_not_fit",
                format!("a row of the platform's table `{like}` does not fit into the target"),
            )
            .with_source(error)
        })
}

/// The number of rows, and a sum over them in whatever order.
async fn sum(unit: &Unit, rows: &str) -> Result<(i64, String)> {
    let context = failed("compare rows");
    let sql = format!("SELECT {SUM} FROM ({rows}) AS m");
    let row = unit
        .executor()
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .map_err(&context)?
        .ok_or_else(|| Error::internal("compare rows", "no answer"))?;
    let read = || Ok((row.try_get("", "rows")?, row.try_get("", "checksum")?));
    read().map_err(context)
}

/// Of the rows `m`: how many, and two sums over what Postgres writes of each.
pub(crate) const SUM: &str = "count(*) AS rows, \
     coalesce(sum(hashtextextended(m::text, 7)::numeric), 0)::text || '/' || \
     coalesce(sum(hashtextextended(m::text, 4711)::numeric), 0)::text AS checksum";

async fn run(unit: &Unit, sql: String) -> Result<()> {
    unit.executor()
        .execute_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .map(drop)
        .map_err(failed("move the platform's rows"))
}

async fn note(unit: &Unit, name: &str, step: &MoveStep) -> Result<()> {
    let sql = "INSERT INTO engine_move_steps (name, done, details, updated_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET done = excluded.done, \
         details = excluded.details, updated_at = excluded.updated_at";
    let values = [
        name.into(),
        step.done.into(),
        step.details.to_string().into(),
        unit.now().into(),
    ];
    unit.executor()
        .execute_raw(statement(unit.engine(), sql, values))
        .await
        .map(drop)
        .map_err(failed("note how far a move is"))
}
