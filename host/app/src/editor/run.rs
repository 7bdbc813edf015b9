//! Running one statement.

use super::running::Entry;
use crate::{Actor, App};
use atlashub_core::{Digest, Error, ProjectId, Result, capability::sql::SqlValue};
use atlashub_data::{
    platform::NewRun,
    project::public::{EditorResult, EditorStatement},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a statement may run unless it asks for less or more.
const TIME: Duration = Duration::from_secs(10);
/// Rows that are taken unless it asks for less or more.
const ROWS: usize = 1_000;
/// Characters of a statement that the audit keeps.
const AUDITED_CHARS: usize = 500;
/// Characters of a statement that name a migration.
const TITLE_CHARS: usize = 80;

/// A statement to be run.
#[derive(Clone, Debug)]
pub struct RunSql {
    /// The id by which it can be stopped; made unless given.
    pub id: Option<Uuid>,
    /// The one statement.
    pub sql: String,
    /// Values of its parameters.
    pub params: Vec<Value>,
    /// Whether it may write and change tables.
    pub write: bool,
    /// Whether only its plan is asked for.
    pub explain: bool,
    /// How long it may run; ten seconds unless given, a minute at most.
    pub time: Option<Duration>,
    /// Rows that are taken; a thousand unless given.
    pub max_rows: Option<usize>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct SqlAnswer {
    /// Its id.
    pub id: Uuid,
    /// Columns and rows.
    pub result: EditorResult,
    /// How long it took.
    pub duration: Duration,
    /// The number of the migration that it is, when it changed tables.
    pub migration: Option<i64>,
}

impl App {
    /// Runs one statement in a project's database. When the caller goes away
    /// it is stopped; either way it is noted.
    ///
    /// # Errors
    /// `too_many_statements`, `statement_running`, `sql_cancelled`, and the
    /// codes of SQL.
    pub async fn run_sql(
        &self,
        actor: &Actor,
        project: ProjectId,
        request: RunSql,
    ) -> Result<SqlAnswer> {
        let id = request.id.unwrap_or_else(Uuid::now_v7);
        let entry = self.running().enter(project, id)?;
        let _stops_with_caller = entry.stop().drop_guard();
        let (app, actor) = (self.clone(), actor.clone());
        let work = async move { app.run_noted(&actor, project, id, request, entry).await };
        let task = self.spawn(work);
        task.await
            .map_err(|error| Error::internal("run a statement", error))?
    }

    /// Stops a statement that runs on this node or another.
    ///
    /// # Errors
    /// When the platform database cannot.
    pub async fn cancel_sql(&self, actor: &Actor, project: ProjectId, id: Uuid) -> Result<()> {
        let here = self.running().stop(project, id);
        let unit = self.platform().begin().await?;
        if !here {
            unit.sql_history().announce_cancel(project, id).await?;
        }
        unit.audit()
            .append(actor.did("sql.cancel", Some(project), id.to_string(), json!({})))
            .await?;
        unit.commit().await
    }

    async fn run_noted(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: Uuid,
        request: RunSql,
        entry: Entry,
    ) -> Result<SqlAnswer> {
        let start = Instant::now();
        let stop = entry.stop();
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Err(cancelled()),
            outcome = self.run_statement(actor, project, &request) => outcome,
        };
        drop(entry);
        let duration = start.elapsed();
        let run = NewRun {
            actor: actor.name(),
            mode: if request.write { "write" } else { "read" },
            outcome: match &outcome {
                Ok(_) => "ok".to_owned(),
                Err(error) => error.code().to_owned(),
            },
            rows: outcome.as_ref().map_or(0, |(result, _)| result.row_count),
            duration,
            sql: request.sql,
        };
        self.note_run(actor, project, id, run).await?;
        let (result, migration) = outcome?;
        Ok(SqlAnswer {
            id,
            result,
            duration,
            migration,
        })
    }

    /// Runs a statement; one that changes tables is written down as a
    /// migration around it.
    async fn run_statement(
        &self,
        actor: &Actor,
        project: ProjectId,
        request: &RunSql,
    ) -> Result<(EditorResult, Option<i64>)> {
        let statement = EditorStatement {
            sql: request.sql.clone(),
            values: request.params.iter().map(value).collect(),
            write: request.write,
            explain: request.explain,
            time: request.time.unwrap_or(TIME),
            max_rows: request.max_rows.unwrap_or(ROWS),
            mark: None,
        };
        let databases = self.databases();
        if !(request.write && databases.may_change_tables(&request.sql)) {
            let result = databases.run_statement(project, statement).await?;
            return Ok((result, None));
        }
        let title: String = request.sql.chars().take(TITLE_CHARS).collect();
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let begun = self.begin_change(actor, project, &title).await?;
        let statement = EditorStatement {
            mark: Some(begun.mark.clone()),
            ..statement
        };
        let script = statement.script();
        let migrations = self.platform().project_migrations();
        let result = match databases.run_statement(project, statement).await {
            Ok(result) if result.changed_tables => result,
            Ok(result) => {
                migrations.forget(project, begun.number).await?;
                return Ok((result, None));
            }
            Err(error) => return Err(self.abandon_change(&begun, error).await),
        };
        migrations.complete(project, begun.number, &script).await?;
        self.forget_note(&begun).await;
        Ok((result, Some(begun.number)))
    }

    async fn note_run(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: Uuid,
        run: NewRun,
    ) -> Result<()> {
        let shown: String = run.sql.chars().take(AUDITED_CHARS).collect();
        let details = json!({
            "mode": run.mode,
            "outcome": run.outcome,
            "rows": run.rows,
            "sql": shown.replace('\0', "\u{fffd}"),
            "digest": Digest::of(run.sql.as_bytes()).to_hex(),
        });
        let unit = self.platform().begin().await?;
        unit.sql_history().add(project, run).await?;
        unit.audit()
            .append(actor.did("sql.run", Some(project), id.to_string(), details))
            .await?;
        unit.commit().await
    }
}

/// A parameter as the database takes it.
fn value(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Bool(value) => SqlValue::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => SqlValue::Integer(whole),
            (None, Some(real)) => SqlValue::Real(real),
            (None, None) => SqlValue::Text(number.to_string()),
        },
        Value::String(text) => SqlValue::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => SqlValue::Text(value.to_string()),
    }
}

fn cancelled() -> Error {
    Error::conflict("sql_cancelled", "the statement was stopped")
}
