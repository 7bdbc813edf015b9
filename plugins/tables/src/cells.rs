//! A value that was written as text, as SQLite keeps it in a column of some
//! kind.

use crate::times;
use atlashub_sdk::database::Column;
use serde_json::Value as Json;

/// The value as a member of a JSON list that SQLite reads: texts, numbers,
/// truth values. Bytes are hexadecimal text. None for what the column cannot
/// hold.
#[must_use]
pub fn member(column: &Column, text: &str) -> Option<Json> {
    match column.kind.as_str() {
        "boolean" => truth(text).map(Json::Bool),
        "integer" => text.trim().parse::<i64>().ok().map(Json::from),
        "numeric" if column.data_type.eq_ignore_ascii_case("text") => text
            .trim()
            .parse::<f64>()
            .ok()
            .map(|_| Json::String(text.trim().to_owned())),
        "real" | "numeric" => text.trim().parse::<f64>().ok().map(Json::from),
        "timestamp" => times::instant(text).map(Json::String),
        "date" => times::instant(text).and_then(|at| at.get(..10).map(Json::from)),
        "uuid" => uuid(text).map(Json::String),
        "bytes" => bytes(text).and_then(|_| text.get(2..).map(Json::from)),
        _ => Some(Json::String(text.to_owned())),
    }
}

/// What Postgres takes for a truth value.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `\x` and hexadecimal digits.
#[must_use]
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?;
    if digits.len() % 2 != 0 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// A UUID in the form that SQLite's tables keep.
#[must_use]
pub fn uuid(text: &str) -> Option<String> {
    let digits: String = text
        .trim()
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to);
    Some(format!(
        "{}-{}-{}-{}-{}",
        part(0, 8)?,
        part(8, 12)?,
        part(12, 16)?,
        part(16, 20)?,
        part(20, 32)?
    ))
}

/// What Postgres says of a text that a column of that kind cannot hold.
#[must_use]
pub fn unfit(kind: &str, text: &str) -> String {
    let name = match kind {
        "integer" => "bigint",
        "real" => "double precision",
        "bytes" => "bytea",
        other => other,
    };
    let shown: String = text.chars().take(100).collect();
    format!("invalid input syntax for type {name}: \"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        assert_eq!(bytes("\\x00fF"), Some(vec![0, 255]));
        for bad in ["00", "\\x0", "\\xzz", "\\x+1"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }
}
