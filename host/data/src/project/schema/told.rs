//! A table that is there, in the words in which admins make one: so that it
//! can be made again, on either engine. What these words cannot say is named
//! beside it, with what the engine calls it.
//!
//! The same table is told alike by both engines: its parts are in the order
//! of their names, whole numbers of SQLite have 64 bits, and conditions are
//! in the words of [`plain`](super::plain).

use super::{
    ColumnDefault, ColumnType, DefaultFunction, NewCheck, NewColumn, NewForeignKey, NewIndex,
    NewTable, OnDelete,
    moved::{Facts, FactsColumn, FactsIndex, FactsKey, is_of_type, is_whole},
    names::{check_name, made_of},
    plain::plain,
};
use crate::project::public::RowPolicy;
use atlashub_core::capability::{database::ColumnKind, sql::Dialect};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// A table with all that can be said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDefinition {
    /// As the admin's call that makes tables takes it.
    pub table: NewTable,
    /// Its row policies by name.
    #[serde(default)]
    pub policies: Vec<RowPolicy>,
    /// What of it has no words.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
}

/// Something that cannot be said, or made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// What it is: `index:by_word`, `check:things.some_title`.
    pub object: String,
    /// Why, in words.
    pub why: String,
    /// How its engine says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

impl LeftOut {
    pub(in crate::project) fn new(object: String, why: impl Into<String>) -> Self {
        Self {
            object,
            why: why.into(),
            sql: None,
        }
    }

    pub(in crate::project) fn said(mut self, sql: impl Into<String>) -> Self {
        self.sql = Some(sql.into());
        self
    }
}

/// All tables of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectDefinitions {
    /// By name.
    pub tables: Vec<TableDefinition>,
    /// What belongs to no table, such as views.
    pub left_out: Vec<LeftOut>,
}

/// A table in those words, and what they leave out.
pub(in crate::project) fn told(facts: &Facts, dialect: Dialect) -> (NewTable, Vec<LeftOut>) {
    let name = facts.name.as_str();
    let mut left_out = Vec::new();
    let columns = facts
        .columns
        .iter()
        .filter_map(|column| told_column(facts, column, dialect, &mut left_out));
    let columns: Vec<NewColumn> = columns.collect();
    let mut unique = facts.unique.clone();
    unique.sort();
    let mut checks = Vec::new();
    for (check, expression) in &facts.checks {
        if is_of_type(facts, expression) {
            continue;
        }
        let number = (checks.len() + 1).to_string();
        let named = check.clone().filter(|own| check_name("check", own).is_ok());
        checks.push(NewCheck {
            name: Some(named.unwrap_or_else(|| made_of(&[name, &number], "check"))),
            expression: match dialect {
                Dialect::Sqlite => expression.clone(),
                Dialect::Postgres => plain(expression),
            },
        });
    }
    checks.sort_by(|left, right| left.name.cmp(&right.name));
    let mut foreign_keys: Vec<NewForeignKey> = facts
        .keys
        .iter()
        .map(|key| told_key(name, key, &mut left_out))
        .collect();
    foreign_keys.sort_by(|left, right| left.columns.cmp(&right.columns));
    let indexes = facts
        .indexes
        .iter()
        .filter_map(|index| told_index(index, &mut left_out));
    let mut indexes: Vec<NewIndex> = indexes.collect();
    indexes.sort_by(|left, right| left.name.cmp(&right.name));
    left_out.extend(facts.collates.iter().map(|column| {
        LeftOut::new(
            format!("collation:{name}.{column}"),
            "the column compares text in a way of the engine's own (COLLATE)",
        )
    }));
    if !facts.understood {
        left_out.push(LeftOut::new(
            format!("statement:{name}"),
            "the statement that made the table is not understood: checks and calculated columns \
             cannot be told",
        ));
    }
    let table = NewTable {
        name: name.to_owned(),
        columns,
        primary_key: match facts.primary_key.as_slice() {
            [_] => Vec::new(),
            columns => columns.to_vec(),
        },
        unique,
        checks,
        foreign_keys,
        indexes,
    };
    (table, left_out)
}

