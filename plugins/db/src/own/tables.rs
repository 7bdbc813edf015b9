//! `GET /v1/db/tables`, `GET /v1/db/tables/{table}/columns`: what there is.

use crate::{fault::Fault, permission, schema};
use atlashub_sdk::{
    database::{Column, Table},
    prelude::*,
};

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

pub(super) fn list() -> Result<Json<Tables>> {
    permission::check(&Method::GET).map_err(Fault::into_own)?;
    let schema = schema::current().map_err(Fault::into_own)?;
    Ok(Json(Tables {
        tables: schema.tables().iter().map(shown).collect(),
    }))
}

pub(super) fn columns(Path(name): Path<String>) -> Result<Json<Columns>> {
    permission::check(&Method::GET).map_err(Fault::into_own)?;
    let schema = schema::current().map_err(Fault::into_own)?;
    let table = schema.table(&name).map_err(Fault::into_own)?;
    Ok(Json(Columns {
        table: name,
        columns: table.columns.iter().map(|own| column(table, own)).collect(),
    }))
}

fn shown(table: &Table) -> ShownTable {
    ShownTable {
        name: table.name.clone(),
        kind: table.kind.clone(),
        columns: table.columns.iter().map(|own| column(table, own)).collect(),
        primary_key: table.primary_key.clone(),
        foreign_keys: table
            .foreign_keys
            .iter()
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
