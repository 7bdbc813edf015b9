//! `GET /admin/v1/plugins/{plugin}`: a plugin and its revisions.

use super::RevisionView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::{Error, PluginName};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// A plugin and its revisions.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginView {
    /// The first revision of this page: the newest, on the first page.
    #[serde(flatten)]
    newest: RevisionView,
    /// Its revisions, newest first.
    revisions: Vec<RevisionView>,
    /// What to pass as `cursor` for older ones; null at the end.
    #[schema(required)]
    next_cursor: Option<String>,
}

#[utoipa::path(
    get, path = "/admin/v1/plugins/{plugin}", tag = "plugins", operation_id = "get_plugin",
    params(("plugin" = String, Path, description = "The plugin's name"), PageQuery),
    responses((status = 200, description = "The plugin", body = PluginView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(plugin): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<PluginView>, Problem> {
    let unknown = || Error::not_found(format!("plugin `{plugin}`"));
    let name: PluginName = plugin.parse().map_err(|_| unknown())?;
    let found = state
        .app
        .revisions(&name, page.cursor()?, page.limit())
        .await?;
    let List { items, next_cursor } = List::of(found, RevisionView::from);
    let newest = items.first().cloned().ok_or_else(unknown)?;
    Ok(Json(PluginView {
        newest,
        revisions: items,
        next_cursor,
    }))
}
