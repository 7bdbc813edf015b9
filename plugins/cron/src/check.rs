//! Which objects the rows refer to, for `atlashub fsck`: logs.

use crate::STORE_NAME;
use atlashub_sdk::{
    check::{Records, Reference, ReferencePage},
    prelude::*,
};

/// Rows of a page.
const PAGE: u32 = 500;

/// What this plugin says of its objects.
#[derive(Debug)]
pub struct Logs;

fn reference((key, run): (String, String)) -> Reference {
    Reference::to(key, format!("the log of the run {run}"))
}

impl Records for Logs {
    fn known(bucket: &str, keys: &[String]) -> Result<Vec<Reference>> {
        if bucket != STORE_NAME {
            return Ok(Vec::new());
        }
        let rows: Vec<(String, String)> = sql::query(
            &format!(
                "SELECT log_object_key, id FROM cron.runs WHERE log_object_key IN ({})",
                sql::texts_in(1)
            ),
            params![sql::Value::json(&keys)?],
        )?;
        Ok(rows.into_iter().map(reference).collect())
    }

    fn references(bucket: &str, cursor: Option<&str>) -> Result<ReferencePage> {
        if bucket != STORE_NAME {
            return Ok(ReferencePage::default());
        }
        let rows: Vec<(String, String)> = sql::query(
            &format!(
                "SELECT log_object_key, id FROM cron.runs WHERE log_object_key > $1 \
                 ORDER BY log_object_key LIMIT {PAGE}"
            ),
            params![cursor.unwrap_or_default()],
        )?;
        let full = rows.len() >= PAGE as usize;
        let next = rows.last().filter(|_| full).map(|(key, _)| key.clone());
        Ok(ReferencePage {
            references: rows.into_iter().map(reference).collect(),
            next,
        })
    }
}
