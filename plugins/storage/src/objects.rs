//! Objects, and how an announced upload becomes one.

use crate::{STORE, access, buckets::Bucket, path, settings::Settings};
use atlashub_sdk::{check::Finding, prelude::*};
use std::{collections::BTreeMap, time::Duration};

/// Announced uploads that one request looks after.
const AT_ONCE: u32 = 20;
/// How long after its link has expired an upload may still be under way.
pub(crate) const GRACE: Duration = Duration::from_hours(1);

/// A row of `storage.objects`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) path: String,
    pub(crate) object_key: String,
    pub(crate) owner: String,
    pub(crate) content_type: String,
    pub(crate) size: u64,
    pub(crate) created_at: i64,
}

/// Columns of [`Record`].
pub(crate) const COLUMNS: &str = "path, object_key, owner, content_type, size, created_at";

/// A row of `storage.uploads`.
#[derive(Debug, Deserialize)]
struct Upload {
    object_key: String,
    bucket: String,
    path: String,
    owner: String,
    replaces: bool,
    content_type: String,
}

impl Record {
    /// The object at that path.
    pub(crate) fn find(bucket: &str, path: &str) -> Result<Option<Self>> {
        sql::query_optional(
            &format!("SELECT {COLUMNS} FROM storage.objects WHERE bucket = $1 AND path = $2"),
            params![bucket, path],
        )
    }
}

/// Looks after uploads to paths that begin so: those whose bytes have arrived
/// become objects.
pub(crate) fn settle_some(bucket: &Bucket, prefix: &str, settings: &Settings) -> Result<()> {
    let some = uploads(
        "bucket = $1 AND path >= $2 AND substr(path, 1, CAST($3 AS INTEGER)) = $2",
        params![&bucket.name, prefix, prefix.chars().count()],
    )?;
    some.into_iter()
        .try_for_each(|upload| settle(upload, bucket, settings).map(drop))
}

/// Looks after the uploads to exactly that path.
///
/// # Errors
/// `type_not_allowed` when bytes of the caller's came and were refused; whoever
/// sees everything hears it of everybody's.
pub(crate) fn settle_path(
    bucket: &Bucket,
    path: &str,
    caller: &Caller,
    settings: &Settings,
) -> Result<()> {
    let mut refusal = None;
    for upload in uploads("bucket = $1 AND path = $2", params![&bucket.name, path])? {
        let owner = upload.owner.clone();
        let is_own = owner != access::NOBODY && caller.id.as_ref() == Some(&owner);
        if let Settled::Refused(error) = settle(upload, bucket, settings)?
            && (is_own || caller.is_trusted())
        {
            refusal = Some(error);
        }
    }
    refusal.map_or(Ok(()), Err)
}

/// The oldest announced uploads for which the condition holds.
fn uploads(which: &str, parameters: Vec<sql::Value>) -> Result<Vec<Upload>> {
    sql::query(
        &format!(
            "SELECT object_key, bucket, path, owner, replaces, content_type FROM storage.uploads \
             WHERE {which} ORDER BY expires_at LIMIT {AT_ONCE}"
        ),
        parameters,
    )
}

/// Looks after uploads whose time is over: what has arrived becomes an
/// object, the rest is forgotten. How many were looked after.
pub(crate) fn drop_overdue(settings: &Settings) -> Result<usize> {
    let some = overdue(Duration::ZERO)?;
    let count = some.len();
    for upload in some {
        drop_one(upload, settings)?;
    }
    Ok(count)
}

/// When the next upload is overdue, milliseconds since 1970.
pub(crate) fn next_overdue() -> Result<Option<i64>> {
    let expires: Option<Option<i64>> =
        sql::query_optional("SELECT MIN(expires_at) FROM storage.uploads", params![])?;
    let grace = i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX);
    Ok(expires.flatten().map(|at| at.saturating_add(grace)))
}

/// Some of the uploads whose time has been over for so long, and longer.
fn overdue(since: Duration) -> Result<Vec<Upload>> {
    let late = i64::try_from((GRACE + since).as_millis()).unwrap_or(i64::MAX);
    uploads(
        "expires_at < $1",
        params![moment::now_ms().saturating_sub(late)],
    )
}

/// Looks after an upload whose time is over; whether it became an object.
fn drop_one(upload: Upload, settings: &Settings) -> Result<bool> {
    let key = upload.object_key.clone();
    let bucket = Bucket::require(&upload.bucket)?;
    let settled = settle(upload, &bucket, settings)?;
    if let Settled::Waits = settled {
        sql::execute(
            "DELETE FROM storage.uploads WHERE object_key = $1",
            params![&key],
        )?;
        // Its bytes may have come between the two looks.
        forget(&key);
    }
    Ok(matches!(settled, Settled::Done))
}

/// Uploads that were announced, whose time has been over for so long, and
/// that nobody has looked after since; looks after them with `repair`.
pub(crate) fn left_behind(since: Duration, repair: bool) -> Result<Vec<Finding>> {
    let settings: Settings = config::load()?;
    let mut findings = Vec::new();
    for upload in overdue(since)? {
        let subject = format!("the upload to {}/{}", upload.bucket, upload.path);
        let message = "its link is no longer good, and nobody has asked for it since";
        if repair {
            drop_one(upload, &settings)?;
        }
        findings.push(Finding::new("upload_overdue", subject, message).mended(repair));
    }
    Ok(findings)
}

