//! Whether the rows agree with each other: accounts with files, contents with
//! those who have them, files with their folders, uploads with their parts.
//!
//! Each question is one statement, which sees the tables as they are at one
//! moment; what it finds is looked at again under its lock before it is
//! mended. One question is asked in a call.

use crate::{
    BUCKET,
    account::{self, Change},
    contents,
    uploads::{self, Upload},
};
use atlashub_sdk::{
    check::{Finding, FindingPage, Inspection},
    prelude::*,
    sql::Transaction,
};

/// Rows that one question names at most.
const MOST: u32 = 1_000;

/// Something that is looked at, and what was found wrong with it.
type Question = fn(&Inspection) -> Result<Vec<Finding>>;

/// The questions, in the order in which they are asked.
const QUESTIONS: &[Question] = &[accounts, references, thumbnails, files, folders];

pub(super) fn page(inspection: &Inspection) -> Result<FindingPage> {
    let (stage, after) = inspection
        .cursor
        .as_deref()
        .and_then(|cursor| cursor.split_once(' '))
        .unwrap_or(("0", ""));
    let stage: usize = stage.parse().unwrap_or_default();
    match QUESTIONS.get(stage) {
        Some(question) => Ok(FindingPage {
            findings: question(inspection)?,
            next: Some(format!("{} ", stage + 1)),
        }),
        None => {
            let open = uploads::all_open(after)?;
            let next = open.last().map(|upload| format!("{stage} {}", upload.id));
            let mut findings = Vec::new();
            for upload in open {
                findings.extend(received(&upload, inspection)?);
            }
            Ok(FindingPage { findings, next })
        }
    }
}

/// What an owner's rows add up to.
const SUMS: &str = "SELECT owner, CAST(SUM(bytes) AS BIGINT) AS bytes, \
     CAST(SUM(entries) AS BIGINT) AS entries FROM ( \
     SELECT owner, size AS bytes, 1 AS entries FROM files.objects \
     UNION ALL SELECT owner, size, 0 FROM files.versions \
     UNION ALL SELECT owner, 0, 1 FROM files.folders \
     UNION ALL SELECT owner, length, 1 FROM files.uploads WHERE file_id IS NULL \
     ) AS rows_of_owners GROUP BY owner";

#[derive(Debug, Deserialize)]
struct Differs {
    owner: String,
    used_bytes: i64,
    entries: i64,
    real_bytes: i64,
    real_entries: i64,
}

/// Accounts that do not say what their owners' rows add up to. One that does
/// not say so only where `which` holds.
fn differing(which: &str) -> String {
    format!(
        "SELECT a.owner AS owner, a.used_bytes AS used_bytes, a.entries AS entries, \
         COALESCE(s.bytes, 0) AS real_bytes, COALESCE(s.entries, 0) AS real_entries \
         FROM files.accounts AS a LEFT JOIN ({SUMS}) AS s ON s.owner = a.owner \
         WHERE (a.used_bytes <> COALESCE(s.bytes, 0) OR a.entries <> COALESCE(s.entries, 0)) {which}"
    )
}

fn accounts(inspection: &Inspection) -> Result<Vec<Finding>> {
    let differing_now: Vec<Differs> =
        sql::query(&format!("{} LIMIT {MOST}", differing("")), params![])?;
    let mut findings = Vec::new();
    for wrong in differing_now {
        let mended = inspection.repair && sql::transaction(|it| correct(it, &wrong.owner))?;
        findings.push(
            Finding::new(
                "account_differs",
                format!("the storage of {}", wrong.owner),
                format!(
                    "the account says {} bytes and {} entries, the rows add up to {} and {}",
                    wrong.used_bytes, wrong.entries, wrong.real_bytes, wrong.real_entries
                ),
            )
            .mended(mended),
        );
    }
    Ok(findings)
}

