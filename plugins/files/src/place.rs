//! Rows of files: where bytes that are stored become a file, or a new version
//! of one. Each is one transaction under the owner's lock, so that path,
//! quota and bytes agree or nothing has happened.

use crate::{
    account::{self, Change},
    conditions,
    contents::{self, Bytes},
    happened::{self, Change as Happened},
    name, notice,
    record::{COLUMNS, Record, Visibility},
    settings::{Settings, days_ago},
    thumbnail,
    tree::{self, Folder},
    untold,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use uuid::Uuid;

/// How often a name is tried with another number.
const MAX_TRIES: u32 = 100;

/// Bytes that are in the store, for a row that does not speak of them yet.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) object_key: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    pub(crate) filename: String,
    pub(crate) mime_type: String,
    /// Whether they are a file's already, which the new row shares them with.
    pub(crate) shared: bool,
}

impl Stored {
    /// The bytes that a file has.
    pub(crate) fn of(record: &Record) -> Self {
        Self {
            object_key: record.object_key.clone(),
            size: record.size,
            sha256: record.sha256.clone(),
            filename: record.filename.clone(),
            mime_type: record.mime_type.clone(),
            shared: true,
        }
    }

    /// Counts a row that has them; says in which object they are.
    fn take_up(&self, transaction: &Transaction) -> Result<String> {
        if self.shared {
            contents::share(transaction, &self.object_key)?;
            return Ok(self.object_key.clone());
        }
        contents::adopt(transaction, &self.object_key, &self.sha256, self.size)
    }
}

/// What a client says of its files beside their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// The id that a new file is to have; without one it gets any.
    pub(crate) id: Option<String>,
    pub(crate) folder_id: Option<String>,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
}

/// A new file in the folder of `fields`, which is the owner's. A name that is
/// taken gets a number.
pub(crate) fn add(
    owner: &str,
    stored: &Stored,
    fields: &Fields,
    settings: &Settings,
) -> Result<Record> {
    let record = untold::transaction(|transaction| {
        add_within(transaction, owner, stored, fields, settings)
    })?;
    contents::drop_duplicate(&stored.object_key, &record.object_key);
    happened::tell(Happened::Uploaded, &record.id, Some(&record.path));
    notice::added(&record, settings);
    thumbnail::later(&record);
    Ok(record)
}

/// As [`add`], in a transaction of the caller's, and not told of.
pub(crate) fn add_within(
    transaction: &Transaction,
    owner: &str,
    stored: &Stored,
    fields: &Fields,
    settings: &Settings,
) -> Result<Record> {
    account::charge(transaction, owner, Change::file(stored.size), settings)?;
    let folder = folder_of(transaction, owner, fields.folder_id.as_deref())?;
    for number in 1..=MAX_TRIES {
        let filename = name::numbered(&stored.filename, number);
        let path = name::check_path(&tree::path_in(folder.as_ref(), &filename))?;
        if !tree::is_taken(transaction, owner, &path)? {
            return insert(transaction, owner, folder.as_ref(), &path, stored, fields);
        }
    }
    Err(Error::conflict(
        "path_taken",
        "there are too many files of that name, choose another",
    ))
}

/// A new file at its path, or new bytes for the one there, if what is there is
/// what `expected` says. Folders on the way are made.
///
/// # Errors
/// 412 `precondition_failed`, and what a place and an account refuse.
pub(crate) fn put(
    owner: &str,
    path: &str,
    expected: &Precondition,
    stored: &Stored,
    fields: &Fields,
    settings: &Settings,
) -> Result<Record> {
    let (record, change) = untold::transaction(|transaction| {
        account::lock(transaction, owner)?;
        let there: Option<Record> = transaction.query_optional(
            &format!(
                "SELECT {COLUMNS} FROM files.objects WHERE owner = $1 AND path = $2 AND deleted_at IS NULL"
            ),
            params![owner, path],
        )?;
        conditions::check(expected, there.as_ref().map(|there| there.sha256.as_str()))?;
        if let Some(there) = there {
            let record = replace(transaction, &there, stored, fields, settings)?;
            return Ok((record, Happened::Replaced));
        }
        account::charge(transaction, owner, Change::file(stored.size), settings)?;
        let folder = tree::make_way(transaction, owner, name::split(path).0, settings)?;
        if tree::is_taken(transaction, owner, path)? {
            return Err(tree::taken());
        }
        let record = insert(transaction, owner, folder.as_ref(), path, stored, fields)?;
        Ok((record, Happened::Uploaded))
    })?;
    contents::drop_duplicate(&stored.object_key, &record.object_key);
    if change == Happened::Replaced {
        prune(&record.id, &record.owner, settings);
    }
    happened::tell(change, &record.id, Some(&record.path));
    match change {
        Happened::Uploaded => notice::added(&record, settings),
        _ => notice::grown(&record.owner, settings),
    }
    thumbnail::later(&record);
    Ok(record)
}

