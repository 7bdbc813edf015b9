//! `GET /admin/v1/projects/{project}/series`: what a project did, or one of its
//! plugins.

use super::{RangeQuery, SeriesAnswer};
use crate::{
    admin::AdminCaller,
    extract::{Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::{Error, PluginName};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Of which plugin.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PluginQuery {
    /// What this plugin alone did; all of them and the host's own answers in
    /// the project unless given.
    plugin: Option<String>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/series", tag = "projects", operation_id = "project_series",
    params(("project" = String, Path, description = "Id or slug"), RangeQuery, PluginQuery),
    responses((status = 200, description = "What the project did", body = SeriesAnswer))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(range): Query<RangeQuery>,
    Query(PluginQuery { plugin }): Query<PluginQuery>,
) -> Result<Json<SeriesAnswer>, Problem> {
    let project = state.app.project(&project).await?.id;
    let plugin = plugin.as_deref().map(|name| {
        let named = name.parse::<PluginName>();
        named.map_err(|_| Error::not_found(format!("plugin `{name}`")))
    });
    let plugin = plugin.transpose()?;
    let view = state
        .app
        .series(Some(project), plugin.as_ref(), range.into())
        .await?;
    Ok(Json(view.into()))
}
