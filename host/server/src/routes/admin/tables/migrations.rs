//! `GET /admin/v1/projects/{project}/migrations`: what changed its tables.

use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_data::platform::ProjectMigration;
use axum::{Json, extract::State};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A change of a project's tables.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectMigrationView {
    /// Its number within the project.
    number: i64,
    /// What it does, in a few words.
    title: String,
    /// The statements that did it; null when it was cut short.
    #[schema(required)]
    sql: Option<String>,
    /// SHA-256 of the statements.
    #[schema(required)]
    digest: Option<String>,
    /// Who asked for it.
    actor: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// When it was made; null when it was cut short.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    applied_at: Option<OffsetDateTime>,
}

impl From<ProjectMigration> for ProjectMigrationView {
    fn from(migration: ProjectMigration) -> Self {
        Self {
            number: migration.number,
            title: migration.title,
            sql: migration.sql,
            digest: migration.digest,
            actor: migration.actor,
            started_at: migration.started_at,
            applied_at: migration.applied_at,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/migrations", tag = "tables", operation_id = "list_project_migrations",
    params(("project" = String, Path, description = "Id or slug"), PageQuery),
    responses((status = 200, description = "Changes of the project's tables, oldest first", body = List<ProjectMigrationView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<ProjectMigrationView>>, Problem> {
    let project = state.app.project(&project).await?;
    let migrations = state
        .app
        .schema_migrations(project.id, page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(migrations, ProjectMigrationView::from)))
}
