//! Changes to tables in Postgres' words.

use super::{
    ColumnDefault, ColumnType, DefaultFunction, NewCheck, NewColumn, NewForeignKey, NewTable,
    TableChange, invalid,
    keys::{foreign_key_text, index_text},
    names::{check_changes, check_table, list, literal, made_of, quoted},
    no_unique,
};
use atlashub_core::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// The statements that make a table.
///
/// # Errors
/// `invalid_schema` with what makes no sense.
pub(in crate::project) fn create(table: &NewTable) -> Result<Vec<String>> {
    check_table(table)?;
    let name = &table.name;
    let mut parts = Vec::new();
    for column in &table.columns {
        parts.push(column_text(column)?);
    }
    if !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    }
    for columns in &table.unique {
        parts.push(format!("UNIQUE ({})", list(columns)));
    }
    parts.extend(table.checks.iter().map(check_text));
    for key in &table.foreign_keys {
        parts.push(foreign_key_text(name, key, public));
    }
    let mut statements = vec![format!(
        "CREATE TABLE {} (\n  {}\n)",
        public(name),
        parts.join(",\n  ")
    )];
    statements.extend(
        table
            .indexes
            .iter()
            .map(|index| index_text(name, index, public)),
    );
    Ok(statements)
}

/// The statements that make tables which may refer to each other in any way:
/// foreign keys come when all are there.
///
/// # Errors
/// `invalid_schema` with what makes no sense.
pub(in crate::project) fn create_all(tables: &[NewTable]) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    let mut keys = Vec::new();
    for table in tables {
        check_table(table)?;
        let (bare, own) = without_keys(table);
        statements.extend(create(&bare)?);
        for foreign_key in own {
            let change = TableChange::AddForeignKey { foreign_key };
            keys.extend(alter(&table.name, &change, None)?);
        }
    }
    statements.extend(keys);
    Ok(statements)
}

/// A table without its foreign keys, and those.
pub(in crate::project) fn without_keys(table: &NewTable) -> (NewTable, Vec<NewForeignKey>) {
    let mut bare = table.clone();
    let mut keys = std::mem::take(&mut bare.foreign_keys);
    for column in &mut bare.columns {
        keys.extend(column.references.take().map(|other| NewForeignKey {
            name: None,
            columns: vec![column.name.clone()],
            table: other.table,
            references: vec![other.column],
            on_delete: other.on_delete,
        }));
    }
    (bare, keys)
}

/// The statements that change a table; `present` is the name of the constraint
/// that goes with a key.
///
/// # Errors
/// `invalid_schema` with what makes no sense.
pub(in crate::project) fn alter(
    table: &str,
    change: &TableChange,
    present: Option<&str>,
) -> Result<Vec<String>> {
    check_changes(std::slice::from_ref(change))?;
    let on = public(table);
    let alter = |what: String| format!("ALTER TABLE {on} {what}");
    let one = match change {
        TableChange::Rename { to } => alter(format!("RENAME TO {}", quoted(to))),
        TableChange::RenameColumn { column, to } => alter(format!(
            "RENAME COLUMN {} TO {}",
            quoted(column),
            quoted(to)
        )),
        TableChange::AddColumn { column } => alter(format!("ADD COLUMN {}", column_text(column)?)),
        TableChange::DropColumn { column } => alter(format!("DROP COLUMN {}", quoted(column))),
        TableChange::AddIndex { index } => index_text(table, index, public),
        TableChange::DropIndex { name } => format!("DROP INDEX {}", public(name)),
        TableChange::AddForeignKey { foreign_key } => alter(format!(
            "ADD {}",
            foreign_key_text(table, foreign_key, public)
        )),
        TableChange::AddCheck { check } => alter(format!("ADD {}", check_text(check))),
        TableChange::AddUnique { columns } => alter(format!(
            "ADD CONSTRAINT {} UNIQUE ({})",
            quoted(&made_of(&[table, &columns.join("_")], "key")),
            list(columns)
        )),
        TableChange::DropUnique { columns } => {
            let name = present.ok_or_else(|| no_unique(columns))?;
            alter(format!("DROP CONSTRAINT {}", quoted(name)))
        }
        TableChange::SetPrimaryKey { columns } => {
            let gone = present.map(|name| format!("DROP CONSTRAINT {}, ", quoted(name)));
            alter(format!(
                "{}ADD PRIMARY KEY ({})",
                gone.unwrap_or_default(),
                list(columns)
            ))
        }
        TableChange::DropForeignKey { name } | TableChange::DropCheck { name } => {
            alter(format!("DROP CONSTRAINT {}", quoted(name)))
        }
        TableChange::AlterColumn {
            column,
            column_type,
            nullable,
            default,
            drop_default,
        } => {
            let mut changes = Vec::new();
            let own = format!("ALTER COLUMN {}", quoted(column));
            // A default of another type could not be converted.
            if *drop_default || default.is_some() {
                changes.push(alter(format!("{own} DROP IDENTITY IF EXISTS")));
                changes.push(alter(format!("{own} DROP DEFAULT")));
            }
            if let Some(kind) = column_type {
                let name = type_text(*kind);
                let value = match kind {
                    ColumnType::Boolean | ColumnType::Json | ColumnType::Uuid => {
                        format!("{}::text::{name}", quoted(column))
                    }
                    _ => format!("{}::{name}", quoted(column)),
                };
                changes.push(alter(format!("{own} TYPE {name} USING {value}")));
            }
            match nullable {
                Some(true) => changes.push(alter(format!("{own} DROP NOT NULL"))),
                Some(false) => changes.push(alter(format!("{own} SET NOT NULL"))),
                None => {}
            }
            if let Some(default) = default {
                changes.push(alter(format!(
                    "{own} {}",
                    new_default(*column_type, default)?
                )));
            }
            return Ok(changes);
        }
    };
    Ok(vec![one])
}