fn told_column(
    facts: &Facts,
    column: &FactsColumn,
    dialect: Dialect,
    left_out: &mut Vec<LeftOut>,
) -> Option<NewColumn> {
    let place = format!("{}.{}", facts.name, column.name);
    if let Some(expression) = &column.generated {
        let calculated = LeftOut::new(
            format!("column:{place}"),
            "its values are calculated by the database",
        );
        left_out.push(calculated.said(expression));
        return None;
    }
    let (column_type, why) = told_type(column, dialect);
    if let Some(why) = why {
        left_out.push(LeftOut::new(format!("type:{place}"), why).said(&column.data_type));
    }
    let is_key = facts.primary_key.as_slice() == [column.name.clone()];
    let counts = is_key && facts.counts
        || column
            .default
            .as_deref()
            .is_some_and(|sql| sql == "identity" || sql.starts_with("nextval("));
    let default = match &column.default {
        _ if counts => Some(ColumnDefault::Function(DefaultFunction::Autoincrement)),
        None => None,
        Some(sql) => match told_default(column_type, sql) {
            Told::Default(default) => default,
            Told::Unknown => {
                let own = LeftOut::new(
                    format!("default:{place}"),
                    "the default is calculated in the engine's own SQL",
                );
                left_out.push(own.said(sql));
                None
            }
        },
    };
    let is_in_key = facts.primary_key.contains(&column.name);
    Some(NewColumn {
        name: column.name.clone(),
        column_type,
        nullable: column.nullable && !is_in_key,
        default,
        primary_key: is_key,
        unique: false,
        check: None,
        references: None,
    })
}

/// What holds the values, and what the column's own type says beyond that.
fn told_type(column: &FactsColumn, dialect: Dialect) -> (ColumnType, Option<String>) {
    let own = column.data_type.as_str();
    let kind = match column.kind {
        ColumnKind::Integer => match own {
            "smallint" | "integer" if dialect == Dialect::Postgres => ColumnType::Integer,
            _ => ColumnType::Bigint,
        },
        ColumnKind::Real => ColumnType::Real,
        ColumnKind::Numeric => ColumnType::Numeric,
        ColumnKind::Boolean => ColumnType::Boolean,
        ColumnKind::Json | ColumnKind::Array => ColumnType::Json,
        ColumnKind::Timestamp => ColumnType::Timestamp,
        ColumnKind::Date => ColumnType::Date,
        ColumnKind::Time => ColumnType::Time,
        ColumnKind::Uuid => ColumnType::Uuid,
        ColumnKind::Bytes => ColumnType::Bytes,
        ColumnKind::Text | ColumnKind::Other => ColumnType::Text,
    };
    let is_plain = match dialect {
        Dialect::Sqlite => column.kind != ColumnKind::Other,
        Dialect::Postgres => matches!(
            own,
            "smallint"
                | "integer"
                | "bigint"
                | "real"
                | "double precision"
                | "numeric"
                | "boolean"
                | "json"
                | "jsonb"
                | "timestamp with time zone"
                | "timestamp without time zone"
                | "date"
                | "time without time zone"
                | "uuid"
                | "bytea"
                | "text"
                | "character varying"
        ),
    };
    let why = (!is_plain).then(|| {
        let name = serde_json::to_value(kind).unwrap_or_default();
        format!(
            "the type `{own}` becomes {}",
            name.as_str().unwrap_or("text")
        )
    });
    (kind, why)
}

fn told_key(table: &str, key: &FactsKey, left_out: &mut Vec<LeftOut>) -> NewForeignKey {
    let usual = made_of(&[table, &key.columns.join("_")], "fkey");
    if key.on_update != "NO ACTION" || key.deferrable {
        let more = LeftOut::new(
            format!("on_update:{table}.{}", key.name),
            "it says more than what becomes of rows whose parent is removed; the rest is left out",
        );
        let deferrable = if key.deferrable { " DEFERRABLE" } else { "" };
        left_out.push(more.said(format!("ON UPDATE {}{deferrable}", key.on_update)));
    }
    NewForeignKey {
        name: Some(key.name.clone())
            .filter(|name| *name != usual && check_name("foreign key", name).is_ok()),
        columns: key.columns.clone(),
        table: key.table.clone(),
        references: key.references.clone(),
        on_delete: match key.on_delete.as_str() {
            "CASCADE" => OnDelete::Cascade,
            "RESTRICT" => OnDelete::Restrict,
            "SET NULL" => OnDelete::SetNull,
            "SET DEFAULT" => OnDelete::SetDefault,
            _ => OnDelete::NoAction,
        },
    }
}

