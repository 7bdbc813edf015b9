//! Bodies of rows: JSON, one or many, or CSV.

use crate::{
    fault::{Fault, Result},
    model::MAX_INSERTED,
    query,
    sql::Row,
};
use atlashub_sdk::prelude::*;
use serde_json::value::{RawValue, to_raw_value};

/// The rows of a body.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    /// They came as a list.
    pub(super) many: bool,
}

/// Reads the body.
///
/// # Errors
/// 400 for one that cannot be read, 415 for other forms, 413 for large ones.
pub(super) fn read(request: &mut Request) -> Result<Rows> {
    let essence = request.header("content-type").map(|value| {
        let (essence, _) = value.split_once(';').unwrap_or((value, ""));
        essence.trim().to_ascii_lowercase()
    });
    let bytes = query::body(request)?;
    let rows = match essence.as_deref() {
        None | Some("application/json" | "application/vnd.pgrst.object+json" | "text/plain") => {
            json(&bytes)?
        }
        Some("text/csv") => Rows {
            rows: csv(&bytes)?,
            many: true,
        },
        Some(other) => {
            return Err(Fault::media_type(format!(
                "Content-Type not acceptable: {other}"
            )));
        }
    };
    if rows.rows.len() > MAX_INSERTED {
        return Err(Fault::too_many(format!(
            "at most {MAX_INSERTED} rows are written at once"
        )));
    }
    Ok(rows)
}

fn json(bytes: &[u8]) -> Result<Rows> {
    let invalid = |_| Fault::body("Empty or invalid json");
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    Ok(if is_list {
        Rows {
            rows: serde_json::from_slice(bytes).map_err(invalid)?,
            many: true,
        }
    } else {
        Rows {
            rows: vec![serde_json::from_slice(bytes).map_err(invalid)?],
            many: false,
        }
    })
}

/// Every value is text, and `NULL` is none.
fn csv(bytes: &[u8]) -> Result<Vec<Row>> {
    let invalid = |error: csv::Error| Fault::body(format!("the CSV cannot be read: {error}"));
    let mut reader = csv::Reader::from_reader(bytes);
    let names = reader.headers().map_err(invalid)?.clone();
    reader
        .records()
        .take(MAX_INSERTED + 1)
        .map(|record| {
            let record = record.map_err(invalid)?;
            names
                .iter()
                .zip(&record)
                .map(|(name, text)| Ok((name.to_owned(), cell(text)?)))
                .collect()
        })
        .collect()
}

fn cell(text: &str) -> Result<Box<RawValue>> {
    Ok(match text {
        "NULL" => to_raw_value(&())?,
        text => to_raw_value(text)?,
    })
}