fn new_default(kind: Option<ColumnType>, default: &ColumnDefault) -> Result<String> {
    if *default == ColumnDefault::Function(DefaultFunction::Autoincrement) {
        return Ok("ADD GENERATED BY DEFAULT AS IDENTITY".to_owned());
    }
    let kind = match (kind, default) {
        (Some(kind), _) => kind,
        (None, ColumnDefault::Function(_)) => ColumnType::Text,
        (None, ColumnDefault::Value(_)) => {
            return Err(invalid("say the column's `type` beside a new default"));
        }
    };
    Ok(format!("SET DEFAULT {}", default_text(kind, default)?))
}

fn public(name: &str) -> String {
    format!("public.{}", quoted(name))
}

pub(super) const fn type_text(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::Integer => "integer",
        ColumnType::Bigint => "bigint",
        ColumnType::Real => "double precision",
        ColumnType::Numeric => "numeric",
        ColumnType::Boolean => "boolean",
        ColumnType::Json => "jsonb",
        ColumnType::Timestamp => "timestamptz",
        ColumnType::Date => "date",
        ColumnType::Time => "time",
        ColumnType::Uuid => "uuid",
        ColumnType::Bytes => "bytea",
    }
}

fn column_text(column: &NewColumn) -> Result<String> {
    let kind = column.column_type;
    let mut text = format!("{} {}", quoted(&column.name), type_text(kind));
    match &column.default {
        None => {}
        Some(ColumnDefault::Function(DefaultFunction::Autoincrement)) => {
            if !matches!(kind, ColumnType::Integer | ColumnType::Bigint) {
                return Err(invalid("`autoincrement` is for whole numbers"));
            }
            text.push_str(" GENERATED BY DEFAULT AS IDENTITY");
        }
        Some(default) => text.push_str(&format!(" DEFAULT {}", default_text(kind, default)?)),
    }
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    if column.primary_key {
        text.push_str(" PRIMARY KEY");
    }
    if column.unique {
        text.push_str(" UNIQUE");
    }
    if let Some(check) = &column.check {
        text.push_str(&format!(" CHECK ({check})"));
    }
    if let Some(other) = &column.references {
        text.push_str(&format!(
            " REFERENCES {} ({}) ON DELETE {}",
            public(&other.table),
            quoted(&other.column),
            other.on_delete.sql()
        ));
    }
    Ok(text)
}

pub(super) fn default_text(kind: ColumnType, default: &ColumnDefault) -> Result<String> {
    use DefaultFunction as F;
    match default {
        ColumnDefault::Value(value) => value_text(kind, value),
        ColumnDefault::Function(F::Now) => match kind {
            ColumnType::Timestamp => Ok("now()".to_owned()),
            ColumnType::Date => Ok("CURRENT_DATE".to_owned()),
            ColumnType::Time => Ok("LOCALTIME".to_owned()),
            // In the form in which timestamps are told.
            ColumnType::Text => Ok(
                "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')".to_owned(),
            ),
            _ => Err(invalid("`now` is for a timestamp, date or time")),
        },
        ColumnDefault::Function(F::Uuid) => match kind {
            ColumnType::Uuid => Ok("gen_random_uuid()".to_owned()),
            ColumnType::Text => Ok("gen_random_uuid()::text".to_owned()),
            _ => Err(invalid("`uuid` is for a UUID or text")),
        },
        ColumnDefault::Function(F::Autoincrement) => {
            Err(invalid("`autoincrement` is for whole numbers"))
        }
    }
}

fn value_text(kind: ColumnType, value: &Value) -> Result<String> {
    use ColumnType as T;
    let text = |text: &str| format!("{}::{}", literal(text), type_text(kind));
    let fits = match (kind, value) {
        (_, Value::Null) => Some("NULL".to_owned()),
        (T::Boolean, Value::Bool(value)) => Some(value.to_string()),
        (T::Json, value) => Some(text(&value.to_string())),
        (T::Integer | T::Bigint, Value::Number(number)) if number.is_i64() => {
            Some(number.to_string())
        }
        (T::Real | T::Numeric, Value::Number(number)) => Some(number.to_string()),
        (T::Bytes, Value::String(encoded)) => STANDARD.decode(encoded).ok().map(|bytes| {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            text(&format!("\\x{digits}"))
        }),
        (T::Text | T::Numeric | T::Timestamp | T::Date | T::Time | T::Uuid, Value::String(own)) => {
            Some(text(own))
        }
        _ => None,
    };
    fits.ok_or_else(|| {
        invalid(format!(
            "the default {value} does not fit the column's type"
        ))
    })
}

fn check_text(check: &NewCheck) -> String {
    let named = check.name.as_ref();
    let name = named.map_or_else(String::new, |name| format!("CONSTRAINT {} ", quoted(name)));
    format!("{name}CHECK ({})", check.expression)
}
