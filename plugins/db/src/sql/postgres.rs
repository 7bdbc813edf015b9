//! Postgres: what clients write is bound as text, and the database reads it
//! as the column's type.

use super::{Engine, Writer, column, quoted};
use crate::{
    fault::Result,
    model::{Cast, Field, Search, Step},
};
use atlashub_sdk::database::Column;

pub(super) struct Postgres;

/// The column's type without a length or a precision, which a value to
/// compare with need not keep.
fn plain_type(column: &Column) -> String {
    let mut plain = String::with_capacity(column.data_type.len());
    let mut depth = 0_u32;
    let mut within_quotes = false;
    for c in column.data_type.chars() {
        match c {
            '"' => within_quotes = !within_quotes,
            '(' if !within_quotes => depth += 1,
            ')' if !within_quotes => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            plain.push(c);
        }
    }
    plain
}

impl Postgres {
    /// The field; with a path into it, as `jsonb` or as text.
    fn field(sql: &mut Writer, alias: &str, field: &Field<'_>) -> String {
        let mut text = column(alias, field.column);
        if field.path.is_empty() {
            return text;
        }
        if field.column.data_type != "jsonb" {
            text = format!("to_jsonb({text})");
        }
        for (at, step) in field.path.iter().enumerate() {
            let last = at + 1 == field.path.len();
            let arrow = if last && field.as_text { "->>" } else { "->" };
            let step = match step {
                Step::Index(index) => index.to_string(),
                Step::Key(key) => format!("CAST({} AS text)", sql.bind(key)),
            };
            text = format!("{text} {arrow} {step}");
        }
        format!("({text})")
    }

    /// The field as text, compared with a bound pattern.
    fn compare(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        operator: &str,
        pattern: &str,
    ) -> Result<String> {
        let text = self.text(sql, alias, field)?;
        let pattern = sql.bind(pattern);
        Ok(format!("{text} {operator} CAST({pattern} AS text)"))
    }

    /// The type that a value to compare with the field has.
    fn type_of(field: &Field<'_>) -> String {
        match field.kind() {
            "text" if field.column.data_type != "citext" => "text".to_owned(),
            "json" => "jsonb".to_owned(),
            _ => plain_type(field.column),
        }
    }

    /// A value that is text whatever it was.
    fn text(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String> {
        let operand = self.operand(sql, alias, field)?;
        Ok(if field.kind() == "text" {
            operand
        } else {
            format!("CAST({operand} AS text)")
        })
    }
}

impl Engine for Postgres {
    fn shown(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String> {
        Ok(Self::field(sql, alias, field))
    }

    fn cast(&self, value: &str, _kind: &str, cast: Cast) -> Result<String> {
        let name = match cast {
            Cast::Text => "text",
            Cast::Integer => "bigint",
            Cast::Real => "double precision",
            Cast::Numeric => "numeric",
            Cast::Boolean => "boolean",
            Cast::Json => "jsonb",
            Cast::Date => "date",
        };
        Ok(format!("CAST({value} AS {name})"))
    }

    fn operand(&self, sql: &mut Writer, alias: &str, field: &Field<'_>) -> Result<String> {
        let operand = Self::field(sql, alias, field);
        Ok(
            if field.path.is_empty() && field.column.data_type == "json" {
                // The type `json` cannot be compared.
                format!("CAST({operand} AS jsonb)")
            } else {
                operand
            },
        )
    }

    fn literal(&self, sql: &mut Writer, field: &Field<'_>, text: &str) -> Result<String> {
        let place = format!("CAST({} AS text)", sql.bind(text));
        let name = Self::type_of(field);
        Ok(if name == "text" {
            place
        } else {
            format!("CAST({place} AS {name})")
        })
    }

    fn object(&self, values: &[(String, String)], rest: &str) -> String {
        format!(
            "(SELECT row_to_json(r) FROM (SELECT {} {rest}) AS r)",
            list(values)
        )
    }

    fn array(&self, values: &[(String, String)], rest: &str) -> String {
        format!(
            "(SELECT coalesce(json_agg(r), '[]') FROM (SELECT {} {rest}) AS r)",
            list(values)
        )
    }

    fn scalar(&self, value: &str, rest: &str) -> String {
        format!("(SELECT {value} {rest})")
    }

    fn page(&self, values: &[(String, String)], rest: &str, total: &str) -> String {
        format!(
            "SELECT CAST(coalesce(json_agg(r), '[]') AS text), count(*){total} \
             FROM (SELECT {} {rest}) AS r",
            list(values)
        )
    }

    fn source(&self, table: &str) -> String {
        format!("public.{}", quoted(table))
    }

    fn like(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        pattern: &str,
        fold: bool,
    ) -> Result<String> {
        let operator = if fold { "ILIKE" } else { "LIKE" };
        self.compare(sql, alias, field, operator, pattern)
    }

    fn matches(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        pattern: &str,
        fold: bool,
    ) -> Result<String> {
        let operator = if fold { "~*" } else { "~" };
        self.compare(sql, alias, field, operator, pattern)
    }

    fn words(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        search: &Search,
    ) -> Result<String> {
        let operand = self.operand(sql, alias, field)?;
        let config = |sql: &mut Writer| match &search.config {
            Some(config) => {
                let config = sql.bind(config);
                format!("CAST(CAST({config} AS text) AS regconfig), ")
            }
            None => String::new(),
        };
        let read = if field.path.is_empty() && field.column.data_type == "tsvector" {
            operand
        } else {
            format!("to_tsvector({}{operand})", config(sql))
        };
        let config = config(sql);
        let words = sql.bind(&search.words);
        let function = search.function;
        Ok(format!(
            "{read} @@ {function}({config}CAST({words} AS text))"
        ))
    }

    fn contains(
        &self,
        sql: &mut Writer,
        alias: &str,
        field: &Field<'_>,
        operator: &str,
        value: &str,
    ) -> Result<String> {
        let operand = self.operand(sql, alias, field)?;
        let value = self.literal(sql, field, value)?;
        Ok(format!("{operand} {operator} {value}"))
    }
}

fn list(values: &[(String, String)]) -> String {
    if values.is_empty() {
        // A row of no columns is `{}`.
        return String::new();
    }
    let shown: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{value} AS {}", quoted(name)))
        .collect();
    shown.join(", ")
}
