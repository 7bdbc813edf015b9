//! `GET /v1/db/tables`, `GET /v1/db/tables/{table}/columns`: what there is,
//! as far as the caller is told of it.

use crate::{fault::Fault, permission, schema};
use atlashub_sdk::{
    database::{self, Column, Table},
    identity::CallerKind,
    prelude::*,
};
use std::collections::HashSet;

#[derive(Debug, Serialize)]
pub(super) struct Tables {
    tables: Vec<ShownTable>,
}

#[derive(Debug, Serialize)]
struct ShownTable {
    name: String,
    kind: String,
    columns: Vec<ShownColumn>,
    primary_key: Vec<String>,
    foreign_keys: Vec<ShownKey>,
}

#[derive(Debug, Serialize)]
pub(super) struct Columns {
    table: String,
    columns: Vec<ShownColumn>,
}

#[derive(Debug, Serialize)]
struct ShownColumn {
    name: String,
    /// What it holds, on either engine.
    kind: String,
    /// In the database's own words.
    data_type: String,
    nullable: bool,
    default: Option<String>,
    generated: bool,
    primary_key: bool,
}

#[derive(Debug, Serialize)]
struct ShownKey {
    name: String,
    columns: Vec<String>,
    table: String,
    references: Vec<String>,
}

pub(super) fn list(caller: Caller) -> Result<Json<Tables>> {
    let told = told(&caller)?;
    let schema = schema::current().map_err(Fault::into_own)?;
    let tables = schema.tables().iter();
    Ok(Json(Tables {
        tables: tables
            .filter(|table| told.contains(&table.name))
            .map(|table| shown(table, &told))
            .collect(),
    }))
}

pub(super) fn columns(caller: Caller, Path(name): Path<String>) -> Result<Json<Columns>> {
    if !told(&caller)?.contains(&name) {
        return Err(Fault::unknown_table(&name).into_own());
    }
    let schema = schema::current().map_err(Fault::into_own)?;
    let table = schema.table(&name).map_err(Fault::into_own)?;
    Ok(Json(Columns {
        table: name,
        columns: table.columns.iter().map(|own| column(table, own)).collect(),
    }))
}

/// What the caller is told of.
fn told(caller: &Caller) -> Result<HashSet<String>> {
    if caller.kind == CallerKind::Nobody {
        return Err(Error::unauthenticated("send a key in `x-api-key`"));
    }
    permission::check(&Method::GET).map_err(Fault::into_own)?;
    Ok(database::told()?.into_iter().collect())
}

fn shown(table: &Table, told: &HashSet<String>) -> ShownTable {
    ShownTable {
        name: table.name.clone(),
        kind: table.kind.clone(),
        columns: table.columns.iter().map(|own| column(table, own)).collect(),
        primary_key: table.primary_key.clone(),
        foreign_keys: table
            .foreign_keys
            .iter()
            .filter(|key| told.contains(&key.table))
            .map(|key| ShownKey {
                name: key.name.clone(),
                columns: key.columns.clone(),
                table: key.table.clone(),
                references: key.references.clone(),
            })
            .collect(),
    }
}

fn column(table: &Table, column: &Column) -> ShownColumn {
    ShownColumn {
        name: column.name.clone(),
        kind: column.kind.clone(),
        data_type: column.data_type.clone(),
        nullable: column.nullable,
        default: column.default.clone(),
        generated: column.generated,
        primary_key: table.primary_key.contains(&column.name),
    }
}
