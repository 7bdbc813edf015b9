//! `GET /admin/v1/series/projects`: how much each of some projects was used.

use super::{RangeQuery, SeriesStepName};
use crate::{admin::AdminCaller, extract::Query, problem::Problem, state::HostState};
use atlashub_app::series::SeriesOfProject;
use atlashub_core::{Error, ProjectId};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Of which projects.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectsQuery {
    /// Ids, with commas between them; 100 at most.
    #[serde(default)]
    ids: String,
}

/// How much projects were used.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectsSeriesAnswer {
    /// Where the first point begins.
    #[serde(with = "time::serde::rfc3339")]
    from: OffsetDateTime,
    /// Where the last ends.
    #[serde(with = "time::serde::rfc3339")]
    to: OffsetDateTime,
    /// How long each is.
    step: SeriesStepName,
    /// The projects, as they were named.
    items: Vec<ProjectUseView>,
}

/// How much a project was used.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectUseView {
    /// Its id.
    id: Uuid,
    /// Requests, one number for each step, oldest first.
    requests: Vec<u64>,
    /// Of those, answered with 500 or above.
    server_errors: Vec<u64>,
}

impl From<SeriesOfProject> for ProjectUseView {
    fn from(of: SeriesOfProject) -> Self {
        Self {
            id: *of.project.as_uuid(),
            requests: of.points.iter().map(|point| point.requests).collect(),
            server_errors: of.points.iter().map(|point| point.server_errors).collect(),
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/series/projects", tag = "projects", operation_id = "projects_series",
    params(ProjectsQuery, RangeQuery),
    responses((status = 200, description = "How much each of the projects was used", body = ProjectsSeriesAnswer))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(ProjectsQuery { ids }): Query<ProjectsQuery>,
    Query(range): Query<RangeQuery>,
) -> Result<Json<ProjectsSeriesAnswer>, Problem> {
    let named = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
    let projects = named
        .map(str::parse::<ProjectId>)
        .collect::<Result<Vec<_>, _>>();
    let projects = projects.map_err(|_| {
        Error::bad_request(
            "invalid_ids",
            "`ids` are ids of projects, with commas between",
        )
    })?;
    let (range, step, uses) = state.app.use_of_projects(&projects, range.into()).await?;
    Ok(Json(ProjectsSeriesAnswer {
        from: range.from,
        to: range.to,
        step: step.into(),
        items: uses.into_iter().map(ProjectUseView::from).collect(),
    }))
}
