//! `GET /admin/v1/audit/export`: all events that a filter lets through, as a
//! file. Read page by page while it is sent, so that it may be of any size.

use super::{AuditQuery, AuditView};
use crate::{admin::AdminCaller, extract::Query, problem::Problem, state::HostState};
use atlashub_core::{Error, Result};
use atlashub_data::platform::AuditFilter;
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderValue, header};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Events read at once.
const PAGE: u64 = 500;

/// The columns of the CSV file.
const COLUMNS: [&str; 9] = [
    "seq",
    "at",
    "project_id",
    "actor_kind",
    "actor_id",
    "action",
    "target",
    "request_id",
    "details",
];

/// How the file is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// One JSON document a line.
    #[default]
    Ndjson,
    /// RFC 4180, with a line of names.
    Csv,
}

/// How the file is written.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `ndjson` unless given, or `csv`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

#[utoipa::path(
    get, path = "/admin/v1/audit/export", tag = "operations", operation_id = "export_audit",
    params(AuditQuery, ExportQuery),
    responses((status = 200, description = "Events, newest first", content((String = "application/x-ndjson"), (String = "text/csv"))))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Query(query): Query<AuditQuery>,
    Query(ExportQuery { format }): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let filter = query.filter(&state).await?;
    let (media, name) = match format {
        Format::Ndjson => (
            "application/x-ndjson",
            "attachment; filename=\"audit.ndjson\"",
        ),
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"audit.csv\"",
        ),
    };
    let mut response = Response::new(Body::from_stream(pages(state, filter, format)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

/// What comes next of a file.
enum Next {
    Head,
    Page(Option<i64>),
    End,
}

/// The file, a page at a time. A failure breaks the answer off, so that half
/// a file is not taken for a whole one.
fn pages(
    state: HostState,
    filter: AuditFilter,
    format: Format,
) -> impl Stream<Item = Result<Bytes>> {
    stream::unfold(Next::Head, move |next| {
        let (state, mut filter) = (state.clone(), filter.clone());
        async move {
            match next {
                Next::End => None,
                Next::Head => {
                    let head = match format {
                        Format::Csv => csv([COLUMNS.map(str::to_owned)]),
                        Format::Ndjson => Ok(Vec::new()),
                    };
                    Some((head.map(Bytes::from), Next::Page(None)))
                }
                Next::Page(before) => {
                    filter.before = before;
                    let page = match state.app.audit(&filter, PAGE).await {
                        Ok(page) => page,
                        Err(error) => return Some((Err(error), Next::End)),
                    };
                    let next = page.next.map_or(Next::End, |seq| Next::Page(Some(seq)));
                    let events = page.items.into_iter().map(AuditView::from);
                    let written = match format {
                        Format::Ndjson => lines(events),
                        Format::Csv => csv(events.map(row)),
                    };
                    Some((written.map(Bytes::from), next))
                }
            }
        }
    })
    // Who sends the body may ask once more after its end.
    .fuse()
}

fn lines(events: impl Iterator<Item = AuditView>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, &event)
            .map_err(|error| Error::internal("write an event", error))?;
        text.push(b'\n');
    }
    Ok(text)
}

fn csv(rows: impl IntoIterator<Item = [String; 9]>) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::internal("write a CSV file", error);
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.map(harmless)).map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|error| Error::internal("write a CSV file", error.into_error()))
}

fn row(event: AuditView) -> [String; 9] {
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    [
        event.seq.to_string(),
        event
            .at
            .format(&time::format_description::well_known::Rfc3339)
            .unwrap_or_default(),
        id(event.project_id),
        event.actor_kind,
        event.actor_id.unwrap_or_default(),
        event.action,
        event.target.unwrap_or_default(),
        id(event.request_id),
        event.details.to_string(),
    ]
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", "+1", "-1", "@a", "\ta", "\ra"] {
            assert_eq!(harmless(cell.to_owned()), format!("'{cell}"));
        }
        assert_eq!(harmless("a=1".to_owned()), "a=1");
        let mut row = COLUMNS.map(str::to_owned);
        row[6] = "=cmd|' /C calc'!A0".to_owned();
        row[8] = "{\"a\":\"b,c\"}".to_owned();
        let text = String::from_utf8(csv([row]).unwrap()).unwrap();
        assert_eq!(
            text,
            "seq,at,project_id,actor_kind,actor_id,action,'=cmd|' /C calc'!A0,request_id,\
             \"{\"\"a\"\":\"\"b,c\"\"}\"\r\n"
        );
    }
}
