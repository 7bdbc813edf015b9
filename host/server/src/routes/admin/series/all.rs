//! `GET /admin/v1/series`: what all projects did, together.

use super::{RangeQuery, SeriesAnswer};
use crate::{admin::AdminCaller, extract::Query, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/series", tag = "operations", operation_id = "series",
    params(RangeQuery),
    responses((status = 200, description = "What all projects did, together, those that were deleted since included", body = SeriesAnswer))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(range): Query<RangeQuery>,
) -> Result<Json<SeriesAnswer>, Problem> {
    let view = state.app.series(None, None, range.into()).await?;
    Ok(Json(view.into()))
}
