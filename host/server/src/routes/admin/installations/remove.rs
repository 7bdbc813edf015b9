//! `DELETE /admin/v1/projects/{project}/plugins/{plugin}`.

use super::named;
use crate::{
    admin::AdminCaller,
    extract::{Path, Query},
    problem::Problem,
    state::HostState,
};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// What becomes of the plugin's data.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// `keep` (the default) or `delete`.
    #[serde(default)]
    #[param(inline)]
    data: Data,
}

/// What becomes of a plugin's data.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Data {
    /// It is there again after the next install.
    #[default]
    Keep,
    /// It is gone.
    Delete,
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/plugins/{plugin}", tag = "plugins", operation_id = "remove_installation",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("plugin" = String, Path, description = "The plugin's name"),
        Removal,
    ),
    responses((status = 204, description = "The plugin is removed"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, plugin)): Path<(String, String)>,
    Query(removal): Query<Removal>,
) -> Result<StatusCode, Problem> {
    let (project, plugin) = named(&state, &project, &plugin).await?;
    let delete_data = removal.data == Data::Delete;
    state
        .app
        .remove_plugin(&caller.actor, project, &plugin, delete_data)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
