//! `POST /admin/v1/projects/{project}/plugins/{plugin}/page-token`: what a page
//! of the plugin needs to call the plugin's routes as the admin.

use super::named;
use crate::{admin::AnyAdmin, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};
use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A token for the pages of a plugin.
#[derive(Serialize, ToSchema)]
pub(crate) struct PageTokenView {
    /// Sent as `Authorization: Bearer …` to the plugin's routes.
    token: String,
    /// When it ends; ask for the next before.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/plugins/{plugin}/page-token", tag = "plugins", operation_id = "create_page_token",
    params(("project" = String, Path, description = "Id or slug"), ("plugin" = String, Path, description = "The plugin's name")),
    responses((status = 201, description = "A token for this plugin's routes in this project, with the rights of the admin at most", body = PageTokenView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    AnyAdmin(caller): AnyAdmin,
    Path((project, plugin)): Path<(String, String)>,
) -> Result<(StatusCode, Json<PageTokenView>), Problem> {
    let (project, plugin) = named(&state, &project, &plugin).await?;
    let admin = &caller.admin;
    let made = state
        .app
        .issue_page_token(
            project,
            &plugin,
            admin.id,
            admin.role,
            admin.session.as_ref(),
        )
        .await?;
    let view = PageTokenView {
        token: made.token,
        expires_at: made.expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
