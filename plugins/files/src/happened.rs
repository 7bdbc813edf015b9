//! What happened to files and folders, told in one place: to the activity
//! that their owners see, to the project's audit, and to other plugins. It has happened when
//! this is called: a failure here is for the log.

use crate::{
    access::{Permission, Role},
    folders,
    record::Record,
    untold,
};
use atlashub_sdk::{identity::CallerKind, prelude::*};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A new file.
    Uploaded,
    /// A file has new bytes.
    Replaced,
    /// Name, place, visibility, description or tags are others.
    Changed,
    /// To the trash.
    Trashed,
    /// Out of the trash.
    Restored,
    /// Deleted for good.
    Deleted,
    /// A user was given a role.
    Granted,
    /// A user lost a role.
    Revoked,
    /// A link was made.
    Shared,
    /// A link was ended.
    Unshared,
    /// Somebody used a link to download.
    Downloaded,
    /// Everybody may read it from now on.
    Published,
    /// Nobody but those who were given it may read it from now on.
    Hidden,
    /// A folder was made.
    FolderMade,
    /// A folder has another name or place.
    FolderChanged,
    /// A folder went to the trash with all in it.
    FolderTrashed,
    /// A folder came out of the trash.
    FolderRestored,
    /// A folder was deleted for good with all in it.
    FolderDeleted,
}

impl Change {
    /// As activity and audit name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "object.upload",
            Self::Replaced => "object.replace",
            Self::Changed => "object.change",
            Self::Trashed => "object.trash",
            Self::Restored => "object.restore",
            Self::Deleted => "object.delete",
            Self::Granted => "permission.grant",
            Self::Revoked => "permission.revoke",
            Self::Shared => "share.create",
            Self::Unshared => "share.revoke",
            Self::Downloaded => "share.download",
            Self::Published => "object.publish",
            Self::Hidden => "object.hide",
            Self::FolderMade => "folder.create",
            Self::FolderChanged => "folder.change",
            Self::FolderTrashed => "folder.trash",
            Self::FolderRestored => "folder.restore",
            Self::FolderDeleted => "folder.delete",
        }
    }

    /// As other plugins are told of it, if they are.
    const fn event(self) -> Option<&'static str> {
        Some(match self {
            Self::Uploaded => "uploaded",
            Self::Replaced => "replaced",
            Self::Changed | Self::Published | Self::Hidden => "changed",
            Self::Trashed => "trashed",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Shared => "shared",
            Self::Unshared => "unshared",
            Self::Downloaded => return None,
            Self::FolderMade => "folder_made",
            Self::FolderChanged => "folder_changed",
            Self::FolderTrashed => "folder_trashed",
            Self::FolderRestored => "folder_restored",
            Self::FolderDeleted => "folder_deleted",
        })
    }

    /// Whether an admin of the project finds it in the audit: what takes
    /// something away, and what lets others in.
    const fn is_audited(self) -> bool {
        !matches!(
            self,
            Self::Uploaded
                | Self::Replaced
                | Self::Changed
                | Self::Downloaded
                | Self::FolderMade
                | Self::FolderChanged
        )
    }
}

/// What other plugins are told, in order for each file and folder.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: &'a str,
    detail: Option<&'a str>,
    actor_id: Option<&'a str>,
    at: String,
}

fn send(change: Change, told: &Told<'_>) -> Result<()> {
    match change.event() {
        Some(event) => events::publish(event, told, Some(told.id)).map(drop),
        None => Ok(()),
    }
}

/// Tells other plugins alone.
///
/// # Errors
/// `queue_full`, and the host's others.
pub(crate) fn publish(change: Change, subject: &str) -> Result<()> {
    let actor = identity::caller().id;
    send(
        change,
        &Told {
            id: subject,
            detail: None,
            actor_id: actor.as_deref(),
            at: moment::rfc3339(moment::now_ms()),
        },
    )
}

/// Tells what happened to the file or folder `subject`; `detail` is for
/// people: a name, a user, a version.
pub(crate) fn tell(change: Change, subject: &str, detail: Option<&str>) {
    let actor = identity::caller().id;
    let told = Told {
        id: subject,
        detail,
        actor_id: actor.as_deref(),
        at: moment::rfc3339(moment::now_ms()),
    };
    let sent = send(change, &told).inspect_err(|error| {
        log::warn!(
            "{} of {subject} was not published: {error}",
            change.as_str()
        );
    });
    write_down(change, subject, detail, sent.is_ok());
}

