//! SQLite: what clients write becomes a value of the kind that the column
//! holds, and JSON comes out as Postgres would write it.

use super::{Engine, Writer, column, literal, quoted, unfit};
use crate::{
    fault::{Fault, Result},
    model::{Cast, Field, Search, Step},
};
use atlashub_sdk::sql::Value;
use atlashub_tables::{cells, times};

pub(super) struct Sqlite;

/// Most names and values in one call; SQLite takes 127 arguments.
const MAX_PAIRS: usize = 60;

/// The field's path as SQLite writes it: `$."a"[1]`.
fn path(field: &Field<'_>) -> Result<String> {
    let mut path = "$".to_owned();
    for step in &field.path {
        match step {
            Step::Index(index) if *index < 0 => path.push_str(&format!("[#{index}]")),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) if key.contains('"') => {
                return Err(Fault::unsupported("a JSON key with a quote in it"));
            }
            Step::Key(key) => path.push_str(&format!(".\"{key}\"")),
        }
    }
    Ok(path)
}

/// Whether numbers are kept as text, which has another order.
fn is_number_as_text(field: &Field<'_>) -> bool {
    field.kind() == "numeric" && field.column.data_type.eq_ignore_ascii_case("text")
}

/// JSON as it is, anything else as a JSON text.
fn as_json(value: &str) -> String {
    format!("json(CASE WHEN json_valid({value}) THEN {value} ELSE json_quote({value}) END)")
}

