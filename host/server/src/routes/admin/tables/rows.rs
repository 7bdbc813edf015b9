//! `GET /admin/v1/projects/{project}/tables/{table}/rows`: looks into a table.

use super::{ColumnView, shown};
use crate::{
    admin::AdminCaller,
    extract::{Path, Query},
    problem::Problem,
    state::HostState,
};
use atlashub_core::Error;
use atlashub_data::project::public::{RowFilter, RowOrder, RowsQuery};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Rows of a page unless asked otherwise.
const DEFAULT: u64 = 50;
/// Most rows of a page.
const MOST: u64 = 1_000;

/// Which rows.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RowsParams {
    /// How many, 1 to 1000; 50 unless given.
    limit: Option<u64>,
    /// How many are left out before them; `next_offset` of the page before.
    offset: Option<u64>,
    /// A column, with `.desc` behind it from the largest.
    order: Option<String>,
    /// Conditions that all hold, between commas: `<column>.<operator>.<value>`
    /// with `eq`, `neq`, `lt`, `lte`, `gt`, `gte`, `like`, or `is` with `null`
    /// or `not_null`. A comma in a value is written `\,`.
    filter: Option<String>,
}

/// A page of a table's rows.
#[derive(Serialize, ToSchema)]
pub(crate) struct RowsView {
    /// The columns.
    columns: Vec<ColumnView>,
    /// The values in the order of the columns. Bytes are base64, whole numbers
    /// beyond 2^53 text.
    #[schema(value_type = Vec<Vec<Object>>)]
    rows: Vec<Vec<Value>>,
    /// What to pass as `offset` for the next page; null at the end.
    #[schema(required)]
    next_offset: Option<u64>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/tables/{table}/rows", tag = "tables", operation_id = "list_rows",
    params(("project" = String, Path, description = "Id or slug"), ("table" = String, Path, description = "Its name"), RowsParams),
    responses((status = 200, description = "Rows, whatever the policies say", body = RowsView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, table)): Path<(String, String)>,
    Query(params): Query<RowsParams>,
) -> Result<Json<RowsView>, Problem> {
    let project = state.app.project(&project).await?;
    let query = RowsQuery {
        filters: filters(params.filter.as_deref().unwrap_or_default())?,
        order: params.order.as_deref().map(order),
        limit: params.limit.unwrap_or(DEFAULT).clamp(1, MOST),
        offset: params.offset.unwrap_or(0),
    };
    let page = state.app.table_rows(project.id, &table, &query).await?;
    let kinds: Vec<_> = page.columns.iter().map(|column| column.kind).collect();
    let show = |row: Vec<_>| {
        let pairs = row.into_iter().zip(&kinds);
        pairs
            .map(|(value, kind)| shown(value, Some(*kind)))
            .collect()
    };
    let next_offset = page.more.then(|| query.offset + query.limit);
    Ok(Json(RowsView {
        rows: page.rows.into_iter().map(show).collect(),
        columns: page.columns.into_iter().map(ColumnView::from).collect(),
        next_offset,
    }))
}

fn order(text: &str) -> RowOrder {
    let (column, descending) = match text.strip_suffix(".desc") {
        Some(column) => (column, true),
        None => (text.strip_suffix(".asc").unwrap_or(text), false),
    };
    RowOrder {
        column: column.to_owned(),
        descending,
    }
}

fn filters(text: &str) -> Result<Vec<RowFilter>, Error> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&',') => {
                chars.next();
                if let Some(part) = parts.last_mut() {
                    part.push(',');
                }
            }
            ',' => parts.push(String::new()),
            c => {
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.iter().map(|part| filter(part)).collect()
}

fn filter(text: &str) -> Result<RowFilter, Error> {
    let mut parts = text.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(column), Some(operator), Some(value)) => Ok(RowFilter {
            column: column.to_owned(),
            operator: operator.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err(Error::invalid(
            "invalid_filter",
            format!("`{text}` is not written as `<column>.<operator>.<value>`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_with_commas_and_dots_in_values() {
        let read = filters(r"a.eq.1.5,b.like.x\,y,c.is.null").unwrap();
        let shown: Vec<_> = read
            .iter()
            .map(|one| {
                (
                    one.column.as_str(),
                    one.operator.as_str(),
                    one.value.as_str(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("a", "eq", "1.5"),
                ("b", "like", "x,y"),
                ("c", "is", "null")
            ]
        );
        assert!(filters("").unwrap().is_empty());
        assert_eq!(filters("a=1").unwrap_err().code(), "invalid_filter");
        let by = order("made_at.desc");
        assert!(by.descending && by.column == "made_at");
    }
}
