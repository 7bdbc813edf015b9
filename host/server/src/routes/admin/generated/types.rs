//! `GET /admin/v1/projects/{project}/types.ts`: TypeScript types of its tables.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::header;

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/types.ts", tag = "tables", operation_id = "typescript_types",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "The type `Database`, as clients of the PostgREST dialect take it", body = String, content_type = "text/plain"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<([(header::HeaderName, &'static str); 1], String), Problem> {
    let project = state.app.project(&project).await?;
    let text = state.app.typescript_types(project.id).await?;
    // `video/mp2t` is what the ending would be taken for.
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}
