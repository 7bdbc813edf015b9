//! `GET /admin/v1/projects/{project}/sql/history`: what was run.

use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_data::platform::Run;
use axum::{Json, extract::State};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A statement that was run.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunView {
    /// The entry's id.
    id: Uuid,
    /// Who ran it.
    actor: String,
    /// `read` or `write`.
    mode: String,
    /// The statement.
    sql: String,
    /// `ok`, or the code of the error.
    outcome: String,
    /// Rows returned or changed.
    row_count: u64,
    /// How long it took, milliseconds.
    duration_ms: f64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            actor: run.actor,
            mode: run.mode,
            sql: run.sql,
            outcome: run.outcome,
            row_count: run.rows,
            duration_ms: run.duration.as_secs_f64() * 1_000.0,
            at: run.at,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/sql/history", tag = "sql", operation_id = "sql_history",
    params(("project" = String, Path, description = "Id or slug"), PageQuery),
    responses((status = 200, description = "The newest thousand statements, newest first", body = List<RunView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<RunView>>, Problem> {
    let project = state.app.project(&project).await?;
    let runs = state
        .app
        .sql_history(project.id, page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(runs, RunView::from)))
}
