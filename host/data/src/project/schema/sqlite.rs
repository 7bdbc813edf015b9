//! Changes to tables in SQLite's words.

use super::{
    ColumnDefault, ColumnType, DefaultFunction, NewCheck, NewColumn, NewTable, TableChange,
    are_same, invalid,
    keys::{foreign_key_text, index_text},
    names::{check_changes, check_table, list, literal, made_of, quoted},
    no_unique,
    table_text::{Clause, ColumnText, Kind, Part, TableText},
};
use atlashub_core::{Error, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// What is in the file about a table, as far as a change needs it.
pub(in crate::project) struct Plan<'a> {
    /// The table's name.
    pub(in crate::project) table: &'a str,
    /// The statement that made it.
    pub(in crate::project) sql: &'a str,
    /// Its indexes that were made by statements: names, columns, statements.
    pub(in crate::project) indexes: &'a [(String, Vec<String>, String)],
    /// Statements that made its triggers.
    pub(in crate::project) triggers: &'a [String],
    /// Its stored columns in order.
    pub(in crate::project) columns: &'a [String],
}

/// The statements that make a table.
///
/// # Errors
/// `invalid_schema` with what makes no sense.
pub(in crate::project) fn create(table: &NewTable) -> Result<Vec<String>> {
    check_table(table)?;
    let name = &table.name;
    let mut parts = Vec::new();
    for column in &table.columns {
        if column.default == Some(ColumnDefault::Function(DefaultFunction::Autoincrement))
            && !(column.primary_key && is_whole(column.column_type))
        {
            return Err(only_keys_count());
        }
        parts.push(column_text(column)?);
    }
    if !table.primary_key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(&table.primary_key)));
    }
    for columns in &table.unique {
        parts.push(format!("UNIQUE ({})", list(columns)));
    }
    for (number, check) in (1..).zip(&table.checks) {
        parts.push(check_text(name, check, &number.to_string()));
    }
    for key in &table.foreign_keys {
        parts.push(foreign_key_text(name, key, quoted));
    }
    let mut statements = vec![format!(
        "CREATE TABLE {} (\n  {}\n) STRICT",
        quoted(name),
        parts.join(",\n  ")
    )];
    statements.extend(
        table
            .indexes
            .iter()
            .map(|index| index_text(name, index, quoted)),
    );
    Ok(statements)
}

/// How a change is made.
pub(in crate::project) struct Alteration {
    /// The statements, in order.
    pub(in crate::project) statements: Vec<String>,
    /// Whether they build the table anew: other tables and views, which go on
    /// naming it, must be left alone.
    pub(in crate::project) rebuilds: bool,
}

/// What changes a table as it is now.
///
/// # Errors
/// `invalid_schema`, `not_found`.
pub(in crate::project) fn alter(plan: &Plan<'_>, change: &TableChange) -> Result<Alteration> {
    check_changes(std::slice::from_ref(change))?;
    let table = plan.table;
    let on = quoted(table);
    let one = |sql: String| {
        Ok(Alteration {
            statements: vec![sql],
            rebuilds: false,
        })
    };
    match change {
        TableChange::Rename { to } => one(format!("ALTER TABLE {on} RENAME TO {}", quoted(to))),
        TableChange::RenameColumn { column, to } => one(format!(
            "ALTER TABLE {on} RENAME COLUMN {} TO {}",
            quoted(column),
            quoted(to)
        )),
        TableChange::AddIndex { index } => one(index_text(table, index, quoted)),
        TableChange::DropIndex { name } => {
            if !plan.indexes.iter().any(|(own, ..)| own == name) {
                return Err(Error::not_found(format!("the index `{name}`")));
            }
            one(format!("DROP INDEX {}", quoted(name)))
        }
        TableChange::AddColumn { column } if is_plain(column) => one(format!(
            "ALTER TABLE {on} ADD COLUMN {}",
            column_text(column)?
        )),
        _ => rebuilt(plan, change),
    }
}

/// Whether SQLite can add the column to a table that has rows.
fn is_plain(column: &NewColumn) -> bool {
    let constant = match &column.default {
        None => column.nullable,
        Some(ColumnDefault::Value(value)) => {
            (column.nullable || !value.is_null()) && column.references.is_none()
        }
        Some(ColumnDefault::Function(_)) => false,
    };
    constant && !column.unique
}

