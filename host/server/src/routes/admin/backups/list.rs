//! `GET /admin/v1/projects/{project}/backups` and `GET /admin/v1/backups`.

use super::BackupView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_data::platform::Backup;
use axum::{Json, extract::State};

/// Most backups of a page.
const MOST: u64 = 200;

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/backups", tag = "backups", operation_id = "list_backups",
    params(("project" = String, Path, description = "Id or slug"), PageQuery),
    responses((status = 200, description = "Backups, newest first", body = List<BackupView>))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<BackupView>>, Problem> {
    let project = state.app.project(&project).await?.id;
    let limit = page.limit().min(MOST);
    let backups = state.app.backups();
    let found = backups
        .list(Some(project), page.cursor()?, limit + 1)
        .await?;
    Ok(Json(cut(found, limit)))
}

#[utoipa::path(
    get, path = "/admin/v1/backups", tag = "backups", operation_id = "list_all_backups",
    params(PageQuery),
    responses((status = 200, description = "Backups of the platform and of all projects, also of those that are gone, newest first", body = List<BackupView>))
)]
pub(crate) async fn of_all(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<BackupView>>, Problem> {
    let limit = page.limit().min(MOST);
    let backups = state.app.backups();
    let found = backups.list_all(page.cursor()?, limit + 1).await?;
    Ok(Json(cut(found, limit)))
}

/// A page of as many as were asked for, of which one more was looked up.
fn cut(mut found: Vec<Backup>, limit: u64) -> List<BackupView> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|backup| backup.id.to_string());
    List {
        next_cursor: last.filter(|_| more),
        items: found.into_iter().map(BackupView::from).collect(),
    }
}