fn told_index(index: &FactsIndex, left_out: &mut Vec<LeftOut>) -> Option<NewIndex> {
    match &index.columns {
        Some(columns) if index.plain => Some(NewIndex {
            name: Some(index.name.clone()),
            columns: columns.iter().map(|(name, _)| name.clone()).collect(),
            unique: index.unique,
        }),
        _ => {
            let own = LeftOut::new(
                format!("index:{}", index.name),
                "it is more than columns in ascending order, over all rows",
            );
            left_out.push(own.said(&index.definition));
            None
        }
    }
}

enum Told {
    /// The default; none where it is NULL.
    Default(Option<ColumnDefault>),
    Unknown,
}

/// A default in words of neither engine.
fn told_default(kind: ColumnType, sql: &str) -> Told {
    use ColumnType as T;
    let mut text = sql.trim();
    while let Some(inner) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        && is_whole(inner)
    {
        text = inner.trim();
    }
    let lower = text.to_lowercase();
    let function = |function| Told::Default(Some(ColumnDefault::Function(function)));
    let value = |value| Told::Default(Some(ColumnDefault::Value(value)));
    let is_random = lower.contains("randomblob(") || lower.contains("gen_random_uuid(");
    if is_random && matches!(kind, T::Uuid | T::Text) {
        return function(DefaultFunction::Uuid);
    }
    let begins = [
        "now()",
        "current_",
        "localtime",
        "strftime('%y-%m-%dt%h:%m:%fz'",
        "datetime(",
        "date(",
        "time(",
        "to_char(now() at time zone 'utc'",
        "to_char((now() at time zone 'utc'",
    ];
    let is_now = begins.iter().any(|word| lower.starts_with(word))
        && (!lower.contains('(') || lower.contains("now"));
    if is_now && matches!(kind, T::Timestamp | T::Date | T::Time | T::Text) {
        return function(DefaultFunction::Now);
    }
    if lower == "null" || lower.starts_with("null::") {
        return Told::Default(None);
    }
    let said = match literal(text) {
        Some(said) => said,
        None => return Told::Unknown,
    };
    let found = match (kind, said) {
        (T::Json, Literal::Text(text)) => serde_json::from_str(&text).ok(),
        (T::Boolean, Literal::Text(word) | Literal::Bare(word)) => {
            match word.to_lowercase().as_str() {
                "true" | "t" | "1" => Some(Value::Bool(true)),
                "false" | "f" | "0" => Some(Value::Bool(false)),
                _ => None,
            }
        }
        (T::Integer | T::Bigint, Literal::Text(number) | Literal::Bare(number)) => {
            number.parse::<i64>().ok().map(Value::from)
        }
        (T::Real, Literal::Text(number) | Literal::Bare(number)) => {
            let number = number.parse::<f64>().ok().and_then(Number::from_f64);
            number.map(Value::Number)
        }
        (T::Numeric, Literal::Text(number) | Literal::Bare(number)) => {
            number.parse::<f64>().is_ok().then(|| Value::from(number))
        }
        (T::Bytes, Literal::Text(text)) => text
            .strip_prefix("\\x")
            .and_then(bytes)
            .map(|bytes| STANDARD.encode(bytes).into()),
        (T::Bytes, Literal::Bytes(digits)) => {
            bytes(&digits).map(|bytes| STANDARD.encode(bytes).into())
        }
        (T::Text | T::Timestamp | T::Date | T::Time | T::Uuid, Literal::Text(text)) => {
            Some(Value::from(text))
        }
        (T::Text, Literal::Bare(number)) => Some(Value::from(number)),
        _ => None,
    };
    found.map_or(Told::Unknown, value)
}

enum Literal {
    Text(String),
    /// Hexadecimal digits.
    Bytes(String),
    /// A number or a truth value.
    Bare(String),
}

