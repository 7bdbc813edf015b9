//! `GET /metrics`: for admins and bearers of the metrics token. They name
//! projects and plugins, so they are not for everybody.

use crate::{
    admin::{AnyAdmin, credentials::bearer},
    problem::Problem,
    state::HostState,
};
use atlashub_core::token;
use axum::{
    extract::{FromRequestParts as _, Request, State},
    response::{IntoResponse, Response},
};
use http::header;

#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "Metrics in Prometheus' text format", content_type = "text/plain"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let fits = match (
        &state.config.telemetry.metrics_token,
        bearer(&parts.headers),
    ) {
        (Some(own), Some(given)) => token::matches(&token::hash(own), &token::hash(given)),
        _ => false,
    };
    if !fits {
        AnyAdmin::from_request_parts(&mut parts, &state).await?;
    }
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok((
        [(header::CONTENT_TYPE, media_type)],
        state.measurements.render(),
    )
        .into_response())
}
