//! The forms of an answer: rows, one row, or CSV; and the range that it has.

use crate::{
    fault::{Fault, Result},
    model::{Item, Select},
    sql::Page,
};
use atlashub_sdk::prelude::*;
use serde_json::{Map, Value};

/// What the client wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Rows { stripped: bool },
    One { stripped: bool },
    Csv,
}

impl Form {
    /// By the header `Accept`; the first that is offered.
    ///
    /// # Errors
    /// 406 when none is.
    pub(super) fn of(request: &Request) -> Result<Self> {
        let Some(accept) = request
            .header("accept")
            .filter(|text| !text.trim().is_empty())
        else {
            return Ok(Self::Rows { stripped: false });
        };
        accept
            .split(',')
            .find_map(Self::named)
            .ok_or_else(|| Fault::not_acceptable(accept))
    }

    fn named(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let stripped = parts.any(|part| part.eq_ignore_ascii_case("nulls=stripped"));
        match essence.as_str() {
            "*/*" | "application/*" | "application/json" => Some(Self::Rows { stripped: false }),
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => {
                Some(Self::Rows { stripped })
            }
            "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => {
                Some(Self::One { stripped })
            }
            "text/csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// Writes a page of what `select` shows.
    ///
    /// # Errors
    /// 406 for one row where there is not exactly one.
    pub(super) fn write(
        self,
        status: StatusCode,
        page: Page,
        select: &Select<'_>,
    ) -> Result<Response> {
        let (content_type, body) = match self {
            Self::Rows { stripped } => {
                let json = if stripped {
                    strip(&page.json)?
                } else {
                    page.json
                };
                ("application/json; charset=utf-8", json)
            }
            Self::One { stripped } => {
                if page.rows != 1 {
                    return Err(Fault::not_single(page.rows));
                }
                let json = if stripped {
                    strip(&page.json)?
                } else {
                    page.json
                };
                let one = json.trim().trim_start_matches('[');
                let one = one.strip_suffix(']').unwrap_or(one).to_owned();
                ("application/vnd.pgrst.object+json; charset=utf-8", one)
            }
            Self::Csv => ("text/csv; charset=utf-8", csv(&page.json, select)?),
        };
        Ok(Response::new(status)
            .with_header("content-type", content_type)
            .with_body(body.into_bytes()))
    }
}

/// Leaves NULL out, at every depth.
fn strip(json: &str) -> Result<String> {
    fn within(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(within),
            Value::Object(fields) => {
                fields.retain(|_, value| !value.is_null());
                fields.values_mut().for_each(within);
            }
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(json)?;
    within(&mut value);
    Ok(value.to_string())
}

fn csv(json: &str, select: &Select<'_>) -> Result<String> {
    let rows: Vec<Map<String, Value>> = serde_json::from_str(json)?;
    let mut names = Vec::new();
    shown(select, &mut names);
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let failed = |error: csv::Error| Fault::internal(&error.to_string());
    writer.write_record(&names).map_err(failed)?;
    for row in &rows {
        let cells = names.iter().map(|name| match row.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        });
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Fault::internal(&error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| Fault::internal(&error.to_string()))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// The names under which values are shown, in order.
fn shown(select: &Select<'_>, names: &mut Vec<String>) {
    for item in &select.items {
        match item {
            Item::Value(value) => names.push(value.name.clone()),
            Item::Aggregate(value) => names.push(value.name.clone()),
            Item::Embed(embed) if embed.spread => shown(&embed.select, names),
            Item::Embed(embed) if embed.select.items.is_empty() => {}
            Item::Embed(embed) => names.push(embed.name.clone()),
        }
    }
}

/// `Content-Range`: which rows of how many.
pub(super) fn content_range(offset: u64, rows: u64, total: Option<u64>) -> String {
    let total = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    match rows.checked_sub(1) {
        Some(last) => format!("{offset}-{}/{total}", offset + last),
        None => format!("*/{total}"),
    }
}