/// The statements that build a table anew with the change in it.
fn rebuilt(plan: &Plan<'_>, change: &TableChange) -> Result<Alteration> {
    let mut text = TableText::read(plan.sql)?;
    let mut gone = None;
    change_text(plan, &mut text, change, &mut gone)?;
    let fresh = made_of(&[plan.table], "rebuilt");
    let kept: Vec<String> = plan
        .columns
        .iter()
        .filter(|column| gone.is_none_or(|gone| !column.eq_ignore_ascii_case(gone)))
        .cloned()
        .collect();
    let (on, columns) = (quoted(plan.table), list(&kept));
    let mut statements = vec![
        text.create(&fresh),
        format!(
            "INSERT INTO {} ({columns}) SELECT {columns} FROM {on}",
            quoted(&fresh)
        ),
        format!("DROP TABLE {on}"),
        format!("ALTER TABLE {} RENAME TO {on}", quoted(&fresh)),
    ];
    let has_gone = |columns: &[String]| {
        gone.is_some_and(|gone| {
            columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(gone))
        })
    };
    for (_, columns, sql) in plan.indexes {
        if !has_gone(columns) {
            statements.push(sql.clone());
        }
    }
    statements.extend(plan.triggers.iter().cloned());
    Ok(Alteration {
        statements,
        rebuilds: true,
    })
}

fn change_text<'a>(
    plan: &Plan<'_>,
    text: &mut TableText,
    change: &'a TableChange,
    gone: &mut Option<&'a str>,
) -> Result<()> {
    let table = plan.table;
    match change {
        TableChange::AddColumn { column } => {
            if column.default == Some(ColumnDefault::Function(DefaultFunction::Autoincrement)) {
                return Err(only_keys_count());
            }
            text.add_column(ColumnText::read(&column_text(column)?)?);
        }
        TableChange::DropColumn { column } => {
            drop_column(text, column)?;
            *gone = plan
                .columns
                .iter()
                .any(|own| own.eq_ignore_ascii_case(column))
                .then_some(column);
        }
        TableChange::AlterColumn {
            column,
            column_type,
            nullable,
            default,
            drop_default,
        } => {
            let own = text.column_mut(column)?;
            if let Some(kind) = column_type {
                change_type(own, *kind)?;
            }
            match nullable {
                Some(true) => own.replace(Kind::NotNull, None)?,
                Some(false) => own.replace(Kind::NotNull, Some("NOT NULL"))?,
                None => {}
            }
            if *drop_default {
                own.replace(Kind::Default, None)?;
            }
            if let Some(default) = default {
                let kind = column_type.or_else(|| type_said(own)).ok_or_else(|| {
                    invalid("say the column's `type`, too: it cannot be told from the table")
                })?;
                let sql = default_text(kind, default)?.ok_or_else(only_keys_count)?;
                own.replace(Kind::Default, Some(&format!("DEFAULT {sql}")))?;
            }
        }
        TableChange::AddForeignKey { foreign_key } => {
            let clause = Clause::read(&foreign_key_text(table, foreign_key, quoted))?;
            text.parts.push(Part::Constraint(clause));
        }
        TableChange::AddCheck { check } => {
            let number = (text.constraints().count() + 1).to_string();
            let clause = Clause::read(&check_text(table, check, &number))?;
            text.parts.push(Part::Constraint(clause));
        }
        TableChange::DropForeignKey { name } => {
            let gone = text.remove_constraints(|column, clause| {
                let columns = column.map_or_else(|| clause.columns(), |own| vec![own.to_owned()]);
                clause.kind == Kind::References
                    && (clause.name.as_ref() == Some(name)
                        || *name == format!("{table}_{}_fkey", columns.join("_")))
            });
            found(gone, "foreign key", name)?;
        }
        TableChange::DropCheck { name } => {
            let gone = text.remove_constraints(|_, clause| {
                clause.kind == Kind::Check && clause.name.as_ref() == Some(name)
            });
            found(gone, "check", name)?;
        }
        TableChange::AddUnique { columns } => {
            for column in columns {
                text.column_mut(column)?;
            }
            let clause = Clause::read(&format!("UNIQUE ({})", list(columns)))?;
            text.parts.push(Part::Constraint(clause));
        }
        TableChange::DropUnique { columns } => {
            let gone = text.remove_constraints(|column, clause| {
                let own = column.map_or_else(|| clause.columns(), |own| vec![own.to_owned()]);
                clause.kind == Kind::Unique && are_same(&own, columns)
            });
            if gone == 0 {
                return Err(no_unique(columns));
            }
        }
        TableChange::SetPrimaryKey { columns } => set_primary_key(text, columns)?,
        TableChange::Rename { .. }
        | TableChange::RenameColumn { .. }
        | TableChange::AddIndex { .. }
        | TableChange::DropIndex { .. } => {}
    }
    Ok(())
}

