//! `GET /admin/v1/projects/{project}/migrations.sql`: all of them as one file.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::header;

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/migrations.sql", tag = "tables", operation_id = "export_project_migrations",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Statements that make the same tables in an empty database", body = String, content_type = "application/sql"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<([(header::HeaderName, String); 2], String), Problem> {
    let project = state.app.project(&project).await?;
    let text = state.app.export_migrations(project.id).await?;
    let name = format!("attachment; filename=\"{}-migrations.sql\"", project.slug);
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/sql; charset=utf-8".to_owned(),
        ),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, text))
}
