//! `GET /admin/v1/projects/{project}/schedules`.

use super::ScheduleView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::PluginName;
use atlashub_data::platform::ScheduleFilter;
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which schedules; absent members let all through.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ScheduleQuery {
    /// Of this plugin.
    plugin: Option<String>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/schedules", tag = "schedules", operation_id = "list_schedules",
    params(("project" = String, Path, description = "Id or slug"), ScheduleQuery, PageQuery),
    responses((status = 200, description = "Schedules of the project's plugins, in the order in which they were made", body = List<ScheduleView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(query): Query<ScheduleQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<ScheduleView>>, Problem> {
    let project = state.app.project(&project).await?;
    let plugin = query.plugin.as_deref().map(str::parse::<PluginName>);
    let filter = ScheduleFilter {
        plugin: plugin.transpose()?,
    };
    let schedules = state
        .app
        .schedules(project.id, &filter, page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(schedules, ScheduleView::from)))
}
