//! A connection of a plugin's role, or of one of a project's own: it runs one statement at a time, under a
//! time limit that the server keeps and that the host enforces from outside.
//!
//! A session whose state is in doubt (a statement was given up in the
//! middle, or its answer broken off) is never used again: its backend is
//! ended by an admin connection, which stops the statement and rolls back.

use super::{
    bounded,
    error::Fault,
    guard,
    names::literal,
    value::{self, Bound},
};
use crate::project::{
    pool::Pooled, public::EditorResult, row_too_large, text, timed_out, too_many_rows, unmeasurable,
};
use atlashub_core::{
    Error, Result,
    capability::database::BoundCaller,
    capability::sql::{MAX_RESULT_BYTES, MAX_ROWS, SqlRows, SqlValue},
};
use futures::TryStreamExt as _;
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Either, Executor as _, PgConnection, PgPool,
    Row as _, SqlSafeStr as _, Statement as _, ValueRef as _,
    postgres::{PgArguments, PgRow, PgStatement, PgTypeInfo},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Bytes from which a chunk of lines is handed on.
const CHUNK: usize = 512 * 1024;
/// What the host waits beyond the server's own time limit.
const GRACE: Duration = Duration::from_millis(500);

/// An open connection.
pub(super) struct Session {
    connection: Option<PgConnection>,
    backend: i32,
    role: String,
    admin: PgPool,
    time: Duration,
    in_doubt: bool,
    in_transaction: bool,
    serving: Option<Serving>,
}

/// For whom a session on the project's own tables works, as its settings
/// say.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Serving {
    /// A caller whom row policies bind.
    pub(super) caller: Option<Arc<BoundCaller>>,
    /// Whether it may write.
    pub(super) write: bool,
}

impl Pooled for Session {
    fn renew(&mut self) -> bool {
        // A transaction that is still open ends with its connection.
        !self.in_doubt && !self.in_transaction
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.in_doubt {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (admin, backend, role) = (self.admin.clone(), self.backend, self.role.clone());
        let connection = self.connection.take();
        runtime.spawn(async move {
            let ended = sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE pid = $1 AND usename = $2",
            )
            .bind(backend)
            .bind(&role)
            .execute(&admin)
            .await;
            if let Err(error) = ended {
                tracing::warn!(%error, role, "failed to end a database statement that was given up");
            }
            drop(connection);
        });
    }
}

/// A prepared statement with its values.
struct Call {
    statement: PgStatement,
    arguments: PgArguments,
}

