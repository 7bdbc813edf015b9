//! The trash: what is thrown away, taken back, and condemned to be deleted
//! for good. What is condemned (`deleted_at = 0`) is no longer anybody's to
//! see; [`crate::sweep`] takes its rows and bytes away, after a kill too.

use crate::{
    access, account,
    account::Change,
    conditions,
    contents::{self, Bytes},
    due, happened, name,
    record::{COLUMNS, Record},
    settings::Settings,
    tree::{self, FOLDER, Folder},
    untold,
};
use atlashub_sdk::{prelude::*, sql::Transaction};

/// How something is deleted.
#[derive(Debug, Deserialize)]
pub(crate) struct How {
    #[serde(default)]
    pub(crate) permanent: bool,
}

/// Throws a file away, if it is the one that `expected` says; whether it was
/// there.
///
/// # Errors
/// 412 `precondition_failed`.
pub(crate) fn throw_file(record: &Record, expected: &Precondition) -> Result<bool> {
    untold::transaction(|transaction| {
        still_meets(transaction, record, expected)?;
        throw_file_within(transaction, &record.id)
    })
}

/// Looks at the file again, under its owner's lock.
fn still_meets(transaction: &Transaction, record: &Record, expected: &Precondition) -> Result<()> {
    account::lock(transaction, &record.owner)?;
    let there = Record::within(transaction, &record.id)?;
    conditions::check(expected, there.as_ref().map(|there| there.sha256.as_str()))
}

/// As [`throw_file`], in a transaction.
pub(crate) fn throw_file_within(transaction: &Transaction, id: &str) -> Result<bool> {
    let thrown = transaction.execute(
        "UPDATE files.objects SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL",
        params![id, moment::now_ms()],
    )?;
    if thrown > 0 {
        untold::file(transaction, id)?;
    }
    Ok(thrown > 0)
}

/// Throws a folder away with all that lies in it.
pub(crate) fn throw_folder(folder: &Folder) -> Result<()> {
    untold::transaction(|transaction| {
        account::lock(transaction, &folder.owner)?;
        match Folder::live(transaction, &folder.id)? {
            Some(folder) => mark_tree(transaction, &folder),
            None => Ok(()),
        }
    })
}

/// Throws away a folder that was read under its owner's lock.
pub(crate) fn mark_tree(transaction: &Transaction, folder: &Folder) -> Result<()> {
    for (table, itself) in [
        ("folders", "id = $2 OR "),
        ("objects", "folder_id = $2 OR "),
    ] {
        transaction.execute(
            &format!(
                "UPDATE files.{table} SET deleted_at = $3, trashed_with = $2 WHERE owner = $1 \
                 AND deleted_at IS NULL AND ({itself}substr(path, 1, CAST($5 AS INTEGER)) = $4)"
            ),
            params![
                &folder.owner,
                &folder.id,
                moment::now_ms(),
                format!("{}/", folder.path),
                tree::characters(&folder.path) + 1
            ],
        )?;
    }
    untold::folder(transaction, &folder.id)
}

/// Marks a folder and all that lies in it, or went to the trash with it, as
/// to be deleted for good.
pub(crate) fn condemn_folder(folder: &Folder) -> Result<()> {
    due::soon();
    sql::transaction(|transaction| {
        account::lock(transaction, &folder.owner)?;
        if let Some(folder) = Folder::live(transaction, &folder.id)? {
            mark_tree(transaction, &folder)?;
        }
        for (table, itself) in [
            ("folders", "id = $3 OR "),
            ("objects", "folder_id = $3 OR "),
        ] {
            transaction.execute(
                &format!(
                    "UPDATE files.{table} SET deleted_at = 0 WHERE owner = $1 AND deleted_at > 0 \
                     AND trashed_with = (SELECT trashed_with FROM files.folders WHERE id = $3) \
                     AND ({itself}substr(path, 1, CAST($4 AS INTEGER)) = $2)"
                ),
                params![
                    &folder.owner,
                    format!("{}/", folder.path),
                    &folder.id,
                    tree::characters(&folder.path) + 1
                ],
            )?;
        }
        Ok(())
    })
}

/// Takes a file out of the trash, into the folder from which it came; one
/// that is not there any more is made again.
pub(crate) fn take_file_back(id: &str, settings: &Settings) -> Result<Record> {
    untold::transaction(|transaction| {
        let unknown = access::unknown;
        let owner = Record::within(transaction, id)?.ok_or_else(unknown)?.owner;
        account::lock(transaction, &owner)?;
        let record = Record::within(transaction, id)?
            .filter(|record| record.deleted_at != Some(0))
            .ok_or_else(unknown)?;
        if record.deleted_at.is_none() {
            return Ok(record);
        }
        let above = name::split(&record.path).0;
        let folder = home(
            transaction,
            &owner,
            record.folder_id.as_deref(),
            above,
            settings,
        )?;
        let path = name::check_path(&tree::path_in(folder.as_ref(), &record.filename))?;
        if tree::is_taken(transaction, &owner, &path)? {
            return Err(tree::taken());
        }
        untold::file(transaction, id)?;
        let back: Option<Record> = transaction.query_optional(
            &format!(
                "UPDATE files.objects SET deleted_at = NULL, trashed_with = NULL, path = $2, folder_id = $3 \
                 WHERE id = $1 RETURNING {COLUMNS}"
            ),
            params![id, path, folder.map(|folder| folder.id)],
        )?;
        back.ok_or_else(unknown)
    })
}