/// As [`tell`], of what was published before it happened.
pub(crate) fn told_before(change: Change, subject: &str, detail: Option<&str>) {
    write_down(change, subject, detail, true);
}

fn write_down(change: Change, subject: &str, detail: Option<&str>, is_told: bool) {
    let (actor, at) = (identity::caller().id, moment::now_ms());
    let written = sql::transaction(|transaction| {
        transaction.execute(
            "INSERT INTO files.activity (id, subject, action, actor, detail, at) VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                Uuid::now_v7().to_string(),
                subject,
                change.as_str(),
                actor,
                detail,
                at
            ],
        )?;
        if is_told {
            untold::told(transaction, subject)?;
        }
        Ok(())
    });
    if let Err(error) = written {
        log::warn!(
            "{} of {subject} is not in the activity: {error}",
            change.as_str()
        );
    }
    if !change.is_audited() {
        return;
    }
    let nothing_more = BTreeMap::<&str, &str>::new();
    if let Err(error) = audit::append(change.as_str(), Some(subject), &nothing_more) {
        log::warn!(
            "{} of {subject} is not in the audit: {error}",
            change.as_str()
        );
    }
}

/// For how long one caller's downloads of one file are one event.
const READING: Duration = Duration::from_secs(3_600);

/// Notes that somebody read a file that is another's and not public; once an
/// hour for each of them and each file, whatever is downloaded how often. A
/// failure keeps nobody from reading.
pub(crate) fn read(subject: &str, owner: &str) {
    let caller = identity::caller();
    let who = caller.id.as_deref().unwrap_or_default();
    // A plugin that is told of all files looks into them for their owners.
    if who == owner || caller.kind == CallerKind::Plugin {
        return;
    }
    let noted = note_reading(subject, &format!("read/{subject}/{who}"));
    if let Err(error) = noted {
        log::warn!("reading of {subject} is not in the audit: {error}");
    }
}

fn note_reading(subject: &str, key: &str) -> Result<()> {
    // Looked at first: to look is cheaper than to write.
    if kv::get::<bool>(key)?.is_some()
        || kv::compare_and_swap(key, None, &true, Some(READING))?.is_none()
    {
        return Ok(());
    }
    let nothing_more = BTreeMap::<&str, &str>::new();
    audit::append("object.read", Some(subject), &nothing_more)
}

#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    action: String,
    actor: Option<String>,
    detail: Option<String>,
    at: i64,
}

/// Something that happened.
#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    action: String,
    actor_id: Option<String>,
    detail: Option<String>,
    at: String,
}

/// A page of it, the newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Entry>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /files/{id}/activity`.
pub(crate) fn activity(
    Path(id): Path<String>,
    Query(wishes): Query<Wishes>,
    caller: Caller,
) -> Result<Json<Page>> {
    let record = Record::find_for(&id, &caller, Permission::Read, Role::Admin)?;
    page(&record.id, wishes).map(Json)
}

/// `GET /folders/{id}/activity`.
pub(crate) fn activity_of_folder(
    Path(id): Path<String>,
    Query(wishes): Query<Wishes>,
    caller: Caller,
) -> Result<Json<Page>> {
    let folder = folders::find_for(&id, &caller, Permission::Read, Role::Admin)?;
    page(&folder.id, wishes).map(Json)
}

/// What happened to one of them, the newest first.
fn page(subject: &str, wishes: Wishes) -> Result<Page> {
    let limit = wishes.limit.unwrap_or(50).clamp(1, 200);
    // Ids are in the order of time.
    let mut rows: Vec<Row> = sql::query(
        &format!(
            "SELECT id, action, actor, detail, at FROM files.activity \
             WHERE subject = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT {}",
            limit + 1
        ),
        params![subject, wishes.cursor.unwrap_or_default()],
    )?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id.clone());
    let items = rows
        .into_iter()
        .map(|row| Entry {
            id: row.id,
            action: row.action,
            actor_id: row.actor,
            detail: row.detail,
            at: moment::rfc3339(row.at),
        })
        .collect();
    Ok(Page { items, next_cursor })
}
