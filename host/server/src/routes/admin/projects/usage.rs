//! `GET /admin/v1/projects/{project}/usage`.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_app::ProjectUsage;
use atlashub_core::ProjectId;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// What a project uses and may use.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageView {
    /// Objects in storage.
    storage: StorageView,
    /// The most bytes one end user may store; null for the platform's default.
    user_storage_bytes: Option<u64>,
    /// Requests it may make in a second.
    requests_per_second: u32,
    /// Requests that read, of one caller, in a second.
    caller_reads_per_second: u32,
    /// Requests that change something, of one caller, in a second.
    caller_writes_per_second: u32,
    /// Requests that reached this node since it started.
    requests: u64,
}

/// Objects in storage.
#[derive(Serialize, ToSchema)]
pub(crate) struct StorageView {
    /// Bytes in use, those of uploads under way included.
    used_bytes: u64,
    /// Bytes set aside for uploads under way.
    reserved_bytes: u64,
    /// The most it may use; null for no limit.
    limit_bytes: Option<u64>,
}

impl UsageView {
    pub(super) fn of(state: &HostState, project: ProjectId, usage: &ProjectUsage) -> Self {
        let settings = state.app.settings();
        Self {
            storage: StorageView {
                used_bytes: usage.storage.used_bytes,
                reserved_bytes: usage.storage.reserved_bytes,
                limit_bytes: usage.storage.limit_bytes,
            },
            user_storage_bytes: usage.settings.user_storage_bytes,
            requests_per_second: usage
                .settings
                .requests_per_second
                .unwrap_or(settings.requests_per_second),
            caller_reads_per_second: usage
                .settings
                .caller_reads_per_second
                .unwrap_or(settings.caller_rates.reads),
            caller_writes_per_second: usage
                .settings
                .caller_writes_per_second
                .unwrap_or(settings.caller_rates.writes),
            requests: state
                .app
                .directory()
                .by_id(project)
                .map_or(0, |entry| entry.requests()),
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/usage", tag = "projects", operation_id = "get_usage",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "What the project uses and may use", body = UsageView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<UsageView>, Problem> {
    let project = state.app.project(&project).await?.id;
    let usage = state.app.project_usage(project).await?;
    Ok(Json(UsageView::of(&state, project, &usage)))
}