impl Engine for Sqlite {
    fn shown(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String> {
        let value = column(alias, field.column);
        if !field.path.is_empty() {
            let place = sql.bind(path(field)?);
            return Ok(if field.as_text {
                text_at(&value, &place)
            } else {
                format!("json({value} -> {place})")
            });
        }
        Ok(match field.kind() {
            "boolean" => {
                format!("json(CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END)")
            }
            "json" | "array" => as_json(&value),
            "numeric" if is_number_as_text(field) => as_json(&value),
            "timestamp" => format!(
                "iif({value} GLOB '*T*.???Z', \
                 rtrim(rtrim(substr({value}, 1, length({value}) - 1), '0'), '.') || '+00:00', {value})"
            ),
            "bytes" => format!("iif({value} IS NULL, NULL, '\\x' || lower(hex({value})))"),
            _ => value,
        })
    }

    fn cast(&self, value: &str, kind: &str, cast: Cast) -> Result<String> {
        Ok(match (cast, kind) {
            // As they are shown, they are JSON.
            (Cast::Text, "boolean" | "json" | "array" | "numeric") => {
                format!("CAST({value} AS TEXT)")
            }
            (Cast::Integer, "boolean") => format!("({value} = 'true')"),
            (Cast::Boolean, "boolean") | (Cast::Json, "json") => value.to_owned(),
            (Cast::Text, _) => format!("CAST({value} AS TEXT)"),
            (Cast::Integer, "real" | "numeric") => format!("CAST(round({value}) AS INTEGER)"),
            (Cast::Integer, _) => format!("CAST({value} AS INTEGER)"),
            (Cast::Real | Cast::Numeric, _) => format!("CAST({value} AS REAL)"),
            (Cast::Json, _) => as_json(value),
            (Cast::Boolean, "text") => format!(
                "json(CASE WHEN lower({value}) IN ('true', 't', 'yes', 'on', '1') \
                 THEN 'true' ELSE 'false' END)"
            ),
            (Cast::Boolean, _) => {
                format!("json(CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END)")
            }
            (Cast::Date, _) => format!("substr({value}, 1, 10)"),
        })
    }

    fn operand(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String> {
        let value = column(alias, field.column);
        if !field.path.is_empty() {
            let place = sql.bind(path(field)?);
            return Ok(if field.as_text {
                text_at(&value, &place)
            } else {
                format!("({value} -> {place})")
            });
        }
        Ok(if is_number_as_text(field) {
            format!("CAST({value} AS REAL)")
        } else {
            value
        })
    }

    fn literal(&self, sql: &mut Writer, field: &Field<'_>, text: &str) -> Result<String> {
        let kind = field.kind();
        let value = match kind {
            "integer" | "real" | "numeric" => number(kind, text)?,
            "boolean" => {
                let truth = cells::truth(text).ok_or_else(|| unfit(kind, text))?;
                Value::Integer(truth.into())
            }
            "uuid" => Value::Text(text.to_ascii_lowercase()),
            "timestamp" => Value::Text(times::instant(text).ok_or_else(|| unfit(kind, text))?),
            "bytes" => Value::Blob(cells::bytes(text).ok_or_else(|| unfit(kind, text))?),
            "json" => {
                let json: serde_json::Value =
                    serde_json::from_str(text).map_err(|_| unfit(kind, text))?;
                Value::Text(json.to_string())
            }
            _ => Value::Text(text.to_owned()),
        };
        Ok(sql.bind(value))
    }

    fn object(&self, values: &[(String, String)], rest: &str) -> String {
        format!("json((SELECT {} {rest}))", object(values))
    }

    fn array(&self, values: &[(String, String)], rest: &str) -> String {
        format!(
            "json((SELECT '[' || coalesce(group_concat(j, ','), '') || ']' \
             FROM (SELECT {} AS j {rest})))",
            object(values)
        )
    }

    fn scalar(&self, value: &str, rest: &str) -> String {
        let read = format!("(SELECT {value} {rest})");
        // That it is JSON may be lost on the way out.
        if value.starts_with("json(") {
            format!("json({read})")
        } else {
            read
        }
    }

    fn page(&self, values: &[(String, String)], rest: &str, total: &str) -> String {
        format!(
            "SELECT '[' || coalesce(group_concat(j, ','), '') || ']', count(*){total} \
             FROM (SELECT {} AS j {rest})",
            object(values)
        )
    }

    fn source(&self, table: &str) -> String {
        quoted(table)
    }

    fn like(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        pattern: &str,
        fold: bool,
    ) -> Result<String> {
        let text = self.operand(sql, alias, field)?;
        if fold {
            let pattern = sql.bind(pattern);
            return Ok(format!("{text} LIKE {pattern} ESCAPE '\\'"));
        }
        // Unlike LIKE, GLOB tells capital letters from small ones.
        Ok(format!("{text} GLOB {}", sql.bind(glob(pattern))))
    }

    fn matches(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        pattern: &str,
        fold: bool,
    ) -> Result<String> {
        let text = self.operand(sql, alias, field)?;
        let function = if fold {
            "text_imatches"
        } else {
            "text_matches"
        };
        Ok(format!("{function}({text}, {})", sql.bind(pattern)))
    }

    fn words(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        search: &Search,
    ) -> Result<String> {
        if let Some(config) = search.config.as_deref().filter(|name| *name != "simple") {
            return Err(Fault::unsupported(format!(
                "the text search configuration \"{config}\" is not offered on SQLite, only \"simple\""
            )));
        }
        let text = self.operand(sql, alias, field)?;
        let words = sql.bind(&search.words);
        let form = literal(search.operator);
        Ok(format!("text_search({text}, {words}, {form})"))
    }

    fn contains(&self, _: &mut Writer, _: &str, _: &Field<'_>, _: &str, _: &str) -> Result<String> {
        Err(Fault::unsupported(
            "operators of arrays and ranges are not offered on SQLite",
        ))
    }
}

/// The end of a path as text, as Postgres writes it.
fn text_at(value: &str, place: &str) -> String {
    format!(
        "(CASE json_type({value}, {place}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' \
         ELSE CAST({value} ->> {place} AS TEXT) END)"
    )
}

/// The JSON of one row.
pub(super) fn object(values: &[(String, String)]) -> String {
    let mut chunks = values.chunks(MAX_PAIRS);
    let first = chunks.next().unwrap_or_default();
    let pairs: Vec<String> = first
        .iter()
        .map(|(name, value)| format!("{}, {value}", literal(name)))
        .collect();
    let mut text = format!("json_object({})", pairs.join(", "));
    for chunk in chunks {
        let pairs: Vec<String> = chunk
            .iter()
            .map(|(name, value)| format!("{}, {value}", literal(&format!("$.\"{name}\""))))
            .collect();
        text = format!("json_set({text}, {})", pairs.join(", "));
    }
    text
}

fn number(kind: &str, text: &str) -> Result<Value> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Value::Integer(number));
    }
    match text.parse::<f64>() {
        Ok(number) if kind != "integer" && number.is_finite() => Ok(Value::Real(number)),
        _ => Err(unfit(kind, text)),
    }
}

/// A pattern of `LIKE` as one of `GLOB`.
fn glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => glob.push('*'),
            '_' => glob.push('?'),
            '\\' => push_plain(&mut glob, chars.next().unwrap_or('\\')),
            c => push_plain(&mut glob, c),
        }
    }
    glob
}

fn push_plain(glob: &mut String, c: char) {
    if matches!(c, '*' | '?' | '[') {
        glob.push('[');
        glob.push(c);
        glob.push(']');
    } else {
        glob.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_keeps_its_meaning() {
        for (like, expected) in [
            ("a%b_", "a*b?"),
            ("50\\%", "50%"),
            ("*[x]?", "[*][[]x][?]"),
            ("\\", "\\"),
        ] {
            assert_eq!(glob(like), expected, "{like}");
        }
    }
}