/// The checksum of the file at a path, if there is one.
pub(crate) fn sha256_at(owner: &str, path: &str) -> Result<Option<String>> {
    sql::query_optional(
        "SELECT sha256 FROM files.objects WHERE owner = $1 AND path = $2 AND deleted_at IS NULL",
        params![owner, path],
    )
}

/// New bytes for a file that is not in the trash, if it is still the one that
/// `expected` says.
///
/// # Errors
/// 412 `precondition_failed`, 404.
pub(crate) fn put_content(
    id: &str,
    expected: &Precondition,
    stored: &Stored,
    settings: &Settings,
) -> Result<Record> {
    let record = untold::transaction(|transaction| {
        let there = locked(transaction, id)?;
        conditions::check(expected, Some(&there.sha256))?;
        replace(transaction, &there, stored, &Fields::default(), settings)
    })?;
    contents::drop_duplicate(&stored.object_key, &record.object_key);
    prune(id, &record.owner, settings);
    happened::tell(Happened::Replaced, id, Some(&record.path));
    notice::grown(&record.owner, settings);
    thumbnail::later(&record);
    Ok(record)
}

/// The file, read again under its owner's lock; not one of the trash.
pub(crate) fn locked(transaction: &Transaction, id: &str) -> Result<Record> {
    let unknown = crate::access::unknown;
    let owner = Record::within(transaction, id)?.ok_or_else(unknown)?.owner;
    account::lock(transaction, &owner)?;
    Record::within(transaction, id)?
        .filter(|record| record.deleted_at.is_none())
        .ok_or_else(unknown)
}

/// The folder of that id, if it is the owner's and not in the trash.
pub(crate) fn folder_of(
    transaction: &Transaction,
    owner: &str,
    id: Option<&str>,
) -> Result<Option<Folder>> {
    let Some(id) = id else { return Ok(None) };
    Folder::live(transaction, id)?
        .filter(|folder| folder.owner == owner)
        .map(Some)
        .ok_or_else(tree::unknown_folder)
}

/// The row of a new file; its bytes are charged and its path is free.
pub(crate) fn insert(
    transaction: &Transaction,
    owner: &str,
    folder: Option<&Folder>,
    path: &str,
    stored: &Stored,
    fields: &Fields,
) -> Result<Record> {
    let object_key = stored.take_up(transaction)?;
    let inserted: Option<Record> = transaction.query_optional(
        &format!(
            "INSERT INTO files.objects ({COLUMNS}) VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $12, NULL, $13, $14) RETURNING {COLUMNS}"
        ),
        params![
            fields
                .id
                .clone()
                .unwrap_or_else(|| Uuid::now_v7().to_string()),
            object_key,
            owner,
            path,
            name::of_path(path),
            stored.size,
            &stored.mime_type,
            &stored.sha256,
            fields.visibility.unwrap_or_default().as_str(),
            fields.description.as_deref(),
            sql::Value::json(&fields.tags.as_deref().unwrap_or_default())?,
            moment::now_ms(),
            folder.map(|folder| folder.id.as_str()),
            identity::caller().id
        ],
    )?;
    let inserted = inserted.ok_or_else(|| Error::internal("a file was not written"))?;
    untold::file(transaction, &inserted.id)?;
    Ok(inserted)
}