impl Session {
    pub(super) async fn new(
        mut connection: PgConnection,
        role: String,
        admin: PgPool,
        time: Duration,
    ) -> Result<Self, sqlx::Error> {
        let backend = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut connection)
            .await?;
        Ok(Self {
            connection: Some(connection),
            backend,
            role,
            admin,
            time,
            in_doubt: false,
            in_transaction: false,
            serving: None,
        })
    }

    /// Runs `work` under the time limit, and notes whether the session can
    /// be used after it. When this future is dropped in the middle, it
    /// cannot.
    async fn guarded<T>(
        &mut self,
        time: Duration,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let gone = || Fault::Stopped(Error::conflict("sql_failed", "the connection has ended"));
        if self.in_doubt {
            return Err(gone());
        }
        let connection = self.connection.as_mut().ok_or_else(gone)?;
        self.in_doubt = true;
        let done = tokio::time::timeout(time + GRACE, work(connection)).await;
        let result = done.unwrap_or_else(|_| Err(Fault::Stopped(timed_out())));
        self.in_doubt = match &result {
            Ok(_) => false,
            Err(fault) => !fault.leaves_session_usable(),
        };
        result
    }

    /// Keeps the session out of the pool from now on.
    pub(super) fn retire(&mut self) {
        self.in_transaction = true;
    }

    /// Runs one of the plugin's statements and returns its rows.
    pub(super) async fn query(&mut self, sql: &str, values: &[SqlValue]) -> Result<SqlRows, Fault> {
        guard::check_offered(sql).map_err(Fault::Refused)?;
        self.guarded(self.time, async |connection| {
            let call = prepare(connection, sql, values).await?;
            collect(connection, call).await
        })
        .await
    }

    /// As [`Session::query`], in a transaction of its own, so that a result
    /// of too many rows leaves no changes.
    pub(super) async fn query_whole(
        &mut self,
        sql: &str,
        values: &[SqlValue],
    ) -> Result<SqlRows, Fault> {
        guard::check_offered(sql).map_err(Fault::Refused)?;
        self.begin(false).await?;
        match self.query(sql, values).await {
            Ok(rows) => self.commit().await.map(|()| rows),
            Err(fault) => {
                // A session that fails at this is not used again.
                let _ = self.rollback().await;
                Err(fault)
            }
        }
    }

    /// Runs one of the plugin's statements and returns how many rows it
    /// changed.
    pub(super) async fn execute(&mut self, sql: &str, values: &[SqlValue]) -> Result<u64, Fault> {
        guard::check_offered(sql).map_err(Fault::Refused)?;
        let changed = self
            .guarded(self.time, async |connection| {
                let call = prepare(connection, sql, values).await?;
                run(connection, call).await
            })
            .await?;
        // The server also counts the rows that a reading statement returned.
        let reads = text::may_only_read(sql) && text::first_word(sql) != "WITH";
        Ok(if reads { 0 } else { changed })
    }

    /// Runs a statement and takes at most so many of its rows, within the
    /// time; what writes runs to its end all the same.
    pub(super) async fn query_bounded(
        &mut self,
        sql: &str,
        values: &[SqlValue],
        (time, max_rows, write): (Duration, usize, bool),
    ) -> Result<EditorResult, Fault> {
        guard::check_offered(sql).map_err(Fault::Refused)?;
        self.guarded(time, async |connection| {
            let mut call = prepare(connection, sql, values).await?;
            let mut result = EditorResult {
                columns: column_names(&call.statement),
                ..EditorResult::default()
            };
            let measured = bounded::measured(sql, call.statement.columns(), MAX_RESULT_BYTES);
            if let Some(measured) = &measured {
                call = prepare(connection, measured, values).await?;
            } else if bounded::is_unbounded(sql, call.statement.columns()) {
                return Err(Fault::Refused(unmeasurable()));
            }
            let query = call.statement.query_with(call.arguments);
            let mut stream = connection.fetch_many(query);
            let mut room = MAX_RESULT_BYTES;
            let mut changed = 0;
            while let Some(item) = stream.try_next().await? {
                let row = match item {
                    Either::Left(done) => {
                        changed = done.rows_affected();
                        continue;
                    }
                    Either::Right(row) => row,
                };
                let left = match (result.truncated, result.rows.len() < max_rows) {
                    (false, true) => {
                        let (mut row, bytes) = decode_row(&row)?;
                        let fits = measured.is_none() || row.pop() == Some(SqlValue::Boolean(true));
                        let left = room.checked_sub(bytes).filter(|_| fits);
                        if left.is_some() {
                            result.rows.push(row);
                        }
                        left
                    }
                    _ => None,
                };
                match left {
                    Some(left) => room = left,
                    None => result.truncated = true,
                }
                if result.truncated && !write {
                    // The rest is not asked for: the connection ends with it.
                    break;
                }
            }
            result.row_count = if result.columns.is_empty() {
                changed
            } else {
                result.rows.len() as u64
            };
            Ok(result)
        })
        .await
    }

    /// Runs a statement of a migration, which takes no values.
    pub(super) async fn migrate(&mut self, sql: &str, time: Duration) -> Result<(), Fault> {
        guard::check_offered(sql).map_err(Fault::Refused)?;
        self.guarded(time, async |connection| {
            let query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
            connection.execute(query).await?;
            Ok(())
        })
        .await
    }

    /// Tells the session for whom it works from now on, if that is another
    /// than before. Outside of a transaction, which would undo it.
    pub(super) async fn serve(&mut self, serving: &Serving) -> Result<(), Fault> {
        if self.serving.as_ref() == Some(serving) {
            return Ok(());
        }
        self.serving = None;
        let mut sql = format!(
            "SET default_transaction_read_only = {}",
            if serving.write { "off" } else { "on" }
        );
        let mut set = |name: &str, value: &str| {
            sql.push_str(&format!("; SET atlashub.{name} = {}", literal(value)));
        };
        match &serving.caller {
            None => {
                set("caller_role", "service");
                set("caller_claims", r#"{"role":"service"}"#);
            }
            Some(caller) => {
                let id = caller.id().map(|id| id.to_string()).unwrap_or_default();
                let roles = serde_json::json!(caller.roles()).to_string();
                set("caller_id", &id);
                set("caller_role", caller.role());
                set("caller_roles", &roles);
                set("caller_claims", caller.claims());
            }
        }
        self.guarded(self.time, async |connection| {
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
                .await?;
            Ok(())
        })
        .await?;
        self.serving = Some(serving.clone());
        Ok(())
    }

    /// Bounds the statements of a transaction by another time.
    pub(super) async fn set_time(&mut self, time: Duration) -> Result<(), Fault> {
        let sql = format!("SET LOCAL statement_timeout = {}", time.as_millis());
        self.run(&sql).await
    }

    /// Runs the host's own text, one statement without values.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), Fault> {
        self.guarded(self.time, async |connection| {
            let query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
            connection.execute(query).await?;
            Ok(())
        })
        .await
    }

    /// Runs the host's own text with values of text.
    pub(super) async fn host(
        &mut self,
        sql: &'static str,
        values: &[&str],
    ) -> Result<Vec<PgRow>, Fault> {
        self.guarded(self.time, async |connection| {
            let mut query = sqlx::query(sql);
            for value in values {
                query = query.bind(*value);
            }
            Ok(connection.fetch_all(query).await?)
        })
        .await
    }

    /// Copies what a statement answers out, in chunks of lines. Ends quietly
    /// when nobody takes them any more.
    pub(super) async fn copy_out(
        &mut self,
        sql: &str,
        into: &mpsc::Sender<Result<Vec<u8>>>,
    ) -> Result<(), Fault> {
        let result = self
            .guarded(self.time, async |connection| {
                // The server reads it as one statement, before it becomes a
                // part of another.
                let call = prepare(connection, sql, &[]).await?;
                let copied = bounded::copied(sql, call.statement.columns(), MAX_RESULT_BYTES);
                copy_out(connection, &copied, into).await
            })
            .await;
        if result.is_err() {
            // What is left of the answer would come before the next one.
            self.retire();
        }
        result
    }

    /// Copies lines in, as they are fed; how many rows.
    pub(super) async fn copy_in(
        &mut self,
        sql: &str,
        fed: &mut mpsc::Receiver<Feed>,
    ) -> Result<u64, Fault> {
        self.guarded(self.time, async |connection| {
            let mut copy = connection.copy_in_raw(sql).await?;
            loop {
                match fed.recv().await {
                    Some(Feed::Lines(lines)) => {
                        copy.send(lines).await?;
                    }
                    Some(Feed::End) => return Ok(copy.finish().await?),
                    None => return Err(Fault::Stopped(timed_out())),
                }
            }
        })
        .await
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self, read_only: bool) -> Result<(), Fault> {
        self.in_transaction = true;
        self.host(
            if read_only {
                "BEGIN READ ONLY"
            } else {
                "BEGIN"
            },
            &[],
        )
        .await
        .map(drop)
    }

    /// Runs several of the host's own texts that read, all of one moment.
    pub(super) async fn read_of_one_moment(
        &mut self,
        parts: &[&'static str],
        values: &[&str],
    ) -> Result<Vec<Vec<PgRow>>, Fault> {
        self.in_transaction = true;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.host(begin, &[]).await?;
        let mut found = Vec::with_capacity(parts.len());
        for sql in parts {
            match self.host(sql, values).await {
                Ok(rows) => found.push(rows),
                Err(fault) => {
                    // A session that fails at this is not used again.
                    let _ = self.rollback().await;
                    return Err(fault);
                }
            }
        }
        self.commit().await?;
        Ok(found)
    }

    /// Makes the transaction's changes last.
    pub(super) async fn commit(&mut self) -> Result<(), Fault> {
        // The server has ended the transaction also when this fails.
        let result = self.host("COMMIT", &[]).await.map(drop);
        self.in_transaction = self.in_doubt;
        result
    }

    /// Undoes the transaction's changes.
    pub(super) async fn rollback(&mut self) -> Result<(), Fault> {
        let result = self.host("ROLLBACK", &[]).await.map(drop);
        self.in_transaction = result.is_err();
        result
    }

    /// Opens the server's cursor `page` for a statement, within a
    /// transaction; answers the columns.
    pub(super) async fn declare(&mut self, sql: &str, values: &[SqlValue]) -> Result<(), Fault> {
        guard::check_offered(sql).map_err(Fault::Refused)?;
        let declaration = format!("DECLARE page NO SCROLL CURSOR FOR {sql}");
        self.guarded(self.time, async |connection| {
            let call = prepare(connection, &declaration, values).await?;
            run(connection, call).await
        })
        .await
        .map(drop)
    }

    /// The next rows of the server's cursor, with their sizes in bytes.
    pub(super) async fn fetch(
        &mut self,
        count: usize,
    ) -> Result<(Vec<String>, Vec<(Vec<SqlValue>, usize)>), Fault> {
        let fetch = format!("FETCH FORWARD {count} FROM page");
        self.guarded(self.time, async |connection| {
            let statement = connection
                .prepare(AssertSqlSafe(fetch).into_sql_str())
                .await?;
            let columns = column_names(&statement);
            let query = statement.query();
            let mut stream = connection.fetch(query);
            let mut rows = Vec::new();
            while let Some(row) = stream.try_next().await? {
                rows.push(decode_row(&row)?);
            }
            Ok((columns, rows))
        })
        .await
    }
}

