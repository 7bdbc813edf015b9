//! `POST`, `PATCH` and `DELETE /v1/db/{table}`.

use super::{filter, read, table_name, unknown_parameter};
use crate::{
    fault::{Fault, Result},
    model::{MAX_INSERTED, Select},
    query, schema,
    sql::{self, Change, Insert, Row, Written},
};
use atlashub_sdk::{database::Table, idempotency, identity, prelude::*};
use sha2::{Digest as _, Sha256};

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
    let call = idempotency::begin(request, &who())?;
    let body = query::body(request)?;
    let fingerprint = fingerprint(request, &body);
    if let Some(answer) = call.answer(&fingerprint)? {
        return Ok(answer);
    }
    let Rows { rows } = parse(&body, "{\"rows\":[{…}]}")?;
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
    Ok(call.keep(&fingerprint, answer(StatusCode::CREATED, written))?)
}

/// Whose keys these are.
fn who() -> String {
    let caller = identity::caller();
    caller.id.unwrap_or_else(|| "nobody".to_owned())
}

/// What makes a call this one.
fn fingerprint(request: &Request, body: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(request.target())
        .chain_update([0])
        .chain_update(body)
        .finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn update(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let wishes = wishes(table, request)?;
    require_filter(&wishes.rows)?;
    let Values { values } = parse(&query::body(request)?, "{\"values\":{…}}")?;
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

fn parse<T: serde::de::DeserializeOwned>(body: &[u8], form: &str) -> Result<T> {
    serde_json::from_slice(body)
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
