//! `GET /admin/v1/projects/{project}/plugins/{plugin}/metrics`: what the
//! plugin did on the node that answers since it was brought up there.

use super::named;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_runtime::StatsSnapshot;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// What a plugin did.
#[derive(Serialize, ToSchema)]
pub(crate) struct MetricsView {
    /// Requests that reached it.
    requests: u64,
    /// Answers with a status of 500 or above, faults included.
    errors: u64,
    /// Requests that ended in a trap.
    traps: u64,
    /// Requests that ran out of time.
    timeouts: u64,
    /// Requests refused because it was saturated or cut off.
    refused: u64,
    /// Requests being handled.
    running: u64,
    /// Instances made.
    instantiations: u64,
    /// Memory of the instance used last.
    memory_bytes: u64,
    /// Time until the head of the response.
    latency_ms: LatencyView,
}

/// Quantiles, milliseconds.
#[derive(Serialize, ToSchema)]
pub(crate) struct LatencyView {
    /// The median.
    p50: f64,
    /// The 95th percentile.
    p95: f64,
    /// The 99th percentile.
    p99: f64,
}

impl From<StatsSnapshot> for MetricsView {
    fn from(stats: StatsSnapshot) -> Self {
        Self {
            requests: stats.requests,
            errors: stats.errors,
            traps: stats.traps,
            timeouts: stats.timeouts,
            refused: stats.refused,
            running: stats.running,
            instantiations: stats.instantiations,
            memory_bytes: stats.memory_bytes,
            latency_ms: LatencyView {
                p50: stats.p50_seconds * 1_000.0,
                p95: stats.p95_seconds * 1_000.0,
                p99: stats.p99_seconds * 1_000.0,
            },
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/plugins/{plugin}/metrics", tag = "plugins", operation_id = "plugin_metrics",
    params(("project" = String, Path, description = "Id or slug"), ("plugin" = String, Path, description = "The plugin's name")),
    responses((status = 200, description = "What the plugin did on the node that answers", body = MetricsView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, plugin)): Path<(String, String)>,
) -> Result<Json<MetricsView>, Problem> {
    let (project, plugin) = named(&state, &project, &plugin).await?;
    Ok(Json(
        state
            .app
            .installed_plugin(project, &plugin)
            .await?
            .stats
            .into(),
    ))
}