/// What a writer feeds.
pub(super) enum Feed {
    /// Whole lines.
    Lines(Vec<u8>),
    /// No more come.
    End,
}

async fn copy_out(
    connection: &mut PgConnection,
    copied: &bounded::Copied,
    into: &mpsc::Sender<Result<Vec<u8>>>,
) -> Result<(), Fault> {
    let mut stream = connection.copy_out_raw(&copied.sql).await?;
    let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 8);
    while let Some(line) = stream.try_next().await? {
        // The server sends each row by itself.
        let line = match copied.is_measured {
            true => match line.strip_suffix(b"\tt\n") {
                Some(line) => line,
                None => {
                    // What comes before it counts.
                    if !chunk.is_empty() {
                        let _ = into.send(Ok(chunk)).await;
                    }
                    return Err(Fault::Stopped(row_too_large()));
                }
            },
            false => line.strip_suffix(b"\n").unwrap_or(&line),
        };
        chunk.extend_from_slice(line);
        chunk.push(b'\n');
        if chunk.len() >= CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + CHUNK / 8));
            if into.send(Ok(full)).await.is_err() {
                return Err(Fault::Stopped(timed_out()));
            }
        }
    }
    if !chunk.is_empty() {
        let _ = into.send(Ok(chunk)).await;
    }
    Ok(())
}

