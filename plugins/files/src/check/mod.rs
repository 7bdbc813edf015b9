//! What `atlashub fsck` is told: which objects the rows refer to, and whether
//! the rows agree with each other ([`inspect`]).
//!
//! Rows go before their objects (`files.doomed`), and objects come before
//! their rows. A file whose bytes are lost stays, and no new file shares them.

mod inspect;

use crate::{NAME, contents, uploads};
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
pub struct Drive;

impl Records for Drive {
    fn known(bucket: &str, keys: &[String]) -> Result<Vec<Reference>> {
        let mut known = Vec::new();
        if bucket == NAME {
            for keys in keys.chunks(KEYS) {
                known.extend(of_contents(keys)?);
                known.extend(of_thumbnails(keys)?);
                known.extend(of_uploads(keys)?);
                known.extend(of_doomed(keys)?);
            }
        }
        Ok(known)
    }

    fn references(bucket: &str, cursor: Option<&str>) -> Result<ReferencePage> {
        if bucket != NAME {
            return Ok(ReferencePage::default());
        }
        let (stage, after) = cursor
            .and_then(|cursor| cursor.split_once(' '))
            .unwrap_or(("contents", ""));
        match stage {
            "contents" => page("contents", "object_key", after, "thumbnails", of_contents),
            "thumbnails" => page(
                "thumbnails",
                "thumbnail_key",
                after,
                "uploads",
                of_thumbnails,
            ),
            _ => uploads_page(after),
        }
    }

    fn mend(bucket: &str, lost: &[Lost]) -> Result<()> {
        if bucket != NAME {
            return Ok(());
        }
        for Lost { key, .. } in lost {
            // It is made anew when it is next asked for.
            sql::transaction(|transaction| {
                let gone = transaction.execute(
                    "DELETE FROM files.thumbnails WHERE thumbnail_key = $1",
                    params![key],
                )?;
                if gone > 0 {
                    contents::doom(transaction, key)?;
                }
                Ok(())
            })?;
            // Whoever sends the same bytes again shall have them.
            sql::execute(
                "UPDATE files.contents SET canonical = 0 WHERE object_key = $1",
                params![key],
            )?;
            // What an upload has lost it cannot be finished with.
            let id = uploads::of_key(key);
            if let Some(upload) = uploads::open(id)?.filter(|upload| upload.needs(key)) {
                uploads::end(&upload)?;
            }
        }
        Ok(())
    }

    fn inspect(inspection: &Inspection) -> Result<FindingPage> {
        inspect::page(inspection)
    }
}

/// A page of a table's keys, as `describe` has them; then comes the table
/// `following`.
fn page(
    table: &str,
    column: &str,
    after: &str,
    following: &str,
    describe: fn(&[String]) -> Result<Vec<Reference>>,
) -> Result<ReferencePage> {
    let keys: Vec<String> = sql::query(
        &format!(
            "SELECT {column} FROM files.{table} WHERE {column} > $1 ORDER BY {column} LIMIT {PAGE}"
        ),
        params![after],
    )?;
    let mut references = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS) {
        references.extend(describe(keys)?);
    }
    let next = match keys.last() {
        Some(last) => format!("{table} {last}"),
        None => format!("{following} "),
    };
    Ok(ReferencePage {
        references,
        next: Some(next),
    })
}

fn uploads_page(after: &str) -> Result<ReferencePage> {
    let open = uploads::all_open(after)?;
    let next = open.last().map(|upload| format!("uploads {}", upload.id));
    let parts = |upload: &uploads::Upload| {
        let subject = format!("the upload {}", upload.id);
        let parts = upload.parts().iter();
        parts
            .map(|part| Reference::to(part, &subject))
            .collect::<Vec<_>>()
    };
    Ok(ReferencePage {
        references: open.iter().flat_map(parts).collect(),
        next,
    })
}

/// `$1, $2, …`, one for each key.
fn places(keys: &[String]) -> String {
    let places: Vec<String> = (1..=keys.len()).map(|place| format!("${place}")).collect();
    places.join(", ")
}

fn parameters(keys: &[String]) -> Vec<sql::Value> {
    keys.iter().map(|key| key.as_str().into()).collect()
}

fn of_contents(keys: &[String]) -> Result<Vec<Reference>> {
    #[derive(Deserialize)]
    struct Row {
        object_key: String,
        size: u64,
        file_id: Option<String>,
        path: Option<String>,
        former_id: Option<String>,
        former: Option<u64>,
    }
    let rows: Vec<Row> = sql::query(
        &format!(
            "SELECT c.object_key AS object_key, c.size AS size, o.id AS file_id, o.path AS path, \
             v.file_id AS former_id, v.version AS former FROM files.contents AS c \
             LEFT JOIN files.objects AS o ON o.id = \
             (SELECT MIN(id) FROM files.objects WHERE object_key = c.object_key) \
             LEFT JOIN files.versions AS v ON v.object_key = c.object_key AND o.id IS NULL \
             AND v.version = (SELECT MAX(version) FROM files.versions WHERE object_key = c.object_key) \
             WHERE c.object_key IN ({})",
            places(keys)
        ),
        parameters(keys),
    )?;
    let reference = |row: Row| {
        let subject = match (row.file_id, row.path, row.former_id, row.former) {
            (Some(id), Some(path), ..) => format!("the file {path} ({id})"),
            (_, _, Some(id), Some(version)) => format!("version {version} of the file {id}"),
            _ => "bytes that no file has".to_owned(),
        };
        Reference::to(row.object_key, subject).of_size(row.size)
    };
    Ok(rows.into_iter().map(reference).collect())
}

fn of_thumbnails(keys: &[String]) -> Result<Vec<Reference>> {
    #[derive(Deserialize)]
    struct Row {
        thumbnail_key: String,
        bytes: u64,
        object_key: String,
    }
    let rows: Vec<Row> = sql::query(
        &format!(
            "SELECT thumbnail_key, bytes, object_key FROM files.thumbnails WHERE thumbnail_key IN ({})",
            places(keys)
        ),
        parameters(keys),
    )?;
    let reference = |row: Row| {
        let subject = format!("a thumbnail of the object {}", row.object_key);
        Reference::to(row.thumbnail_key, subject).of_size(row.bytes)
    };
    Ok(rows.into_iter().map(reference).collect())
}

/// Everything under an open upload is its own, counted or not yet.
fn of_uploads(keys: &[String]) -> Result<Vec<Reference>> {
    let mut known = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with("tus/")) {
        let Some(upload) = uploads::open(uploads::of_key(key))? else {
            continue;
        };
        let reference = Reference::to(key, format!("the upload {}", upload.id));
        known.push(match upload.needs(key) {
            true => reference,
            false => reference.optional(),
        });
    }
    Ok(known)
}

fn of_doomed(keys: &[String]) -> Result<Vec<Reference>> {
    let doomed: Vec<String> = sql::query(
        &format!(
            "SELECT object_key FROM files.doomed WHERE object_key IN ({})",
            places(keys)
        ),
        parameters(keys),
    )?;
    let reference = |key| Reference::to(key, "what is to be deleted").optional();
    Ok(doomed.into_iter().map(reference).collect())
}
