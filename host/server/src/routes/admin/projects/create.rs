//! `POST /admin/v1/projects`: makes a project; the only time its keys are
//! shown.

use super::ProjectView;
use crate::{admin::AdminCaller, extract::Json, problem::Problem, state::HostState};
use atlashub_app::CreateProject;
use atlashub_core::Slug;
use axum::{extract::State, response::IntoResponse};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A project to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// Its display name.
    name: String,
    /// Its name in addresses; made from the name unless given.
    slug: Option<String>,
}

/// A project and its keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewProjectView {
    #[serde(flatten)]
    project: ProjectView,
    /// Its keys, shown once.
    keys: NewKeys,
}

/// The keys of a new project.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeys {
    /// May be shipped in a browser.
    publishable: String,
    /// Stays on a server.
    secret: String,
}

#[utoipa::path(
    post, path = "/admin/v1/projects", tag = "projects", operation_id = "create_project",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again")),
    request_body = NewProject,
    responses((status = 201, description = "The project and its keys", body = NewProjectView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Json(body): Json<NewProject>,
) -> Result<impl IntoResponse, Problem> {
    let slug: Option<Slug> = body.slug.map(|slug| slug.parse()).transpose()?;
    let made = state
        .app
        .create_project(
            &caller.actor,
            CreateProject {
                name: body.name,
                slug,
            },
        )
        .await?;
    let location = format!("/admin/v1/projects/{}", made.project.id);
    let view = NewProjectView {
        project: ProjectView::of(&state, made.project),
        keys: NewKeys {
            publishable: made.publishable,
            secret: made.secret,
        },
    };
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        axum::Json(view),
    ))
}