/// The folder to which something returns.
fn home(
    transaction: &Transaction,
    owner: &str,
    folder_id: Option<&str>,
    path: &str,
    settings: &Settings,
) -> Result<Option<Folder>> {
    let known = match folder_id {
        Some(id) => Folder::live(transaction, id)?,
        None => None,
    };
    match known {
        Some(folder) => Ok(Some(folder)),
        None => tree::make_way(transaction, owner, path, settings),
    }
}

/// Takes a folder out of the trash with all that went there with it.
pub(crate) fn take_folder_back(folder: &Folder, settings: &Settings) -> Result<Folder> {
    untold::transaction(|transaction| {
        let owner = &folder.owner;
        account::lock(transaction, owner)?;
        let found: Option<Folder> = transaction.query_optional(
            &format!("SELECT {FOLDER} FROM files.folders WHERE id = $1 AND (deleted_at IS NULL OR deleted_at > 0)"),
            params![&folder.id],
        )?;
        let folder = found.ok_or_else(tree::unknown_folder)?;
        if folder.deleted_at.is_none() {
            return Ok(folder);
        }
        let above = name::split(&folder.path).0;
        let parent = home(
            transaction,
            owner,
            folder.parent_id.as_deref(),
            above,
            settings,
        )?;
        let path = name::check_path(&tree::path_in(parent.as_ref(), &folder.name))?;
        if tree::is_taken(transaction, owner, &path)? {
            return Err(tree::taken());
        }
        let deeper = parent.as_ref().map_or(0, |parent| parent.depth) + 1 - folder.depth;
        tree::check_room_below(transaction, &folder, &path, deeper, "deleted_at > 0")?;
        let with: Option<String> = transaction.query_optional(
            "SELECT trashed_with FROM files.folders WHERE id = $1",
            params![&folder.id],
        )?;
        for (table, itself, depth) in [
            ("objects", "", ""),
            (
                "folders",
                "id = $6 OR ",
                ", depth = depth + CAST($7 AS BIGINT)",
            ),
        ] {
            let mut parameters = params![
                owner,
                with.as_deref(),
                format!("{}/", folder.path),
                tree::characters(&folder.path),
                &path
            ];
            if !depth.is_empty() {
                parameters.extend(params![&folder.id, deeper]);
            }
            transaction.execute(
                &format!(
                    "UPDATE files.{table} SET deleted_at = NULL, trashed_with = NULL, \
                     path = $5 || substr(path, CAST($4 AS INTEGER) + 1){depth} \
                     WHERE owner = $1 AND deleted_at > 0 AND trashed_with = $2 \
                     AND ({itself}substr(path, 1, CAST($4 AS INTEGER) + 1) = $3)"
                ),
                parameters,
            )?;
        }
        untold::folder(transaction, &folder.id)?;
        let back: Option<Folder> = transaction.query_optional(
            &format!("UPDATE files.folders SET parent_id = $2 WHERE id = $1 RETURNING {FOLDER}"),
            params![&folder.id, parent.map(|parent| parent.id)],
        )?;
        back.ok_or_else(tree::unknown_folder)
    })
}

/// Deletes a file for good, if it is the one that `expected` says: its row, its
/// versions, who may use it, and then the bytes that nothing else has.
///
/// # Errors
/// 412 `precondition_failed`.
pub(crate) fn delete_file(record: &Record, expected: &Precondition) -> Result<()> {
    sql::transaction(|transaction| {
        still_meets(transaction, record, expected)?;
        transaction.execute(
            "UPDATE files.objects SET deleted_at = 0 WHERE id = $1",
            params![&record.id],
        )
    })?;
    due::soon();
    // Told first: after a kill it is told of again, and not never.
    happened::publish(happened::Change::Deleted, &record.id)?;
    delete_files(&record.owner, std::slice::from_ref(&record.id))?;
    contents::delete_doomed(20);
    Ok(())
}

/// Deletes the rows of condemned files of one owner. Their bytes are doomed.
pub(crate) fn delete_files(owner: &str, ids: &[String]) -> Result<()> {
    untold::transaction(|transaction| {
        account::lock(transaction, owner)?;
        let mut gone: Vec<Bytes> = Vec::new();
        let mut entries = 0;
        for id in ids {
            let present: Option<Bytes> = transaction.query_optional(
                "DELETE FROM files.objects WHERE id = $1 AND deleted_at = 0 \
                 RETURNING sha256, object_key, size",
                params![id],
            )?;
            let Some(present) = present else { continue };
            entries -= 1;
            gone.push(present);
            gone.extend(transaction.query::<Bytes>(
                "DELETE FROM files.versions WHERE file_id = $1 RETURNING sha256, object_key, size",
                params![id],
            )?);
            forget_sharing(transaction, id)?;
        }
        gone.sort_unstable();
        let mut bytes = 0;
        for content in &gone {
            bytes -= account::signed(content.size);
            contents::release(transaction, content)?;
        }
        // What shrinks an account is never refused, so no limit is needed.
        account::shrink(transaction, owner, Change { bytes, entries })
    })
}

/// Deletes what says who may use a file or a folder.
pub(crate) fn forget_sharing(transaction: &Transaction, subject: &str) -> Result<()> {
    for table in ["permissions", "shares"] {
        transaction.execute(
            &format!("DELETE FROM files.{table} WHERE subject = $1"),
            params![subject],
        )?;
    }
    Ok(())
}
