//! `GET /p/{project}/openapi.json`: a project describes itself to its own
//! servers and to admins; of its tables nobody else is told.

use atlashub_app::{App, directory::ProjectEntry};
use atlashub_core::{Caller, Error, KeyKind, Result};
use axum::{
    Json,
    body::Body,
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;

pub(super) async fn answer(
    app: &App,
    project: &Arc<ProjectEntry>,
    caller: &Caller,
) -> Result<Response<Body>> {
    match caller {
        Caller::Admin { .. }
        | Caller::Key {
            kind: KeyKind::Secret,
            ..
        } => Ok(Json(app.project_openapi(project).await?).into_response()),
        Caller::Nobody => Err(Error::unauthenticated("send a secret key of the project")),
        _ => Err(Error::forbidden("this needs a secret key of the project")),
    }
}
