//! `POST /admin/v1/projects/{project}/check`: compares what is stored with
//! what is known of it; what `atlashub fsck` calls. Findings are sent as they
//! are made, one JSON document a line, the summary last.

use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::{CheckNews, CheckOptions, CheckSummary};
use atlashub_core::{Error, Result};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;

/// The longest grace: a year, seconds.
const MAX_GRACE: u64 = 366 * 24 * 3_600;

/// How to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckWish {
    /// What is younger may be under way and is left alone, seconds; an hour
    /// unless given.
    #[schema(maximum = 31_622_400)]
    grace_seconds: u64,
    /// Whether to mend what is found.
    repair: bool,
    /// Whether `repair` deletes objects that nothing refers to, in place of
    /// moving them to `lost+found`.
    delete_orphans: bool,
}

impl Default for CheckWish {
    fn default() -> Self {
        Self {
            grace_seconds: 3_600,
            repair: false,
            delete_orphans: false,
        }
    }
}

/// A line of the answer.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Finding {
        part: String,
        code: String,
        subject: String,
        message: String,
        mended: bool,
    },
    Summary {
        objects: u64,
        bytes: u64,
        references: u64,
        found: u64,
        mended: u64,
        left_alone: u64,
        set_aside: u64,
        unchecked: BTreeMap<String, String>,
    },
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/check", tag = "operations", operation_id = "check_project",
    params(("project" = String, Path, description = "Id or slug")),
    request_body = CheckWish,
    responses((status = 200, description = "Findings and, at last, a summary, one a line", content((String = "application/x-ndjson"))))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(wish): Json<CheckWish>,
) -> std::result::Result<Response, Problem> {
    let options = options(&wish)?;
    let project = state.app.project(&project).await?.id;
    let news = state
        .app
        .check_project(&caller.actor, project, options)
        .await?;
    Ok(answer(news))
}

/// Findings as they are made.
pub(crate) fn answer(news: impl Stream<Item = Result<CheckNews>> + Send + 'static) -> Response {
    let lines = news.map(|news| news.and_then(|news| line(news.into())));
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    response
}

pub(crate) fn options(wish: &CheckWish) -> Result<CheckOptions> {
    if wish.grace_seconds > MAX_GRACE {
        return Err(Error::invalid(
            "invalid_check",
            "`grace_seconds` is a year at most",
        ));
    }
    Ok(CheckOptions {
        grace: Duration::from_secs(wish.grace_seconds),
        repair: wish.repair,
        delete_orphans: wish.delete_orphans,
    })
}

impl From<CheckNews> for Line {
    fn from(news: CheckNews) -> Self {
        match news {
            CheckNews::Found { part, finding } => Self::Finding {
                part,
                code: finding.code,
                subject: finding.subject,
                message: finding.message,
                mended: finding.mended,
            },
            CheckNews::Over(CheckSummary {
                objects,
                bytes,
                references,
                found,
                mended,
                left_alone,
                set_aside,
                unchecked,
            }) => Self::Summary {
                objects,
                bytes,
                references,
                found,
                mended,
                left_alone,
                set_aside,
                unchecked,
            },
        }
    }
}

fn line(line: Line) -> Result<Bytes> {
    let mut text =
        serde_json::to_vec(&line).map_err(|error| Error::internal("write a finding", error))?;
    text.push(b'\n');
    Ok(text.into())
}
