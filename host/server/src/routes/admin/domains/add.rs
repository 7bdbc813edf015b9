//! `POST /admin/v1/projects/{project}/domains`: gives a host name to a
//! project.

use super::DomainView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// A host name to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDomain {
    /// The name, such as `shop.example.com`.
    host: String,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/domains", tag = "projects", operation_id = "add_domain",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = NewDomain,
    responses((status = 201, description = "The project answers at the name", body = DomainView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<NewDomain>,
) -> Result<(StatusCode, axum::Json<DomainView>), Problem> {
    let project = state.app.project(&project).await?;
    let domain = state
        .app
        .add_domain(&caller.actor, project.id, &body.host)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(domain.into())))
}