/// Another primary key; the columns of both take no NULL, as on Postgres.
fn set_primary_key(text: &mut TableText, columns: &[String]) -> Result<()> {
    let mut before = Vec::new();
    for (column, clause) in text.constraints() {
        if clause.kind != Kind::PrimaryKey {
            continue;
        }
        if clause.text.to_ascii_uppercase().contains("AUTOINCREMENT") {
            return Err(invalid(
                "a number that counts by itself has to stay the primary key: make a new table",
            ));
        }
        before.extend(column.map_or_else(|| clause.columns(), |own| vec![own.to_owned()]));
    }
    text.remove_constraints(|_, clause| clause.kind == Kind::PrimaryKey);
    for column in before.iter().chain(columns) {
        text.column_mut(column)?
            .replace(Kind::NotNull, Some("NOT NULL"))?;
    }
    let clause = Clause::read(&format!("PRIMARY KEY ({})", list(columns)))?;
    text.parts.push(Part::Constraint(clause));
    Ok(())
}

fn found(count: usize, what: &str, name: &str) -> Result<()> {
    if count == 0 {
        return Err(Error::not_found(format!("the {what} `{name}`")));
    }
    Ok(())
}

/// Removes a column with the constraints that list it, as Postgres does.
fn drop_column(text: &mut TableText, column: &str) -> Result<()> {
    text.column_mut(column)?;
    let is_key = text.constraints().any(|(own, clause)| {
        clause.kind == Kind::PrimaryKey
            && (own.is_some_and(|own| own.eq_ignore_ascii_case(column)) || clause.lists(column))
    });
    if is_key {
        return Err(invalid(format!(
            "`{column}` is part of the primary key: choose another with `set_primary_key` first"
        )));
    }
    text.remove_constraints(|own, clause| {
        own.is_none()
            && matches!(clause.kind, Kind::Unique | Kind::References)
            && clause.lists(column)
    });
    text.parts
        .retain(|part| !matches!(part, Part::Column(own) if own.name.eq_ignore_ascii_case(column)));
    Ok(())
}

fn change_type(own: &mut ColumnText, kind: ColumnType) -> Result<()> {
    // The check that came with the type before goes with it.
    if let Some(before) = type_said(own).and_then(|kind| type_check(&own.name, kind)) {
        let bare = |text: &str| text.replace([' ', '"'], "");
        own.clauses
            .retain(|clause| bare(&clause.text) != bare(&before));
    }
    own.type_text = type_text(kind).to_owned();
    if let Some(check) = type_check(&own.name, kind) {
        own.clauses.push(Clause::read(&check)?);
    }
    Ok(())
}

/// The type as we write it; `None` when somebody else wrote it.
fn type_said(column: &ColumnText) -> Option<ColumnType> {
    use ColumnType as T;
    [
        T::Text,
        T::Integer,
        T::Bigint,
        T::Real,
        T::Numeric,
        T::Boolean,
        T::Json,
        T::Timestamp,
        T::Date,
        T::Time,
        T::Uuid,
        T::Bytes,
    ]
    .into_iter()
    .find(|kind| type_text(*kind).eq_ignore_ascii_case(&column.type_text))
}

fn is_whole(kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Integer | ColumnType::Bigint)
}

const fn type_text(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "TEXT",
        ColumnType::Integer => "INTEGER",
        ColumnType::Bigint => "INTEGER /* bigint */",
        ColumnType::Real => "REAL",
        ColumnType::Numeric => "TEXT /* numeric */",
        ColumnType::Boolean => "INTEGER /* boolean */",
        ColumnType::Json => "TEXT /* json */",
        ColumnType::Timestamp => "TEXT /* timestamptz */",
        ColumnType::Date => "TEXT /* date */",
        ColumnType::Time => "TEXT /* time */",
        ColumnType::Uuid => "TEXT /* uuid */",
        ColumnType::Bytes => "BLOB",
    }
}