/// Sets an account right under its lock.
fn correct(transaction: &Transaction, owner: &str) -> Result<bool> {
    account::lock(transaction, owner)?;
    let wrong: Option<Differs> =
        transaction.query_optional(&differing("AND a.owner = $1"), params![owner])?;
    if let Some(wrong) = wrong {
        let change = Change {
            bytes: wrong.real_bytes - wrong.used_bytes,
            entries: wrong.real_entries - wrong.entries,
        };
        account::shrink(transaction, owner, change)?;
    }
    Ok(true)
}

/// How many files and versions have each object's bytes.
const HOLDERS: &str = "SELECT object_key, COUNT(*) AS holders, MIN(sha256) AS sha256, \
     MIN(size) AS size FROM ( \
     SELECT object_key, sha256, size FROM files.objects \
     UNION ALL SELECT object_key, sha256, size FROM files.versions \
     ) AS rows_with_bytes GROUP BY object_key";

#[derive(Debug, Deserialize)]
struct Miscounted {
    object_key: String,
    refs: Option<i64>,
    holders: i64,
    sha256: Option<String>,
    size: Option<i64>,
}

fn miscounted(which: &str) -> String {
    format!(
        "SELECT c.object_key AS object_key, c.refs AS refs, COALESCE(h.holders, 0) AS holders, \
         h.sha256 AS sha256, h.size AS size \
         FROM files.contents AS c LEFT JOIN ({HOLDERS}) AS h ON h.object_key = c.object_key \
         WHERE c.refs <> COALESCE(h.holders, 0) {which} \
         UNION ALL SELECT h.object_key, NULL, h.holders, h.sha256, h.size FROM ({HOLDERS}) AS h \
         LEFT JOIN files.contents AS c ON c.object_key = h.object_key \
         WHERE c.object_key IS NULL {}",
        which.replace("c.object_key", "h.object_key")
    )
}

fn references(inspection: &Inspection) -> Result<Vec<Finding>> {
    let wrong: Vec<Miscounted> =
        sql::query(&format!("{} LIMIT {MOST}", miscounted("")), params![])?;
    let mut findings = Vec::new();
    for wrong in wrong {
        let mended = inspection.repair && sql::transaction(|it| recount(it, &wrong.object_key))?;
        let message = match wrong.refs {
            Some(refs) => format!(
                "{refs} files and versions are said to have it, {} have",
                wrong.holders
            ),
            None => "files have bytes that nobody counts".to_owned(),
        };
        let subject = format!("the object {}", wrong.object_key);
        findings.push(Finding::new("contents_differ", subject, message).mended(mended));
    }
    Ok(findings)
}

/// Counts again who has an object's bytes, under their lock.
fn recount(transaction: &Transaction, object_key: &str) -> Result<bool> {
    transaction.execute(
        "UPDATE files.contents SET refs = refs WHERE object_key = $1",
        params![object_key],
    )?;
    let wrong: Option<Miscounted> =
        transaction.query_optional(&miscounted("AND c.object_key = $1"), params![object_key])?;
    match wrong {
        None => {}
        Some(Miscounted {
            refs: None,
            holders,
            sha256: Some(sha256),
            size,
            ..
        }) => {
            transaction.execute(
                "INSERT INTO files.contents (object_key, sha256, size, refs, canonical) \
                 VALUES ($1, $2, $3, $4, 0) ON CONFLICT (object_key) DO NOTHING",
                params![object_key, sha256, size.unwrap_or_default(), holders],
            )?;
            // It was to be deleted, perhaps.
            transaction.execute(
                "DELETE FROM files.doomed WHERE object_key = $1",
                params![object_key],
            )?;
        }
        Some(Miscounted { holders: 0, .. }) => {
            transaction.execute(
                "DELETE FROM files.contents WHERE object_key = $1",
                params![object_key],
            )?;
            contents::doom(transaction, object_key)?;
        }
        Some(wrong) => {
            transaction.execute(
                "UPDATE files.contents SET refs = $2 WHERE object_key = $1",
                params![object_key, wrong.holders],
            )?;
        }
    }
    Ok(true)
}

