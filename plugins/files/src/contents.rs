//! Bytes in the store and who has them. Versions with the same bytes share
//! one object within a project; it is deleted when the last of them is gone.
//!
//! What is to be deleted is written down (`files.doomed`) in the transaction
//! that takes the last row away, and deleted from the store after it: a kill
//! in between leaves a note, never a row without bytes.

use crate::BUCKET;
use atlashub_sdk::{prelude::*, sql::Transaction};

/// Makes a version have bytes that were just stored, and says in which object
/// they are. When the project has the same bytes already that is the older
/// one, and the new one is doomed.
pub(crate) fn adopt(
    transaction: &Transaction,
    object_key: &str,
    sha256: &str,
    size: u64,
) -> Result<String> {
    let kept: Option<String> = transaction.query_optional(
        "INSERT INTO files.contents AS c (object_key, sha256, size, refs, canonical) \
         VALUES ($1, $2, $3, 1, 1) ON CONFLICT (sha256) WHERE canonical = 1 \
         DO UPDATE SET refs = c.refs + 1 RETURNING object_key",
        params![object_key, sha256, size],
    )?;
    let kept = kept.ok_or_else(|| Error::internal("bytes were not taken up"))?;
    if kept != object_key {
        doom(transaction, object_key)?;
    }
    Ok(kept)
}

/// One more version has the bytes of another.
pub(crate) fn share(transaction: &Transaction, object_key: &str) -> Result<()> {
    let shared = transaction.execute(
        "UPDATE files.contents SET refs = refs + 1 WHERE object_key = $1",
        params![object_key],
    )?;
    if shared == 0 {
        return Err(Error::internal("a version has bytes that nobody counts"));
    }
    Ok(())
}

/// The bytes of a version, as [`release`] has to know them. Ordered by digest:
/// whoever takes up or gives back several does so in this order, so that two
/// transactions never wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Bytes {
    pub(crate) sha256: String,
    pub(crate) object_key: String,
    pub(crate) size: u64,
}

/// A version that had these bytes is gone.
pub(crate) fn release(transaction: &Transaction, gone: &Bytes) -> Result<()> {
    let left: Option<i64> = transaction.query_optional(
        "UPDATE files.contents SET refs = refs - 1 WHERE object_key = $1 RETURNING refs",
        params![&gone.object_key],
    )?;
    if left.is_none_or(|left| left <= 0) {
        transaction.execute(
            "DELETE FROM files.contents WHERE object_key = $1",
            params![&gone.object_key],
        )?;
        doom(transaction, &gone.object_key)?;
        let thumbnails: Vec<String> = transaction.query(
            "DELETE FROM files.thumbnails WHERE object_key = $1 RETURNING thumbnail_key",
            params![&gone.object_key],
        )?;
        for thumbnail in thumbnails {
            doom(transaction, &thumbnail)?;
        }
    }
    Ok(())
}

/// Writes down that an object is to be deleted.
pub(crate) fn doom(transaction: &Transaction, object_key: &str) -> Result<()> {
    transaction.execute(
        "INSERT INTO files.doomed (object_key, doomed_at) VALUES ($1, $2) \
         ON CONFLICT (object_key) DO NOTHING",
        params![object_key, moment::now_ms()],
    )?;
    Ok(())
}

/// Deletes doomed objects, `most` of them; how many it was. A failure is for
/// the log: they stay written down, and the caller's request has been done.
pub(crate) fn delete_doomed(most: u32) -> usize {
    let keys: Result<Vec<String>> = sql::query(
        &format!("SELECT object_key FROM files.doomed ORDER BY doomed_at LIMIT {most}"),
        params![],
    );
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => {
            log::error!("read which objects are to be deleted: {error}");
            return 0;
        }
    };
    keys.iter().filter(|key| delete(key)).count()
}

/// Deletes what was stored when the bytes were there already, once its note
/// is committed.
pub(crate) fn drop_duplicate(stored: &str, kept: &str) {
    if stored != kept {
        let _ = delete(stored);
    }
}

fn delete(object_key: &str) -> bool {
    let deleted = BUCKET.delete(object_key).and_then(|_| {
        sql::execute(
            "DELETE FROM files.doomed WHERE object_key = $1",
            params![object_key],
        )
    });
    if let Err(error) = &deleted {
        log::error!("delete the object {object_key}: {error}");
    }
    deleted.is_ok()
}

/// Deletes bytes that no row refers to. Should that fail they are lost space
/// that the sweep finds, not a lost file, and the caller's request has been
/// done.
pub(crate) fn delete_object(object_key: &str) {
    if let Err(error) = BUCKET.delete(object_key) {
        log::error!("delete the object {object_key}: {error}");
    }
}
