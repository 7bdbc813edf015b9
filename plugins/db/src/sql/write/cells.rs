//! What clients write into a body, as SQLite keeps it.

use crate::{fault::Result, sql::unfit};
use atlashub_sdk::{database::Column, sql::Value};
use atlashub_tables::cells;
use serde_json::{Value as Json, value::RawValue};

/// The value as a member of a JSON list that SQLite reads: texts, numbers,
/// truth values and NULL. Bytes are hexadecimal text.
pub(super) fn member(column: &Column, raw: &RawValue) -> Result<Json> {
    let kind = column.kind.as_str();
    let value: Json = serde_json::from_str(raw.get())?;
    if value.is_null() {
        return Ok(Json::Null);
    }
    if kind == "json" || kind == "array" {
        return Ok(Json::String(value.to_string()));
    }
    let text = match &value {
        Json::String(text) => text.clone(),
        // As the client wrote it: a number may have more digits than ours.
        _ => raw.get().to_owned(),
    };
    let read = cells::member(column, &text)
        .or_else(|| (kind == "integer").then(|| whole(&value)).flatten());
    read.ok_or_else(|| unfit(kind, &text))
}

/// A number that has no fraction, though it was written with one.
fn whole(value: &Json) -> Option<Json> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
    format!("{number:.0}").parse::<i64>().ok().map(Json::from)
}

/// The value to be bound by itself.
pub(super) fn bound(column: &Column, raw: &RawValue) -> Result<Value> {
    Ok(match member(column, raw)? {
        Json::Bool(value) => Value::Integer(value.into()),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Real(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) if column.kind == "bytes" => {
            Value::Blob(cells::bytes(&format!("\\x{text}")).unwrap_or_default())
        }
        Json::String(text) => Value::Text(text),
        _ => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn read(kind: &str, data_type: &str, json: &str) -> Option<String> {
        let column = Column {
            kind: kind.to_owned(),
            data_type: data_type.to_owned(),
            ..Column::default()
        };
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        member(&column, &raw).ok().map(|value| value.to_string())
    }

    #[test]
    fn values_become_what_the_column_holds() {
        for (kind, data_type, json, expected) in [
            ("integer", "INTEGER", "\"12\"", Some("12")),
            ("integer", "INTEGER", "3.0", Some("3")),
            ("integer", "INTEGER", "3.5", None),
            (
                "integer",
                "INTEGER",
                "9223372036854775807",
                Some("9223372036854775807"),
            ),
            ("numeric", "TEXT", "10.50", Some("\"10.50\"")),
            ("boolean", "INTEGER", "\"off\"", Some("false")),
            ("boolean", "INTEGER", "2", None),
            ("json", "TEXT", "\"a\"", Some("\"\\\"a\\\"\"")),
            ("json", "TEXT", "null", Some("null")),
            ("bytes", "BLOB", "\"\\\\x00ff\"", Some("\"00ff\"")),
            ("bytes", "BLOB", "\"00ff\"", None),
            (
                "uuid",
                "TEXT",
                "\"A0EEBC999C0B4EF8BB6D6BB9BD380A11\"",
                Some("\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\""),
            ),
            ("uuid", "TEXT", "\"x\"", None),
            ("date", "TEXT", "\"2026-02-30\"", None),
            ("text", "TEXT", "{\"a\":1}", Some("\"{\\\"a\\\":1}\"")),
        ] {
            assert_eq!(
                read(kind, data_type, json).as_deref(),
                expected,
                "{kind} {json}"
            );
        }
    }
}
