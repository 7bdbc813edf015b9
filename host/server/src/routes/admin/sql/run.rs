//! `POST /admin/v1/projects/{project}/sql`: runs one statement.

use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    routes::admin::tables::shown,
    state::HostState,
};
use atlashub_app::{RunSql, SqlAnswer};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// Whether a statement may write.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SqlMode {
    /// It only reads.
    #[default]
    Read,
    /// It may write, and change tables.
    Write,
}

/// A statement to be run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlRequest {
    /// The one statement.
    sql: String,
    /// Values of its parameters `$1`, `$2`, ….
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    params: Vec<Value>,
    /// Whether it may write; not unless given.
    #[serde(default)]
    mode: SqlMode,
    /// Whether only its plan is asked for.
    #[serde(default)]
    explain: bool,
    /// The id by which it can be stopped while it runs; made unless given.
    #[serde(default)]
    id: Option<Uuid>,
    /// How long it may run, milliseconds; 10000 unless given, 60000 at most.
    #[serde(default)]
    timeout_ms: Option<u64>,
    /// Rows that are taken; 1000 unless given, 10000 at most.
    #[serde(default)]
    max_rows: Option<usize>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SqlView {
    /// Its id.
    id: Uuid,
    /// Names of the columns.
    columns: Vec<String>,
    /// The values in the order of the columns. Bytes are base64, whole numbers
    /// beyond 2^53 text.
    #[schema(value_type = Vec<Vec<Object>>)]
    rows: Vec<Vec<Value>>,
    /// Rows that were taken, or that were changed.
    row_count: u64,
    /// Whether there would be more rows.
    truncated: bool,
    /// How long it took, milliseconds.
    duration_ms: f64,
    /// The number of the migration that it is, when it changed tables.
    #[schema(required)]
    migration: Option<i64>,
}

impl From<SqlAnswer> for SqlView {
    fn from(answer: SqlAnswer) -> Self {
        let show = |row: Vec<_>| row.into_iter().map(|value| shown(value, None)).collect();
        Self {
            id: answer.id,
            columns: answer.result.columns,
            rows: answer.result.rows.into_iter().map(show).collect(),
            row_count: answer.result.row_count,
            truncated: answer.result.truncated,
            duration_ms: answer.duration.as_secs_f64() * 1_000.0,
            migration: answer.migration,
        }
    }
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/sql", tag = "sql", operation_id = "run_sql",
    params(("project" = String, Path, description = "Id or slug")),
    request_body = SqlRequest,
    responses((status = 200, description = "What it returned", body = SqlView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<SqlRequest>,
) -> Result<axum::Json<SqlView>, Problem> {
    let project = state.app.project(&project).await?;
    let request = RunSql {
        id: body.id,
        sql: body.sql,
        params: body.params,
        write: body.mode == SqlMode::Write,
        explain: body.explain,
        time: body.timeout_ms.map(Duration::from_millis),
        max_rows: body.max_rows,
    };
    let answer = state
        .app
        .run_sql(&caller.actor, project.id, request)
        .await?;
    Ok(axum::Json(answer.into()))
}
