//! What takes rows and bytes away that nobody needs: condemned files and
//! folders, what lay in the trash too long, versions, activity and links beyond
//! their age, and objects in the store that no row speaks of.
//!
//! It rides on events when something falls due ([`crate::due`]) and, where the
//! plugin does not get them, on requests that change something, once a minute
//! in a project at most; in bounded steps. `POST /files/sweep` runs it at will.

use crate::{
    BUCKET, account, contents, departed,
    happened::{self, Change},
    place,
    settings::{Settings, days_ago},
    trash, uploads,
};
use atlashub_sdk::prelude::*;
use std::{cell::Cell, time::Duration};

/// The least time between two sweeps of a project.
const EVERY: Duration = Duration::from_secs(60);
/// Rows of one step.
const STEP: u32 = 100;
/// Steps of one sweep.
const STEPS: u32 = 20;
/// For how many days activity is kept.
const ACTIVITY_DAYS: u32 = 180;
/// For how many days whoever made a link still sees that its time is over.
const SHARES_DAYS: u32 = 30;
/// The same, as time.
pub(crate) const SHARES_AGE: Duration = Duration::from_secs(SHARES_DAYS as u64 * 24 * 3_600);
/// An object that nobody speaks of belongs to a request that is still
/// running, unless it is this old.
const ORPHAN_DAYS: u32 = 2;
/// The same, as time.
pub(crate) const ORPHAN_AGE: Duration = Duration::from_secs(ORPHAN_DAYS as u64 * 24 * 3_600);

thread_local! {
    /// When this instance looked last whether a sweep is due.
    static LOOKED: Cell<i64> = const { Cell::new(0) };
}

/// Sweeps if it is time. What fails is for the log.
pub(crate) fn now_and_then(settings: &Settings) {
    let now = moment::now_ms();
    let every = i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX);
    if now.saturating_sub(LOOKED.get()) < every {
        return;
    }
    LOOKED.set(now);
    let done = kv::entry::<i64>("sweep").and_then(|entry| {
        let version = entry.as_ref().map(|entry| entry.version);
        if entry.is_some_and(|entry| now.saturating_sub(entry.value) < every) {
            return Ok(());
        }
        // Somebody else was faster: so much the better.
        if kv::compare_and_swap("sweep", version, &now, None)?.is_none() {
            return Ok(());
        }
        sweep(settings).map(drop)
    });
    if let Err(error) = done {
        log::error!("sweep: {error}");
    }
}

/// What a sweep did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Swept {
    /// Files that were deleted for good.
    files: usize,
    /// Objects that were deleted from the store.
    objects: usize,
    /// Objects of which no row spoke.
    orphans: usize,
}

/// `POST /files/sweep`, for those who look after the project.
pub(crate) fn at_will(Config(settings): Config<Settings>) -> Result<Json<Swept>> {
    users::require("files:maintain")?;
    sweep(&settings).map(Json)
}

/// When there is something to sweep again, milliseconds since 1970; past when
/// there is already, none when nothing will be.
pub(crate) fn next(settings: &Settings) -> Result<Option<i64>> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let days = |days: u32| i64::from(days).saturating_mul(DAY);
    let (trash, versions) = (days(settings.trash_days), days(settings.versions_days));
    let due: Vec<Option<i64>> = sql::query(
        "SELECT MIN(deleted_at) + CAST($1 AS BIGINT) FROM files.objects WHERE deleted_at IS NOT NULL \
         UNION ALL SELECT MIN(deleted_at) + CAST($1 AS BIGINT) FROM files.folders WHERE deleted_at IS NOT NULL \
         UNION ALL SELECT MIN(replaced_at) + CAST($2 AS BIGINT) FROM files.versions \
         UNION ALL SELECT MIN(expires_at) FROM files.uploads \
         UNION ALL SELECT MIN(at) + CAST($3 AS BIGINT) FROM files.activity \
         UNION ALL SELECT MIN(expires_at) + CAST($4 AS BIGINT) FROM files.shares WHERE expires_at IS NOT NULL \
         UNION ALL SELECT MIN(0) FROM files.doomed",
        params![trash, versions, days(ACTIVITY_DAYS), days(SHARES_DAYS)],
    )?;
    Ok(due.into_iter().flatten().min())
}

pub(crate) fn sweep(settings: &Settings) -> Result<Swept> {
    let now = moment::now_ms();
    let expired = days_ago(now, settings.trash_days);
    for table in ["objects", "folders"] {
        sql::execute(
            &format!(
                "UPDATE files.{table} SET deleted_at = 0 WHERE deleted_at > 0 AND deleted_at <= $1"
            ),
            params![expired],
        )?;
    }
    let files = condemned()?;
    old_versions(settings)?;
    uploads::end_expired(STEP)?;
    sql::execute(
        "DELETE FROM files.activity WHERE at < $1",
        params![days_ago(now, ACTIVITY_DAYS)],
    )?;
    sql::execute(
        "DELETE FROM files.shares WHERE expires_at < $1",
        params![days_ago(now, SHARES_DAYS)],
    )?;
    departed::sweep()?;
    let objects = contents::delete_doomed(STEP * STEPS);
    let orphans = orphans(now)?;
    Ok(Swept {
        files,
        objects,
        orphans,
    })
}

