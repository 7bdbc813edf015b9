//! `GET /rest/v1/{table}`: rows.

use super::{
    answer::{Form, content_range},
    filter, order,
    prefer::Preferences,
    select, table_name, within,
};
use crate::{
    fault::{Fault, Result},
    model::Select,
    query,
    schema::{self, Schema},
    sql::{self, Wanted},
};
use atlashub_sdk::{database::Table, prelude::*};

pub(super) fn read(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let form = Form::of(request)?;
    let preferences = Preferences::of(request)?;
    let Asked { mut select, .. } = asked(&schema, table, &query::pairs(request)?)?;
    range(request, &mut select)?;
    let wanted = Wanted {
        total: preferences.count,
    };
    let page = sql::read(&select, wanted)?;
    if let Some(total) = page.total.filter(|total| select.offset > *total) {
        return Err(Fault::range(format!(
            "An offset of {} was requested, but there are only {total} rows.",
            select.offset
        )));
    }
    let status = if page.total.is_some_and(|total| page.rows < total) {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let range = content_range(select.offset, page.rows, page.total);
    let response = form
        .write(status, page, &select)?
        .with_header("content-range", range);
    Ok(preferences.applied(response))
}

/// What a query asks.
pub(super) struct Asked<'a> {
    pub(super) select: Select<'a>,
    /// Whether the client said what it wants to see.
    pub(super) columns: Option<String>,
    pub(super) on_conflict: Option<String>,
}

/// Reads a query: first what is to be seen, then what it is to be.
pub(super) fn asked<'a>(
    schema: &'a Schema,
    table: &'a Table,
    pairs: &[(String, String)],
) -> Result<Asked<'a>> {
    let text = pairs.iter().find(|(name, _)| name == "select");
    let mut select = match text {
        Some((_, text)) => select::read(schema, table, text)?,
        None => Select::of(table).with_all(),
    };
    let mut asked = (None, None);
    // Conditions on embedded tables come before those that ask for their
    // rows.
    let mut own = Vec::new();
    for (name, value) in pairs {
        let (path, last) = filter::split(name);
        match last {
            "select" if path.is_empty() => {}
            "columns" if path.is_empty() => asked.0 = Some(value.clone()),
            "on_conflict" if path.is_empty() => asked.1 = Some(value.clone()),
            "order" if !path.is_empty() => {
                let select = within(&mut select, &path)?;
                select.order = order::read(select, value)?;
            }
            "limit" => within(&mut select, &path)?.limit = Some(query::number(name, value)?),
            "offset" => within(&mut select, &path)?.offset = query::number(name, value)?,
            _ if path.is_empty() => own.push((name, value)),
            _ => filter::add(&mut select, name, value)?,
        }
    }
    for (name, value) in own {
        if name == "order" {
            select.order = order::read(&select, value)?;
        } else {
            filter::add(&mut select, name, value)?;
        }
    }
    let (columns, on_conflict) = asked;
    Ok(Asked {
        select,
        columns,
        on_conflict,
    })
}

/// `Range: 0-24`, for those who do not say it in the query.
fn range(request: &Request, select: &mut Select<'_>) -> Result<()> {
    let Some(range) = request.header("range").filter(|_| select.limit.is_none()) else {
        return Ok(());
    };
    let range = range.trim().trim_start_matches("items=");
    let Some((first, last)) = range.split_once('-') else {
        return Ok(());
    };
    let Ok(first) = first.trim().parse::<u64>() else {
        return Ok(());
    };
    select.offset = query::number("Range", &first.to_string())?;
    if let Ok(last) = last.trim().parse::<u64>() {
        let rows = last.checked_sub(first).ok_or_else(|| {
            Fault::range("The lower boundary must be lower than or equal to the upper boundary.")
        })?;
        select.limit = Some(rows.saturating_add(1));
    }
    Ok(())
}
