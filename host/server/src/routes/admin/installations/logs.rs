//! `GET /admin/v1/projects/{project}/plugins/{plugin}/logs` and, of all plugins,
//! `GET /admin/v1/projects/{project}/logs`: a page of lines, newest first; with `follow=1` a stream of them as they come, oldest first
//! (server-sent events). It ends with the plugin's removal, with the session
//! it was asked for in, and with the node.

use super::named;
use crate::{
    admin::{AdminCaller, end_of_credentials},
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::{Error, PluginName, ProjectId, Result as CoreResult, capability::log::Level};
use atlashub_data::platform::{LogFilter, StoredLogLine};
use axum::{
    Json,
    extract::State,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::StreamExt as _;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Past lines that a stream begins with unless asked otherwise.
const PAST: u64 = 10;

/// Which lines.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// How many lines; in a stream, how many past ones it begins with.
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Lines of this gravity or graver ones: `trace` … `critical`.
    level: Option<String>,
    /// Lines that contain this text.
    q: Option<String>,
    /// Lines of the request with this id.
    request_id: Option<String>,
    /// `1` streams lines as they come.
    follow: Option<String>,
}

/// A line.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogLineView {
    /// Its number; grows with each line.
    seq: i64,
    /// By which plugin.
    plugin: String,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// How grave.
    level: &'static str,
    /// From where: `log`, `stdout`, `stderr` or `host`.
    source: &'static str,
    /// During which request.
    #[schema(required)]
    request_id: Option<Uuid>,
    /// What.
    message: String,
}

impl From<StoredLogLine> for LogLineView {
    fn from(stored: StoredLogLine) -> Self {
        let line = stored.line;
        Self {
            seq: stored.seq,
            plugin: line.scope.plugin.to_string(),
            at: line.at,
            level: line.level.as_str(),
            source: line.source.as_str(),
            request_id: line.request.map(|id| *id.as_uuid()),
            message: line.message,
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/plugins/{plugin}/logs", tag = "plugins", operation_id = "plugin_logs",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("plugin" = String, Path, description = "The plugin's name"),
        LogQuery,
    ),
    responses((status = 200, description = "Lines, newest first; or a stream of them", body = List<LogLineView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    headers: HeaderMap,
    Path((project, plugin)): Path<(String, String)>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let (project, plugin) = named(&state, &project, &plugin).await?;
    answer(&state, caller, headers, (project, Some(plugin)), query).await
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/logs", tag = "plugins", operation_id = "project_logs",
    params(("project" = String, Path, description = "Id or slug"), LogQuery),
    responses((status = 200, description = "Lines of all plugins, newest first; or a stream of them", body = List<LogLineView>))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    caller: AdminCaller,
    headers: HeaderMap,
    Path(project): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let project = state.app.project(&project).await?.id;
    answer(&state, caller, headers, (project, None), query).await
}

async fn answer(
    state: &HostState,
    caller: AdminCaller,
    headers: HeaderMap,
    (project, plugin): (ProjectId, Option<PluginName>),
    query: LogQuery,
) -> Result<Response, Problem> {
    if query
        .follow
        .as_deref()
        .is_some_and(|value| matches!(value, "1" | "true"))
    {
        let end = end_of_credentials(state.app.clone(), caller.admin, headers);
        return follow(state, project, plugin, &query, end).await;
    }
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor.clone(),
    };
    let filter = LogFilter {
        min_level: query.level.as_deref().map(level).transpose()?,
        text: query.q,
        request: query.request_id.as_deref().map(str::parse).transpose()?,
        before: page.cursor()?,
        after: None,
    };
    let logs = state
        .app
        .plugin_logs(project, plugin.as_ref(), &filter, page.limit());
    Ok(Json(List::of(logs.await?, LogLineView::from)).into_response())
}

async fn follow(
    state: &HostState,
    project: ProjectId,
    plugin: Option<PluginName>,
    query: &LogQuery,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Problem> {
    let min_level = query.level.as_deref().map(level).transpose()?;
    let past = query.limit.unwrap_or(PAST).min(1_000);
    let stopping = state.stopping.clone();
    // Of what is not there no line will ever come.
    if let Some(plugin) = &plugin {
        state.app.installed_plugin(project, plugin).await?;
    }
    let lines = state.app.follow_plugin_logs(project, plugin, past).await?;
    let events = lines
        .take_until(stopping.cancelled_owned())
        .take_until(end)
        .take_while(|line| std::future::ready(line.is_ok()))
        .filter_map(move |line| {
            let wanted = line
                .ok()
                .filter(|stored| min_level.is_none_or(|level| stored.line.level >= level));
            std::future::ready(wanted.map(LogLineView::from))
        })
        .map(|line| Event::default().id(line.seq.to_string()).json_data(line));
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

fn level(text: &str) -> CoreResult<Level> {
    let levels = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Error,
        Level::Critical,
    ];
    levels
        .into_iter()
        .find(|level| level.as_str() == text)
        .ok_or_else(|| {
            Error::bad_request(
                "invalid_level",
                "`level` is one of trace, debug, info, warn, error, critical",
            )
        })
}
