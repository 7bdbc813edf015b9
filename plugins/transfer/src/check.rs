//! Which objects the rows refer to, for `atlashub fsck`.

use crate::{STORE_NAME, due};
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
    subject: String,
    /// None while the bytes are still to come.
    size: Option<u64>,
}

impl From<Row> for Reference {
    fn from(row: Row) -> Self {
        match row.size {
            Some(size) => Self::to(row.object_key, row.subject).of_size(size),
            None => Self::to(row.object_key, row.subject).optional(),
        }
    }
}

/// All tables, as [`Row`] has them.
const ROWS: &str = "SELECT object_key, 'a part of the job ' || job_id AS subject, size FROM transfer.parts \
     UNION ALL SELECT result_key, 'the result of the job ' || id, result_size FROM transfer.jobs \
     WHERE result_key IS NOT NULL \
     UNION ALL SELECT object_key, 'the upload ' || id, size FROM transfer.uploads";

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
                    "SELECT object_key, subject, size FROM ({ROWS}) AS r WHERE object_key IN ({})",
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
                "SELECT object_key, subject, size FROM ({ROWS}) AS r WHERE object_key > $1 \
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

    /// What is lost of a result or of an upload nobody can make again here:
    /// it is forgotten, and asked for anew.
    fn mend(bucket: &str, lost: &[Lost]) -> Result<()> {
        for lost in lost.iter().filter(|_| bucket == STORE_NAME) {
            for statement in [
                "UPDATE transfer.jobs SET result_key = NULL WHERE result_key = $1",
                "DELETE FROM transfer.uploads WHERE object_key = $1",
            ] {
                sql::execute(statement, params![&lost.key])?;
            }
        }
        Ok(())
    }

    fn inspect(inspection: &Inspection) -> Result<FindingPage> {
        if inspection.repair {
            due::sweep()?;
        }
        Ok(FindingPage {
            findings: Vec::new(),
            next: None,
        })
    }
}
