//! Which objects the rows refer to, for `atlashub fsck`.

use crate::{STORE_NAME, objects};
use atlashub_sdk::{
    check::{FindingPage, Inspection, Lost, Records, Reference, ReferencePage},
    prelude::*,
};

/// Rows of a page.
const PAGE: u32 = 500;
/// How many keys one statement names.
const KEYS: usize = 100;

/// What this plugin says of its objects.
#[derive(Debug)]
pub struct Stored;

/// A row, whichever table it is of.
#[derive(Debug, Deserialize)]
struct Row {
    object_key: String,
    bucket: String,
    path: String,
    /// None while the bytes are still to come.
    size: Option<u64>,
}

impl From<Row> for Reference {
    fn from(row: Row) -> Self {
        let subject = format!("{}/{}", row.bucket, row.path);
        match row.size {
            Some(size) => Self::to(row.object_key, format!("the object {subject}")).of_size(size),
            None => Self::to(row.object_key, format!("the upload to {subject}")).optional(),
        }
    }
}

/// Both tables, as [`Row`] has them.
const ROWS: &str = "SELECT object_key, bucket, path, size FROM storage.objects \
     UNION ALL SELECT object_key, bucket, path, NULL FROM storage.uploads";

impl Records for Stored {
    fn known(bucket: &str, keys: &[String]) -> Result<Vec<Reference>> {
        let mut known = Vec::new();
        if bucket != STORE_NAME {
            return Ok(known);
        }
        for keys in keys.chunks(KEYS) {
            let places: Vec<String> = (1..=keys.len()).map(|place| format!("${place}")).collect();
            let rows: Vec<Row> = sql::query(
                &format!(
                    "SELECT object_key, bucket, path, size FROM ({ROWS}) AS r WHERE object_key IN ({})",
                    places.join(", ")
                ),
                keys.iter().map(|key| key.as_str().into()).collect(),
            )?;
            known.extend(rows.into_iter().map(Reference::from));
        }
        Ok(known)
    }

    fn references(bucket: &str, cursor: Option<&str>) -> Result<ReferencePage> {
        if bucket != STORE_NAME {
            return Ok(ReferencePage::default());
        }
        let rows: Vec<Row> = sql::query(
            &format!(
                "SELECT object_key, bucket, path, size FROM ({ROWS}) AS r WHERE object_key > $1 \
                 ORDER BY object_key LIMIT {PAGE}"
            ),
            params![cursor.unwrap_or_default()],
        )?;
        let full = rows.len() >= PAGE as usize;
        let next = rows
            .last()
            .filter(|_| full)
            .map(|row| row.object_key.clone());
        Ok(ReferencePage {
            references: rows.into_iter().map(Reference::from).collect(),
            next,
        })
    }

    /// Bytes that came by a link that was used twice are what there is.
    fn mend(bucket: &str, lost: &[Lost]) -> Result<()> {
        for lost in lost.iter().filter(|_| bucket == STORE_NAME) {
            if let Some(found) = lost.found {
                sql::execute(
                    "UPDATE storage.objects SET size = $2 WHERE object_key = $1",
                    params![&lost.key, found],
                )?;
            }
        }
        Ok(())
    }

    fn inspect(inspection: &Inspection) -> Result<FindingPage> {
        let findings = objects::left_behind(inspection.grace, inspection.repair)?;
        // What is mended is gone the next time; the rest would only come again.
        let more = inspection.repair && !findings.is_empty();
        let turn: u32 = inspection
            .cursor
            .as_deref()
            .and_then(|turn| turn.parse().ok())
            .unwrap_or(0);
        Ok(FindingPage {
            next: more.then(|| turn.saturating_add(1).to_string()),
            findings,
        })
    }
}
