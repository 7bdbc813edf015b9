//! `POST /admin/v1/check`: what lies in the store and belongs to no project;
//! what `atlashub fsck` calls before it looks at all projects. It answers as the
//! check of a project does.

use super::projects::check::{CheckWish, answer, options};
use crate::{admin::AdminCaller, extract::Json, problem::Problem, state::HostState};
use axum::{extract::State, response::Response};

#[utoipa::path(
    post, path = "/admin/v1/check", tag = "operations", operation_id = "check_store",
    request_body = CheckWish,
    responses((status = 200, description = "Findings and, at last, a summary, one a line", content((String = "application/x-ndjson"))))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Json(wish): Json<CheckWish>,
) -> Result<Response, Problem> {
    let options = options(&wish)?;
    let news = state.app.check_store(&caller.actor, options).await?;
    Ok(answer(news))
}
