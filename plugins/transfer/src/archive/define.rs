//! A table as the admin's own calls take it, made of what the database says
//! of it. What one engine alone has a word for, a default that is calculated
//! in its own SQL, an array, is left out or becomes the kind that holds it.

use atlashub_sdk::{
    database::{self, Column, Table},
    sql::Dialect,
};
use serde_json::{Map, Value, json};

/// The definition of a table.
pub(crate) fn definition(table: &Table) -> Value {
    let columns: Vec<Value> = table.columns.iter().map(|own| column(table, own)).collect();
    let keys: Vec<Value> = table
        .foreign_keys
        .iter()
        .map(|key| {
            json!({
                "columns": key.columns, "table": key.table, "references": key.references,
            })
        })
        .collect();
    let mut definition = Map::new();
    definition.insert("name".to_owned(), json!(table.name));
    definition.insert("columns".to_owned(), json!(columns));
    if table.primary_key.len() > 1 {
        definition.insert("primary_key".to_owned(), json!(table.primary_key));
    }
    if !table.unique.is_empty() {
        definition.insert("unique".to_owned(), json!(table.unique));
    }
    if !keys.is_empty() {
        definition.insert("foreign_keys".to_owned(), json!(keys));
    }
    Value::Object(definition)
}

fn column(table: &Table, column: &Column) -> Value {
    let kind = match column.kind.as_str() {
        "integer" => "bigint",
        "array" => "json",
        kind @ ("text" | "real" | "numeric" | "boolean" | "json" | "timestamp" | "date"
        | "time" | "uuid" | "bytes") => kind,
        _ => "text",
    };
    let is_key = table.primary_key.as_slice() == [column.name.clone()];
    let mut definition = Map::new();
    definition.insert("name".to_owned(), json!(column.name));
    definition.insert("type".to_owned(), json!(kind));
    if is_key {
        definition.insert("primary_key".to_owned(), json!(true));
    } else if !column.nullable {
        definition.insert("nullable".to_owned(), json!(false));
    }
    let own = column.default.as_deref();
    // SQLite counts such a key by itself, whatever its definition says.
    let counts = database::dialect() == Dialect::Sqlite
        || own.is_some_and(|sql| sql == "identity" || sql.starts_with("nextval("));
    if is_key && kind == "bigint" && counts {
        let counted = json!({"function": "autoincrement"});
        definition.insert("default".to_owned(), counted);
    } else if let Some(default) = own.and_then(default) {
        definition.insert("default".to_owned(), default);
    }
    Value::Object(definition)
}

/// A default that both engines have.
fn default(sql: &str) -> Option<Value> {
    let lower = sql.to_lowercase();
    if ["now()", "current_timestamp", "strftime("]
        .iter()
        .any(|word| lower.contains(word))
    {
        return Some(json!({"function": "now"}));
    }
    if lower.contains("gen_random_uuid") || lower.contains("random_uuid") {
        return Some(json!({"function": "uuid"}));
    }
    // `'text'::text` of Postgres'.
    let plain = sql.trim().split("::").next().unwrap_or(sql).trim();
    if let Some(text) = plain
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        return (!text.replace("''", "").contains('\''))
            .then(|| json!({"value": text.replace("''", "'")}));
    }
    match plain.to_lowercase().as_str() {
        "true" => Some(json!({"value": true})),
        "false" => Some(json!({"value": false})),
        number => {
            let number: serde_json::Number = number.parse().ok()?;
            Some(json!({"value": number}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_told_in_words_of_neither_engine() {
        for (sql, expected) in [
            ("now()", Some(json!({"function": "now"}))),
            ("'it''s'::text", Some(json!({"value": "it's"}))),
            ("0", Some(json!({"value": 0}))),
            ("false", Some(json!({"value": false}))),
            ("1.5", Some(json!({"value": 1.5}))),
            ("nextval('a'::regclass)", None),
            ("lower('A')", None),
        ] {
            assert_eq!(default(sql), expected, "{sql}");
        }
    }
}
