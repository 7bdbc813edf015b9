//! `PUT /rest/v1/{table}?<key>=eq.<value>`: one row, made or replaced.

use super::{
    answer::content_range,
    body::{self, Rows},
    table_name,
    write::Call,
};
use crate::{
    fault::{Fault, Result},
    model::{Comparison, Filter, Select, Test},
    schema,
    sql::{self, Conflict, Insert, Row},
};
use atlashub_sdk::{
    database::{Column, Table},
    prelude::*,
};
use std::collections::BTreeMap;

pub(super) fn put(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let mut call = Call::of(&schema, table, request)?;
    if call.is_paged() || request.header("range").is_some() {
        return Err(Fault::paged_put());
    }
    let rows = call.take_rows();
    let key = key(table, &rows)?;
    let Rows { rows: sent, .. } = body::read(request)?;
    let [row] = sent.as_slice() else {
        return Err(Fault::body("PUT takes one row"));
    };
    check_key(row, &key)?;
    let back = call.back();
    let changed = sql::update(&rows, row, call.change(back))?;
    let (status, written) = if changed.affected > 0 {
        (StatusCode::OK, changed)
    } else {
        // Not there, or not the caller's to change: then this is refused.
        let insert = Insert {
            table,
            rows: sent,
            columns: None,
            conflict: Some(Conflict {
                columns: key_columns(table)?,
                merge: true,
            }),
        };
        let made = sql::insert(&insert, call.change(back))?;
        (StatusCode::CREATED, made)
    };
    let without = if status == StatusCode::OK {
        StatusCode::NO_CONTENT
    } else {
        status
    };
    let total = call.counted(written.affected);
    let range = content_range(0, written.affected, total);
    call.answer(status, without, range, written)
}

fn key_columns(table: &Table) -> Result<Vec<&Column>> {
    table
        .primary_key
        .iter()
        .map(|name| schema::column(table, name))
        .collect()
}

/// The primary key's values in the address: all of them, each once, compared
/// by `eq`, and nothing besides.
fn key<'f>(table: &Table, rows: &'f Select<'_>) -> Result<BTreeMap<&'f str, &'f str>> {
    let mut key = BTreeMap::new();
    for filter in &rows.filter {
        match filter {
            Filter::Test(field, Test::Compare(Comparison::Equal, value))
                if field.path.is_empty() && table.primary_key.contains(&field.column.name) =>
            {
                key.insert(field.column.name.as_str(), value.as_str());
            }
            _ => return Err(Fault::put_filter()),
        }
    }
    let is_whole =
        !key.is_empty() && key.len() == table.primary_key.len() && key.len() == rows.filter.len();
    if is_whole {
        Ok(key)
    } else {
        Err(Fault::put_filter())
    }
}

/// The row has the key that the address has.
fn check_key(row: &Row, key: &BTreeMap<&str, &str>) -> Result<()> {
    let agrees = |(name, value): (&&str, &&str)| {
        row.get(*name).is_some_and(|sent| {
            let text: Option<String> = serde_json::from_str(sent.get()).ok();
            text.as_deref().unwrap_or(sent.get()) == *value
        })
    };
    if key.iter().all(agrees) {
        return Ok(());
    }
    Err(Fault::put_key())
}
