//! `GET /v1/db/{table}`: a page of rows.

use super::{filter, table_name, unknown_parameter};
use crate::{
    fault::{Fault, Result},
    model::{By, DEFAULT_ROWS, Field, Item, MAX_ROWS, Order, Select},
    query, schema,
    sql::{self, Wanted},
};
use atlashub_sdk::{database::Table, prelude::*};

pub(super) fn read(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let mut select = Select::of(table);
    let mut wanted = Wanted::default();
    let mut limit = DEFAULT_ROWS;
    for (name, value) in query::pairs(request)? {
        match name.as_str() {
            "select" => select.items.extend(items(table, &value)?),
            "limit" => limit = query::number(&name, &value)?.min(MAX_ROWS),
            "offset" => select.offset = query::number(&name, &value)?,
            "order" => select.order.extend(orders(table, &value)?),
            "count" if value == "exact" => wanted.total = true,
            "count" => return Err(Fault::query("`count` can only be `exact`")),
            _ => match filter(table, &name, &value)? {
                Some(filter) => select.filter.push(filter),
                None => return Err(unknown_parameter(&name)),
            },
        }
    }
    select.limit = Some(limit);
    if select.items.is_empty() {
        select = select.with_all();
    }
    let page = sql::read(&select, wanted)?;
    let mut body = format!(
        "{{\"rows\":{},\"limit\":{limit},\"offset\":{}",
        page.json, select.offset
    );
    if let Some(total) = page.total {
        body.push_str(&format!(",\"count\":{total}"));
    }
    body.push('}');
    Ok(json(StatusCode::OK, body))
}

/// A body that is JSON already.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    Response::new(status)
        .with_header("content-type", "application/json")
        .with_body(body.into_bytes())
}

/// `*`, or columns with commas between.
pub(super) fn items<'a>(table: &'a Table, text: &str) -> Result<Vec<Item<'a>>> {
    let mut items = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name == "*" {
            items.extend(table.columns.iter().map(Item::column));
        } else {
            items.push(Item::column(schema::column(table, name)?));
        }
    }
    if items.len() > table.columns.len() {
        return Err(Fault::query("`select` names a column twice"));
    }
    Ok(items)
}

/// `column.asc` or `column.desc`, with commas between.
fn orders<'a>(table: &'a Table, text: &str) -> Result<Vec<Order<'a>>> {
    text.split(',')
        .map(|term| {
            let term = term.trim();
            let (name, descending) = match term.rsplit_once('.') {
                Some((name, "asc")) => (name, false),
                Some((name, "desc")) => (name, true),
                _ => (term, false),
            };
            Ok(Order {
                by: By::Field(Field::of(schema::column(table, name)?)),
                descending,
                nulls_first: None,
            })
        })
        .collect()
}
