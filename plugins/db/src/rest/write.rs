//! `POST`, `PATCH` and `DELETE /rest/v1/{table}`.

use super::{
    answer::{Form, content_range},
    body::{self, Rows},
    prefer::{Preferences, Return},
    read::{Asked, asked},
    table_name,
    text::Text,
};
use crate::{
    fault::{Fault, Result},
    model::{Item, Select},
    query,
    schema::{self, Schema},
    sql::{self, Change, Conflict, Insert, Written},
};
use atlashub_sdk::{
    database::{Column, Table},
    prelude::*,
};
use std::rc::Rc;

pub(super) fn insert(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let call = Call::of(&schema, table, request)?;
    let Rows { rows, many } = body::read(request)?;
    let columns = match &call.asked.columns {
        Some(names) => Some(columns(table, names)?),
        None if many => {
            same_keys(&rows)?;
            None
        }
        None => None,
    };
    let insert = Insert {
        table,
        rows,
        // With defaults each row sets what it has.
        columns: columns.filter(|_| !call.preferences.defaults),
        conflict: conflict(table, &call)?,
    };
    let keys = keys(table);
    let back = match call.preferences.returns {
        Return::HeadersOnly if insert.rows.len() == 1 && !keys.items.is_empty() => Some(&keys),
        _ => call.back(),
    };
    let written = sql::insert(&insert, call.change(back))?;
    let total = call.counted(written.affected);
    let range = content_range(0, 0, total);
    if call.preferences.returns == Return::HeadersOnly {
        let response = Response::new(StatusCode::CREATED).with_header("content-range", range);
        let response = match written.page.and_then(|page| location(table, &page.json)) {
            Some(location) => response.with_header("location", location),
            None => response,
        };
        return Ok(call.preferences.applied(response));
    }
    call.answer(StatusCode::CREATED, StatusCode::CREATED, range, written)
}

pub(super) fn update(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let mut call = Call::of(&schema, table, request)?;
    let rows = call.take_condition()?;
    let mut values = body::read(request)?.rows.into_iter();
    let (Some(mut values), None) = (values.next(), values.next()) else {
        return Err(Fault::body("one object says what is to be changed"));
    };
    if let Some(names) = &call.asked.columns {
        let columns = columns(table, names)?;
        values.retain(|name, _| columns.iter().any(|column| column.name == *name));
    }
    let written = sql::update(&rows, &values, call.change(call.back()))?;
    call.answer_changed(written)
}

pub(super) fn delete(request: &mut Request) -> Result<Response> {
    let schema = schema::current()?;
    let table = schema.table(table_name(request))?;
    let mut call = Call::of(&schema, table, request)?;
    let rows = call.take_condition()?;
    let written = sql::delete(&rows, call.change(call.back()))?;
    call.answer_changed(written)
}

/// What a request to write asks, beside its body.
pub(super) struct Call<'a> {
    asked: Asked<'a>,
    form: Form,
    preferences: Preferences,
}

impl<'a> Call<'a> {
    pub(super) fn of(schema: &'a Rc<Schema>, table: &'a Table, request: &Request) -> Result<Self> {
        let asked = asked(schema, table, &query::pairs(request)?)?;
        if asked.select.has_aggregates() {
            return Err(Fault::unsupported("sums and counts are only read"));
        }
        Ok(Self {
            asked,
            form: Form::of(request)?,
            preferences: Preferences::of(request)?,
        })
    }

    /// The rows that are meant; what is left says what to show of them.
    fn take_condition(&mut self) -> Result<Select<'a>> {
        let rows = self.take_rows();
        if rows.filter.is_empty() {
            return Err(Fault::unfiltered());
        }
        Ok(rows)
    }

    /// As [`Call::take_condition`], also without any.
    pub(super) fn take_rows(&mut self) -> Select<'a> {
        let shown = &mut self.asked.select;
        let mut rows = Select::of(shown.table);
        rows.filter = std::mem::take(&mut shown.filter);
        rows
    }

    /// Whether it asks for a page of rows.
    pub(super) fn is_paged(&self) -> bool {
        self.asked.select.limit.is_some() || self.asked.select.offset > 0
    }

    /// How many rows there are, if that was asked.
    pub(super) fn counted(&self, rows: u64) -> Option<u64> {
        self.preferences.count.then_some(rows)
    }

    pub(super) fn back(&self) -> Option<&Select<'a>> {
        (self.preferences.returns == Return::Representation).then_some(&self.asked.select)
    }

    pub(super) fn change<'s>(&self, back: Option<&'s Select<'s>>) -> Change<'s> {
        Change {
            single: back.is_some() && matches!(self.form, Form::One { .. }),
            back,
            most: self.preferences.most,
            undo: self.preferences.undo,
        }
    }

    fn answer_changed(&self, written: Written) -> Result<Response> {
        let total = self.counted(written.affected);
        let range = content_range(0, written.affected, total);
        self.answer(StatusCode::OK, StatusCode::NO_CONTENT, range, written)
    }

    pub(super) fn answer(
        &self,
        with_rows: StatusCode,
        without: StatusCode,
        range: String,
        written: Written,
    ) -> Result<Response> {
        let response = match written.page {
            Some(page) => self.form.write(with_rows, page, &self.asked.select)?,
            None => Response::new(without),
        };
        let response = response.with_header("content-range", range);
        Ok(self.preferences.applied(response))
    }
}

/// The columns of a list of names.
fn columns<'a>(table: &'a Table, names: &str) -> Result<Vec<&'a Column>> {
    let mut text = Text::new(names);
    let mut columns: Vec<&Column> = Vec::new();
    while !text.is_empty() {
        let name = text.name()?;
        let column = schema::column(table, &name)
            .map_err(|_| Fault::unknown_body_column(&table.name, &name))?;
        if !columns.iter().any(|own| own.name == column.name) {
            columns.push(column);
        }
        if !text.is_empty() {
            text.expect(",")?;
        }
    }
    Ok(columns)
}

/// Without `columns` all rows say the same of themselves.
fn same_keys(rows: &[sql::Row]) -> Result<()> {
    let Some((first, rest)) = rows.split_first() else {
        return Ok(());
    };
    if rest.iter().all(|row| row.keys().eq(first.keys())) {
        return Ok(());
    }
    Err(Fault::body("All object keys must match"))
}

fn conflict<'a>(table: &'a Table, call: &Call<'_>) -> Result<Option<Conflict<'a>>> {
    let Some(merge) = call.preferences.merge else {
        return Ok(None);
    };
    let columns = match &call.asked.on_conflict {
        Some(names) => columns(table, names)?,
        None => table
            .primary_key
            .iter()
            .map(|name| schema::column(table, name))
            .collect::<Result<_>>()?,
    };
    Ok(Some(Conflict { columns, merge }))
}

/// The primary key.
fn keys(table: &Table) -> Select<'_> {
    let mut select = Select::of(table);
    let is_key = |column: &&Column| table.primary_key.contains(&column.name);
    select.items = table
        .columns
        .iter()
        .filter(is_key)
        .map(Item::column)
        .collect();
    select
}

/// Where the one row is, by its primary key.
fn location(table: &Table, json: &str) -> Option<String> {
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(json).ok()?;
    let [row] = rows.as_slice() else {
        return None;
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in row {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        query.append_pair(name, &format!("eq.{text}"));
    }
    let name: String = form_urlencoded::byte_serialize(table.name.as_bytes()).collect();
    Some(format!("/{name}?{}", query.finish()))
}
