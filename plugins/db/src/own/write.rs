//! `POST`, `PATCH` and `DELETE /v1/db/{table}`.

use super::{filter, read, table_name, unknown_parameter};
use crate::{
    fault::{Fault, Result},
    model::{MAX_INSERTED, Select},
    query, schema,
    sql::{self, Change, Insert, Row, Written},
};
use atlashub_sdk::{database::Table, prelude::*};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    values: Row,
}

/// What the query of a write says.
struct Wishes<'a> {
    rows: Select<'a>,
    back: Option<Select<'a>>,
}

pub(super) fn insert(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let wishes = wishes(table, request)?;
    if !wishes.rows.filter.is_empty() {
        return Err(Fault::query("conditions do not go with new rows"));
    }
    let Rows { rows } = read_body(request, "{\"rows\":[{…}]}")?;
    if rows.len() > MAX_INSERTED {
        return Err(Fault::too_many(format!(
            "at most {MAX_INSERTED} rows are inserted at once"
        )));
    }
    let insert = Insert {
        table,
        rows,
        columns: None,
        conflict: None,
    };
    let written = sql::insert(&insert, change(wishes.back.as_ref()))?;
    Ok(answer(StatusCode::CREATED, written))
}

pub(super) fn update(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let wishes = wishes(table, request)?;
    require_filter(&wishes.rows)?;
    let Values { values } = read_body(request, "{\"values\":{…}}")?;
    let written = sql::update(&wishes.rows, &values, change(wishes.back.as_ref()))?;
    Ok(answer(StatusCode::OK, written))
}

pub(super) fn delete(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let wishes = wishes(table, request)?;
    require_filter(&wishes.rows)?;
    let written = sql::delete(&wishes.rows, change(wishes.back.as_ref()))?;
    Ok(answer(StatusCode::OK, written))
}

fn change<'a>(back: Option<&'a Select<'a>>) -> Change<'a> {
    Change {
        back,
        ..Change::default()
    }
}

fn wishes<'a>(table: &'a Table, request: &Request) -> Result<Wishes<'a>> {
    let mut rows = Select::of(table);
    let mut back = Select::of(table);
    let mut returning = true;
    for (name, value) in query::pairs(request)? {
        match name.as_str() {
            "select" => back.items.extend(read::items(table, &value)?),
            "returning" => {
                returning = value
                    .parse()
                    .map_err(|_| Fault::query("`returning` is `true` or `false`"))?;
            }
            _ => match filter(table, &name, &value)? {
                Some(filter) => rows.filter.push(filter),
                None => return Err(unknown_parameter(&name)),
            },
        }
    }
    if back.items.is_empty() {
        back = back.with_all();
    }
    Ok(Wishes {
        rows,
        back: returning.then_some(back),
    })
}

fn require_filter(rows: &Select<'_>) -> Result<()> {
    if rows.filter.is_empty() {
        return Err(Fault::unfiltered());
    }
    Ok(())
}

fn read_body<T: serde::de::DeserializeOwned>(request: &mut Request, form: &str) -> Result<T> {
    let bytes = query::body(request)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Fault::body(format!("the body is not `{form}`: {error}")))
}

fn answer(status: StatusCode, written: Written) -> Response {
    let count = written.affected;
    let body = match written.page {
        Some(page) => format!("{{\"rows\":{},\"count\":{count}}}", page.json),
        None => format!("{{\"count\":{count}}}"),
    };
    read::json(status, body)
}
