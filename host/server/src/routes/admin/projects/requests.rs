//! `GET /admin/v1/projects/{project}/requests`: what the project was asked, the
//! newest first. A few a second are kept, those that failed on an account of
//! their own; of a path nothing that may be a secret.

use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::{Error, Result as CoreResult};
use atlashub_data::platform::{RequestFilter, StoredRequest};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{ops::RangeInclusive, time::Duration};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which requests.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestQuery {
    /// How many.
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Those that this plugin answered.
    plugin: Option<String>,
    /// Those of this method.
    method: Option<String>,
    /// Those that ended so: a status (`404`), a class of them (`2xx` … `5xx`), or
    /// `failed` for all from 400 on.
    status: Option<String>,
    /// Those whose path contains this text.
    q: Option<String>,
    /// The one with this id.
    request_id: Option<String>,
    /// Those that took at least so many milliseconds.
    slower_ms: Option<u64>,
}

/// A request.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestView {
    /// Its number; grows with each.
    seq: i64,
    /// When it was answered.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The plugin that answered; null for the host itself, or when no route was found.
    #[schema(required)]
    plugin: Option<String>,
    /// The method.
    method: String,
    /// The path within the project, without its query and what may be a secret.
    path: String,
    /// The status of the answer.
    status: u16,
    /// Time until the head of the answer was there, milliseconds.
    latency_ms: f64,
    /// Length of the answer's body, where its head told it, bytes.
    bytes: u64,
    /// The kind of caller, where that is known: `user`, `secret-key`, …
    #[schema(required)]
    caller: Option<String>,
    /// The request's id, as the header `x-request-id` told it.
    #[schema(required)]
    request_id: Option<Uuid>,
    /// Requests before it that came too fast to be kept.
    missed: u64,
}

impl From<StoredRequest> for RequestView {
    fn from(stored: StoredRequest) -> Self {
        let request = stored.request;
        Self {
            seq: stored.seq,
            at: request.at,
            plugin: request.plugin,
            method: request.method,
            path: request.path,
            status: request.status,
            latency_ms: request.latency.as_secs_f64() * 1_000.0,
            bytes: request.bytes,
            caller: request.caller,
            request_id: request.request.map(|id| *id.as_uuid()),
            missed: request.missed,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/requests", tag = "projects", operation_id = "project_requests",
    params(("project" = String, Path, description = "Id or slug"), RequestQuery),
    responses((status = 200, description = "Requests, newest first", body = List<RequestView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _: AdminCaller,
    Path(project): Path<String>,
    Query(query): Query<RequestQuery>,
) -> Result<Json<List<RequestView>>, Problem> {
    let project = state.app.project(&project).await?.id;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let filter = RequestFilter {
        plugin: query.plugin.as_deref().map(str::parse).transpose()?,
        method: query.method,
        status: query.status.as_deref().map(status).transpose()?,
        path: query.q,
        request: query.request_id.as_deref().map(str::parse).transpose()?,
        slower: query.slower_ms.map(Duration::from_millis),
        before: page.cursor()?,
    };
    let found = state.app.requests(project, &filter, page.limit()).await?;
    Ok(Json(List::of(found, RequestView::from)))
}

/// The statuses that a text names.
fn status(text: &str) -> CoreResult<RangeInclusive<u16>> {
    let class = |digit: u16| digit * 100..=digit * 100 + 99;
    let named = match text {
        "failed" => Some(400..=599),
        _ => match text.strip_suffix("xx") {
            Some(digit) => digit
                .parse()
                .ok()
                .filter(|digit| (1..=5).contains(digit))
                .map(class),
            None => text
                .parse()
                .ok()
                .filter(|one| (100..=599).contains(one))
                .map(|one| one..=one),
        },
    };
    named.ok_or_else(|| {
        Error::bad_request(
            "invalid_status",
            "`status` is one such as 404, a class such as 5xx, or `failed`",
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn statuses_are_named_one_by_one_by_class_or_as_failed() {
        for (text, expected) in [
            ("404", 404..=404),
            ("5xx", 500..=599),
            ("failed", 400..=599),
        ] {
            assert_eq!(status(text).unwrap(), expected);
        }
        for text in ["", "6xx", "xx", "40", "99999", "-1", "ok"] {
            assert!(status(text).is_err(), "{text}");
        }
    }
}