/// Forgets an upload that got no link.
pub(crate) fn unannounce(key: &str) {
    let gone = sql::execute(
        "DELETE FROM storage.uploads WHERE object_key = $1",
        params![key],
    );
    if let Err(error) = gone {
        log::error!("forget the upload {key}: {error}");
    }
}

/// What became of an upload.
enum Settled {
    /// Its bytes are not there.
    Waits,
    /// Another request is about it.
    Busy,
    /// It is an object, or another one was faster.
    Done,
    /// It is gone, for what its bytes are.
    Refused(Error),
}

/// Whether the bytes that came may stay, by the first of them.
fn check(upload: &Upload, size: u64, bucket: &Bucket, settings: &Settings) -> Result<Result<()>> {
    let most = size.min(atlashub_file_types::HEAD as u64);
    let head = match most {
        0 => Vec::new(),
        most => STORE
            .read(&upload.object_key, Some(0..most))?
            .bytes(atlashub_file_types::HEAD)?,
    };
    let claimed = &upload.content_type;
    let told = atlashub_file_types::told(&head, path::name(&upload.path), claimed);
    Ok(settings
        .check_type(claimed)
        .and_then(|()| settings.check_type(&told))
        .and_then(|()| bucket.check_told(&told, claimed)))
}

/// Makes an object of an upload if its bytes are there and may be.
fn settle(upload: Upload, bucket: &Bucket, settings: &Settings) -> Result<Settled> {
    let verdict = match STORE.settle(&upload.object_key, false) {
        Ok(came) => check(&upload, came.size, bucket, settings)?.map(|()| came.size),
        Err(error) => match error.code() {
            "object_not_found" => return Ok(Settled::Waits),
            "upload_busy" => return Ok(Settled::Busy),
            // The store let more in than was signed.
            "object_too_large" => Err(error),
            _ => return Err(error),
        },
    };
    let size = match verdict {
        Ok(size) => size,
        Err(refusal) => return refuse(&upload, bucket, refusal),
    };
    let useless = sql::transaction(|transaction| {
        let mine = transaction.execute(
            "DELETE FROM storage.uploads WHERE object_key = $1",
            params![&upload.object_key],
        )?;
        if mine == 0 {
            // Another request was faster.
            return Ok(None);
        }
        // Whoever may not replace another's object does not do so either
        // when that came between the link and the bytes.
        let replaced: Option<(Option<String>,)> = transaction.query_optional(
            "INSERT INTO storage.objects (bucket, path, object_key, owner, content_type, size, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (bucket, path) DO UPDATE SET replaced_key = objects.object_key, \
             object_key = excluded.object_key, owner = excluded.owner, content_type = excluded.content_type, \
             size = excluded.size, created_at = excluded.created_at \
             WHERE $8 OR (objects.owner = excluded.owner AND objects.owner <> '') \
             RETURNING replaced_key",
            params![
                &upload.bucket,
                &upload.path,
                &upload.object_key,
                &upload.owner,
                &upload.content_type,
                size,
                moment::now_ms(),
                upload.replaces
            ],
        )?;
        Ok(match replaced {
            Some((replaced,)) => replaced,
            None => Some(upload.object_key.clone()),
        })
    })?;
    if let Some(key) = useless {
        forget(&key);
    }
    Ok(Settled::Done)
}

/// Takes away what may not stay.
fn refuse(upload: &Upload, bucket: &Bucket, refusal: Error) -> Result<Settled> {
    sql::execute(
        "DELETE FROM storage.uploads WHERE object_key = $1",
        params![&upload.object_key],
    )?;
    forget(&upload.object_key);
    note("object.refuse", &format!("{}/{}", bucket.name, upload.path));
    Ok(Settled::Refused(refusal))
}

/// What is to be deleted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Which {
    bucket: String,
    object_key: String,
}

pub(crate) fn delete(
    Query(which): Query<Which>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<StatusCode> {
    let bucket = Bucket::require(&which.bucket)?;
    let path = path::check(&which.object_key)?;
    // What was refused is gone already; what lies there is to go.
    settle_path(&bucket, path, &Caller::default(), &settings)?;
    let record =
        Record::find(&bucket.name, path)?.ok_or_else(|| access::missing(&caller, &bucket))?;
    access::check_deletable(&caller, &record.owner)?;
    let gone = sql::execute(
        "DELETE FROM storage.objects WHERE bucket = $1 AND path = $2 AND object_key = $3",
        params![&bucket.name, path, &record.object_key],
    )?;
    if gone == 0 {
        return Err(Error::conflict(
            "object_changed",
            "the object was replaced or deleted meanwhile, look at it again",
        ));
    }
    forget(&record.object_key);
    note("object.delete", &format!("{}/{path}", bucket.name));
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes bytes that no row refers to. Should that fail they are lost space,
/// not a lost object, and the caller's request has been done.
fn forget(key: &str) {
    if let Err(error) = STORE.delete(key) {
        log::error!("delete the object {key}: {error}");
    }
}

/// Notes in the audit what was done. It has been done: a failure is for the
/// log.
pub(crate) fn note(action: &str, target: &str) {
    let nothing_more = BTreeMap::<&str, &str>::new();
    if let Err(error) = audit::append(action, Some(target), &nothing_more) {
        log::warn!("{action} of {target} is not in the audit: {error}");
    }
}