fn column_names(statement: &PgStatement) -> Vec<String> {
    statement
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect()
}

/// Has the server prepare a statement, or takes it from the connection's
/// cache, and encodes the values for it.
async fn prepare(
    connection: &mut PgConnection,
    sql: &str,
    values: &[SqlValue],
) -> Result<Call, Fault> {
    let statement = connection
        .prepare(AssertSqlSafe(sql.to_owned()).into_sql_str())
        .await?;
    let targets: &[PgTypeInfo] = match statement.parameters() {
        Some(Either::Left(targets)) => targets,
        _ => &[],
    };
    if targets.len() != values.len() {
        return Err(Fault::Refused(Error::invalid(
            "sql_syntax",
            format!(
                "the statement takes {} parameters, not {}",
                targets.len(),
                values.len()
            ),
        )));
    }
    let mut arguments = PgArguments::default();
    for (number, (value, target)) in (1..).zip(values.iter().zip(targets)) {
        arguments.add(Bound::new(value, target)).map_err(|error| {
            let message = format!("parameter ${number}: {error}");
            Fault::Refused(Error::invalid("sql_failed", message))
        })?;
    }
    Ok(Call {
        statement,
        arguments,
    })
}

async fn run(connection: &mut PgConnection, call: Call) -> Result<u64, Fault> {
    let query = call.statement.query_with(call.arguments);
    let done = connection.execute(query).await?;
    Ok(done.rows_affected())
}

async fn collect(connection: &mut PgConnection, call: Call) -> Result<SqlRows, Fault> {
    let columns = column_names(&call.statement);
    let query = call.statement.query_with(call.arguments);
    let mut stream = connection.fetch(query);
    let mut rows = Vec::new();
    let mut room = MAX_RESULT_BYTES;
    while let Some(row) = stream.try_next().await? {
        let too_many = || Fault::Stopped(too_many_rows());
        if rows.len() == MAX_ROWS {
            return Err(too_many());
        }
        let (row, bytes) = decode_row(&row)?;
        room = room.checked_sub(bytes).ok_or_else(too_many)?;
        rows.push(row);
    }
    Ok(SqlRows { columns, rows })
}

/// The values of a row and their size in bytes.
fn decode_row(row: &PgRow) -> Result<(Vec<SqlValue>, usize), Fault> {
    let mut values = Vec::with_capacity(row.len());
    let mut bytes = 0;
    for (index, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            bytes += 8;
            values.push(SqlValue::Null);
            continue;
        }
        let value = value::decode(&raw, &raw.type_info()).map_err(|error| {
            let message = format!("column `{}`: {error}", column.name());
            Fault::Stopped(Error::invalid("sql_failed", message))
        })?;
        bytes += match &value {
            SqlValue::Text(text) => text.len(),
            SqlValue::Blob(blob) => blob.len(),
            _ => 8,
        };
        values.push(value);
    }
    Ok((values, bytes))
}
