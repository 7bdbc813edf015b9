//! `GET /admin/v1/projects/{project}/queue`.

use super::ItemView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::{Error, PluginName};
use atlashub_data::platform::{ItemFilter, ItemKind, ItemState};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which items; absent members let all through.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ItemQuery {
    /// Of this kind: `event`, `mail`, `job` or `platform`; several with commas
    /// between them.
    kind: Option<String>,
    /// In this state: `waiting`, `ready`, `scheduled`, `held`, `running`,
    /// `done`, `dead` or `cancelled`.
    state: Option<String>,
    /// For this plugin.
    consumer: Option<String>,
    /// Of this name, `files.uploaded`.
    name: Option<String>,
}

impl ItemQuery {
    fn filter(self) -> Result<ItemFilter, Problem> {
        let state = self.state.map(|name| {
            ItemState::parse(&name).ok_or_else(|| {
                Error::bad_request("invalid_state", "`state` is none of the queue's states")
            })
        });
        let consumer = self.consumer.as_deref().map(str::parse::<PluginName>);
        Ok(ItemFilter {
            kinds: self.kind.as_deref().map_or_else(Vec::new, kinds),
            state: state.transpose()?,
            consumer: consumer.transpose()?,
            name: self.name,
        })
    }
}

fn kinds(names: &str) -> Vec<ItemKind> {
    names.split(',').map(ItemKind::of_name).collect()
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/queue", tag = "queue", operation_id = "list_queue",
    params(("project" = String, Path, description = "Id or slug"), ItemQuery, PageQuery),
    responses((status = 200, description = "Work of the project's plugins, newest first", body = List<ItemView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(query): Query<ItemQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<ItemView>>, Problem> {
    let project = state.app.project(&project).await?;
    let filter = query.filter()?;
    let items = state
        .app
        .queue_items(project.id, &filter, page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(items, ItemView::from)))
}