/// A literal, with the type that Postgres writes behind it.
fn literal(text: &str) -> Option<Literal> {
    let is_type = |rest: &str| {
        let rest = rest.trim();
        rest.is_empty()
            || rest.strip_prefix("::").is_some_and(|name| {
                name.chars()
                    .all(|c| c.is_alphanumeric() || " _(),[]".contains(c))
            })
    };
    if let Some(hexadecimal) = text.strip_prefix(['x', 'X'])
        && hexadecimal.starts_with('\'')
    {
        let (digits, rest) = crate::project::text::identifier(hexadecimal)?;
        return rest.trim().is_empty().then_some(Literal::Bytes(digits));
    }
    if text.starts_with('\'') {
        let (said, rest) = crate::project::text::identifier(text)?;
        return is_type(rest).then_some(Literal::Text(said));
    }
    let (bare, rest) = match text.split_once("::") {
        Some((bare, _)) => (bare, text.get(bare.len()..).unwrap_or_default()),
        None => (text, ""),
    };
    let bare = bare.trim().trim_matches(['(', ')']);
    let is_bare =
        bare.parse::<f64>().is_ok() || ["true", "false"].contains(&bare.to_lowercase().as_str());
    (is_bare && is_type(rest)).then(|| Literal::Bare(bare.to_owned()))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::project::schema::{postgres, sqlite};
    use ColumnType as T;
    use serde_json::json;

    fn default_of(kind: ColumnType, sql: &str) -> Option<Option<Value>> {
        match told_default(kind, sql) {
            Told::Default(default) => Some(default.map(|own| serde_json::to_value(own).unwrap())),
            Told::Unknown => None,
        }
    }

    #[test]
    fn defaults_of_both_engines_are_told_alike() {
        for (kind, said, expected) in [
            (
                T::Bigint,
                &["5", "'5'::bigint", "(5)"][..],
                json!({"value": 5}),
            ),
            (
                T::Bigint,
                &["-5", "'-5'::integer", "(-5)"],
                json!({"value": -5}),
            ),
            (
                T::Boolean,
                &["0", "false", "FALSE"],
                json!({"value": false}),
            ),
            (
                T::Text,
                &["'it''s'", "'it''s'::text"],
                json!({"value": "it's"}),
            ),
            (
                T::Numeric,
                &["'10.50'", "10.50", "'10.50'::numeric"],
                json!({"value": "10.50"}),
            ),
            (
                T::Real,
                &["1.5", "'1.5'::double precision"],
                json!({"value": 1.5}),
            ),
            (
                T::Json,
                &["'{\"a\":1}'", "'{\"a\": 1}'::jsonb"],
                json!({"value": {"a": 1}}),
            ),
            (
                T::Bytes,
                &["x'00ff'", "'\\x00ff'::bytea"],
                json!({"value": "AP8="}),
            ),
            (
                T::Timestamp,
                &["now()", "CURRENT_TIMESTAMP"],
                json!({"function": "now"}),
            ),
            (
                T::Date,
                &["CURRENT_DATE", "date('now')"],
                json!({"function": "now"}),
            ),
            (
                T::Time,
                &["LOCALTIME", "time('now')"],
                json!({"function": "now"}),
            ),
            (T::Uuid, &["gen_random_uuid()"], json!({"function": "uuid"})),
        ] {
            for sql in said {
                assert_eq!(default_of(kind, sql), Some(Some(expected.clone())), "{sql}");
            }
        }
        assert_eq!(default_of(T::Text, "NULL::text"), Some(None));
        for (kind, sql) in [
            (T::Text, "lower('A')"),
            (T::Bigint, "(1 + 2)"),
            (T::Bigint, "(strftime('%s', 'now'))"),
            (T::Text, "'a' || 'b'"),
        ] {
            assert_eq!(default_of(kind, sql), None, "{sql}");
        }
    }

    #[test]
    fn a_default_that_was_made_is_told_as_it_was_asked_for() {
        for (kind, default) in [
            (T::Bigint, json!({"value": 7})),
            (T::Boolean, json!({"value": true})),
            (T::Text, json!({"value": "a 'b' ("})),
            (T::Numeric, json!({"value": "1.10"})),
            (T::Json, json!({"value": {"a": [1, "'"]}})),
            (T::Bytes, json!({"value": "AP8="})),
            (T::Timestamp, json!({"function": "now"})),
            (T::Text, json!({"function": "now"})),
            (T::Date, json!({"function": "now"})),
            (T::Time, json!({"function": "now"})),
            (T::Uuid, json!({"function": "uuid"})),
            (T::Text, json!({"function": "uuid"})),
        ] {
            let asked: ColumnDefault = serde_json::from_value(default.clone()).unwrap();
            let words = [
                sqlite::default_text(kind, &asked).unwrap().unwrap(),
                postgres::default_text(kind, &asked).unwrap(),
            ];
            for sql in words {
                assert_eq!(default_of(kind, &sql), Some(Some(default.clone())), "{sql}");
            }
        }
    }
}