/// Deletes condemned files and folders, as many as a request may; the rest is
/// for a sweep.
pub(crate) fn delete_condemned() {
    match condemned() {
        Ok(_) => drop(contents::delete_doomed(STEP * STEPS)),
        Err(error) => log::error!("delete what was condemned: {error}"),
    }
}

#[derive(Debug, Deserialize)]
struct Condemned {
    id: String,
    owner: String,
}

fn condemned() -> Result<usize> {
    let mut deleted = 0;
    for _ in 0..STEPS {
        let condemned: Vec<Condemned> = sql::query(
            &format!(
                "SELECT id, owner FROM files.objects WHERE deleted_at = 0 ORDER BY owner, id LIMIT {STEP}"
            ),
            params![],
        )?;
        if condemned.is_empty() {
            condemned_folders()?;
            break;
        }
        deleted += condemned.len();
        for (owner, ids) in by_owner(condemned) {
            // Nobody sees them any more. Told first: after a kill they are
            // told of again, and not never.
            for id in &ids {
                happened::publish(Change::Deleted, id)?;
            }
            trash::delete_files(&owner, &ids)?;
        }
    }
    Ok(deleted)
}

/// In the order in which they came, which is that of owners.
fn by_owner(condemned: Vec<Condemned>) -> Vec<(String, Vec<String>)> {
    let mut owners: Vec<(String, Vec<String>)> = Vec::new();
    for Condemned { id, owner } in condemned {
        match owners.last_mut().filter(|(last, _)| *last == owner) {
            Some((_, ids)) => ids.push(id),
            None => owners.push((owner, vec![id])),
        }
    }
    owners
}

fn condemned_folders() -> Result<()> {
    let condemned: Vec<Condemned> = sql::query(
        &format!(
            "SELECT id, owner FROM files.folders WHERE deleted_at = 0 ORDER BY owner, id LIMIT {}",
            STEP * STEPS
        ),
        params![],
    )?;
    for (owner, ids) in by_owner(condemned) {
        for id in &ids {
            happened::publish(Change::FolderDeleted, id)?;
        }
        sql::transaction(|transaction| {
            account::lock(transaction, &owner)?;
            let mut entries = 0;
            for id in &ids {
                let gone = transaction.execute(
                    "DELETE FROM files.folders WHERE id = $1 AND deleted_at = 0",
                    params![id],
                )?;
                entries -= account::signed(gone);
                trash::forget_sharing(transaction, id)?;
            }
            account::shrink(transaction, &owner, account::Change { bytes: 0, entries })
        })?;
    }
    Ok(())
}

fn old_versions(settings: &Settings) -> Result<()> {
    let since = days_ago(moment::now_ms(), settings.versions_days);
    let old: Vec<Condemned> = sql::query(
        &format!(
            "SELECT DISTINCT file_id AS id, owner FROM files.versions WHERE replaced_at <= $1 LIMIT {STEP}"
        ),
        params![since],
    )?;
    for Condemned { id, owner } in old {
        place::prune(&id, &owner, settings);
    }
    Ok(())
}

/// Looks through a part of the store for objects that no row speaks of: those
/// of requests that were killed between their bytes and their row. The next
/// sweep goes on where this one ended.
fn orphans(now: i64) -> Result<usize> {
    const PLACE: &str = "sweep-store";
    let cursor: Option<String> = kv::get(PLACE)?;
    let page = BUCKET.list("", cursor.as_deref(), 200)?;
    match &page.next {
        Some(next) => drop(kv::set(PLACE, next, None)?),
        None => drop(kv::delete(PLACE)?),
    }
    let oldest = u64::try_from(days_ago(now, ORPHAN_DAYS)).unwrap_or_default();
    let mut orphans = 0;
    for object in page.objects {
        if object.modified_ms.is_none_or(|at| at > oldest) {
            continue;
        }
        let spoken_of: Option<i64> = sql::query_optional(
            "SELECT 1 FROM files.contents WHERE object_key = $1 \
             UNION ALL SELECT 1 FROM files.doomed WHERE object_key = $1 \
             UNION ALL SELECT 1 FROM files.thumbnails WHERE thumbnail_key = $1 \
             UNION ALL SELECT 1 FROM files.uploads WHERE id = $2 AND file_id IS NULL",
            params![&object.key, uploads::of_key(&object.key)],
        )?;
        if spoken_of.is_none() {
            contents::delete_object(&object.key);
            orphans += 1;
        }
    }
    Ok(orphans)
}