/// What SQLite's own types do not keep out.
fn type_check(column: &str, kind: ColumnType) -> Option<String> {
    let column = quoted(column);
    match kind {
        ColumnType::Boolean => Some(format!("CHECK ({column} IN (0, 1))")),
        ColumnType::Json => Some(format!("CHECK (json_valid({column}))")),
        _ => None,
    }
}

fn column_text(column: &NewColumn) -> Result<String> {
    let kind = column.column_type;
    let mut text = format!("{} {}", quoted(&column.name), type_text(kind));
    let counts = column.default == Some(ColumnDefault::Function(DefaultFunction::Autoincrement));
    if column.primary_key {
        // A comment would do as well, but SQLite counts in this type alone.
        if counts {
            text = format!("{} INTEGER", quoted(&column.name));
        }
        text.push_str(" PRIMARY KEY");
        if counts {
            text.push_str(" AUTOINCREMENT");
        }
    }
    if !column.nullable || column.primary_key {
        text.push_str(" NOT NULL");
    }
    if column.unique {
        text.push_str(" UNIQUE");
    }
    if let Some(default) = &column.default
        && let Some(sql) = default_text(kind, default)?
    {
        text.push_str(&format!(" DEFAULT {sql}"));
    }
    if let Some(check) = type_check(&column.name, kind) {
        text.push_str(&format!(" {check}"));
    }
    if let Some(check) = &column.check {
        text.push_str(&format!(" CHECK ({check})"));
    }
    if let Some(other) = &column.references {
        text.push_str(&format!(
            " REFERENCES {} ({}) ON DELETE {}",
            quoted(&other.table),
            quoted(&other.column),
            other.on_delete.sql()
        ));
    }
    Ok(text)
}

/// A default; `None` for a number that SQLite counts by itself.
pub(super) fn default_text(kind: ColumnType, default: &ColumnDefault) -> Result<Option<String>> {
    use DefaultFunction as F;
    let sql = match default {
        ColumnDefault::Value(value) => value_text(kind, value)?,
        ColumnDefault::Function(F::Autoincrement) => return Ok(None),
        ColumnDefault::Function(F::Now) => match kind {
            ColumnType::Date => "(date('now'))".to_owned(),
            ColumnType::Time => "(time('now'))".to_owned(),
            ColumnType::Timestamp | ColumnType::Text => {
                "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))".to_owned()
            }
            _ => return Err(invalid("`now` is for a timestamp, date or time")),
        },
        ColumnDefault::Function(F::Uuid) => match kind {
            ColumnType::Uuid | ColumnType::Text => UUID.to_owned(),
            _ => return Err(invalid("`uuid` is for a UUID or text")),
        },
    };
    Ok(Some(sql))
}

/// A random UUID (RFC 9562, version 4).
const UUID: &str = "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || \
     substr(hex(randomblob(2)), 2) || '-' || substr('89AB', 1 + (random() & 3), 1) || \
     substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))";

fn value_text(kind: ColumnType, value: &Value) -> Result<String> {
    use ColumnType as T;
    let fits = match (kind, value) {
        (_, Value::Null) => Some("NULL".to_owned()),
        (T::Boolean, Value::Bool(value)) => Some(u8::from(*value).to_string()),
        (T::Json, value) => Some(literal(&value.to_string())),
        (T::Integer | T::Bigint, Value::Number(number)) if number.is_i64() => {
            Some(number.to_string())
        }
        (T::Real, Value::Number(number)) => Some(number.to_string()),
        (T::Numeric, Value::Number(number)) => Some(literal(&number.to_string())),
        (T::Bytes, Value::String(text)) => STANDARD.decode(text).ok().map(|bytes| {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'")
        }),
        (
            T::Text | T::Numeric | T::Timestamp | T::Date | T::Time | T::Uuid,
            Value::String(text),
        ) => Some(literal(text)),
        _ => None,
    };
    fits.ok_or_else(|| {
        invalid(format!(
            "the default {value} does not fit the column's type"
        ))
    })
}

fn check_text(table: &str, check: &NewCheck, number: &str) -> String {
    let made = || made_of(&[table, number], "check");
    let name = check.name.clone().unwrap_or_else(made);
    format!("CONSTRAINT {} CHECK ({})", quoted(&name), check.expression)
}

fn only_keys_count() -> Error {
    invalid("`autoincrement` is for a whole number that alone is the primary key of a new table")
}