/// The row with new bytes; what it was becomes a former version, or goes when
/// none are kept. The owner's lock is held.
pub(crate) fn replace(
    transaction: &Transaction,
    there: &Record,
    stored: &Stored,
    fields: &Fields,
    settings: &Settings,
) -> Result<Record> {
    let keeps = settings.versions_keep > 0;
    let freed = if keeps { 0 } else { there.size };
    let bytes = account::signed(stored.size) - account::signed(freed);
    account::charge(transaction, &there.owner, Change::bytes(bytes), settings)?;
    let former = Bytes {
        sha256: there.sha256.clone(),
        object_key: there.object_key.clone(),
        size: there.size,
    };
    // In the order of digests, see `Bytes`.
    let release_first = former.sha256 < stored.sha256;
    if !keeps && release_first {
        contents::release(transaction, &former)?;
    }
    let object_key = stored.take_up(transaction)?;
    if !keeps && !release_first {
        contents::release(transaction, &former)?;
    }
    if keeps {
        keep_version(transaction, there)?;
    }
    let fields = Fields {
        id: None,
        folder_id: None,
        visibility: fields.visibility.or(Some(there.visibility)),
        description: fields
            .description
            .clone()
            .or_else(|| there.description.clone()),
        tags: Some(fields.tags.clone().unwrap_or_else(|| there.tags.clone())),
    };
    write(transaction, &there.id, &object_key, stored, &fields)
}

/// What a file is becomes one of its former versions.
pub(crate) fn keep_version(transaction: &Transaction, there: &Record) -> Result<()> {
    transaction.execute(
        "INSERT INTO files.versions \
         (file_id, version, owner, object_key, size, mime_type, sha256, created_at, created_by, replaced_at) \
         SELECT id, version, owner, object_key, size, mime_type, sha256, updated_at, created_by, CAST($2 AS BIGINT) \
         FROM files.objects WHERE id = $1",
        params![&there.id, moment::now_ms()],
    )?;
    Ok(())
}

fn write(
    transaction: &Transaction,
    id: &str,
    object_key: &str,
    stored: &Stored,
    fields: &Fields,
) -> Result<Record> {
    untold::file(transaction, id)?;
    let written: Option<Record> = transaction.query_optional(
        &format!(
            "UPDATE files.objects SET object_key = $2, size = $3, mime_type = $4, sha256 = $5, \
             version = version + 1, visibility = $6, description = $7, tags = $8, updated_at = $9, \
             created_by = $10 WHERE id = $1 RETURNING {COLUMNS}"
        ),
        params![
            id,
            object_key,
            stored.size,
            &stored.mime_type,
            &stored.sha256,
            fields.visibility.unwrap_or_default().as_str(),
            fields.description.as_deref(),
            sql::Value::json(&fields.tags.as_deref().unwrap_or_default())?,
            moment::now_ms(),
            identity::caller().id
        ],
    )?;
    written.ok_or_else(|| Error::internal("a file is gone under its lock"))
}

/// Drops former versions of a file beyond number and age. What fails is for
/// the log: the next change of the file, or the sweep, tries again.
pub(crate) fn prune(id: &str, owner: &str, settings: &Settings) {
    if let Err(error) = try_prune(id, owner, settings) {
        log::error!("drop former versions of {id}: {error}");
    }
}

#[derive(Debug, Deserialize)]
struct Former {
    version: u64,
    replaced_at: i64,
    sha256: String,
    object_key: String,
    size: u64,
}

fn try_prune(id: &str, owner: &str, settings: &Settings) -> Result<()> {
    if settings.versions_keep == 0 {
        contents::delete_doomed(20);
    }
    const FORMER: &str = "SELECT version, replaced_at, sha256, object_key, size FROM files.versions \
         WHERE file_id = $1 ORDER BY version DESC";
    let keep = usize::try_from(settings.versions_keep).unwrap_or(usize::MAX);
    let since = days_ago(moment::now_ms(), settings.versions_days);
    let superfluous = |former: Vec<Former>| -> Vec<Former> {
        let too_many = former.into_iter().enumerate();
        too_many
            .filter(|(index, former)| *index >= keep || former.replaced_at <= since)
            .map(|(_, former)| former)
            .collect()
    };
    if superfluous(sql::query(FORMER, params![id])?).is_empty() {
        return Ok(());
    }
    untold::transaction(|transaction| {
        account::lock(transaction, owner)?;
        let mut gone = superfluous(transaction.query(FORMER, params![id])?);
        gone.sort_by(|a, b| (&a.sha256, &a.object_key).cmp(&(&b.sha256, &b.object_key)));
        let mut bytes = 0;
        for former in gone {
            transaction.execute(
                "DELETE FROM files.versions WHERE file_id = $1 AND version = $2",
                params![id, former.version],
            )?;
            bytes += account::signed(former.size);
            let former = Bytes {
                sha256: former.sha256,
                object_key: former.object_key,
                size: former.size,
            };
            contents::release(transaction, &former)?;
        }
        account::shrink(transaction, owner, Change::bytes(-bytes))
    })?;
    contents::delete_doomed(20);
    Ok(())
}