/// Thumbnails of bytes that are gone.
fn thumbnails(inspection: &Inspection) -> Result<Vec<Finding>> {
    let left: Vec<String> = sql::query(
        &format!(
            "SELECT thumbnail_key FROM files.thumbnails AS t WHERE NOT EXISTS \
             (SELECT 1 FROM files.contents WHERE object_key = t.object_key) LIMIT {MOST}"
        ),
        params![],
    )?;
    let mut findings = Vec::new();
    for key in left {
        if inspection.repair {
            sql::transaction(|transaction| {
                transaction.execute(
                    "DELETE FROM files.thumbnails WHERE thumbnail_key = $1",
                    params![&key],
                )?;
                contents::doom(transaction, &key)
            })?;
        }
        let subject = format!("the thumbnail {key}");
        let message = "it shows bytes that are gone";
        findings.push(Finding::new("thumbnail_left", subject, message).mended(inspection.repair));
    }
    Ok(findings)
}

/// Files that do not lie where their folder is.
fn files(_: &Inspection) -> Result<Vec<Finding>> {
    misplaced(
        "the file",
        "SELECT o.id AS id, o.path AS path FROM files.objects AS o \
         LEFT JOIN files.folders AS f ON f.id = o.folder_id \
         WHERE o.deleted_at IS NULL AND o.folder_id IS NOT NULL \
         AND (f.id IS NULL OR f.deleted_at IS NOT NULL OR f.owner <> o.owner \
         OR o.path <> f.path || '/' || o.filename)",
    )
}

/// Folders that do not lie where the one above is.
fn folders(_: &Inspection) -> Result<Vec<Finding>> {
    misplaced(
        "the folder",
        "SELECT f.id AS id, f.path AS path FROM files.folders AS f \
         LEFT JOIN files.folders AS p ON p.id = f.parent_id \
         WHERE f.deleted_at IS NULL AND ((f.parent_id IS NULL AND (f.path <> f.name OR f.depth <> 1)) \
         OR (f.parent_id IS NOT NULL AND (p.id IS NULL OR p.deleted_at IS NOT NULL OR p.owner <> f.owner \
         OR f.path <> p.path || '/' || f.name OR f.depth <> p.depth + 1)))",
    )
}

fn misplaced(what: &str, question: &str) -> Result<Vec<Finding>> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        path: String,
    }
    let rows: Vec<Row> = sql::query(&format!("{question} LIMIT {MOST}"), params![])?;
    let finding = |Row { id, path }: Row| {
        Finding::new(
            "misplaced",
            format!("{what} {path} ({id})"),
            "it does not lie in the folder that its path says; move it to mend it",
        )
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Whether an upload has received what its parts have.
fn received(upload: &Upload, inspection: &Inspection) -> Result<Option<Finding>> {
    let grace = i64::try_from(inspection.grace.as_millis()).unwrap_or(i64::MAX);
    if upload.last_touched() > moment::now_ms().saturating_sub(grace) {
        return Ok(None);
    }
    let mut bytes = 0_u64;
    for part in upload.parts() {
        match BUCKET.stat(part) {
            Ok(part) => bytes = bytes.saturating_add(part.size),
            // Said by the host, which looks for every part.
            Err(error) if error.code() == "object_not_found" => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    if bytes == upload.received {
        return Ok(None);
    }
    // It may have gone on meanwhile.
    let same = uploads::open(&upload.id)?.is_some_and(|now| now.received == upload.received);
    if !same {
        return Ok(None);
    }
    if inspection.repair {
        uploads::end(upload)?;
    }
    let message = format!(
        "{} bytes are said to have come, its parts have {bytes}",
        upload.received
    );
    let subject = format!("the upload {}", upload.id);
    Ok(Some(
        Finding::new("upload_differs", subject, message).mended(inspection.repair),
    ))
}
