//! `PUT /admin/v1/projects/{project}/quota`: sets limits.

use super::usage::UsageView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path, present},
    problem::Problem,
    state::HostState,
};
use atlashub_app::QuotaPatch;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// Limits to set; absent members stay as they are, null goes back to the
/// default (for `storage_bytes`: no limit).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Quota {
    /// The most bytes the project may store.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    storage_bytes: Option<Option<u64>>,
    /// The most bytes one end user may store.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u64>)]
    user_storage_bytes: Option<Option<u64>>,
    /// Requests it may make in a second.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    requests_per_second: Option<Option<u32>>,
    /// Requests that read, of one caller, in a second.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    caller_reads_per_second: Option<Option<u32>>,
    /// Requests that change something, of one caller, in a second.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    caller_writes_per_second: Option<Option<u32>>,
}

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/quota", tag = "projects", operation_id = "set_quota",
    params(("project" = String, Path, description = "Id or slug")),
    request_body = Quota,
    responses((status = 200, description = "What the project uses and may use now", body = UsageView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<Quota>,
) -> Result<axum::Json<UsageView>, Problem> {
    let project = state.app.project(&project).await?.id;
    let wanted = QuotaPatch {
        storage_bytes: body.storage_bytes,
        user_storage_bytes: body.user_storage_bytes,
        requests_per_second: body.requests_per_second,
        caller_reads_per_second: body.caller_reads_per_second,
        caller_writes_per_second: body.caller_writes_per_second,
    };
    let usage = state.app.set_quota(&caller.actor, project, wanted).await?;
    Ok(axum::Json(UsageView::of(&state, project, &usage)))
}
