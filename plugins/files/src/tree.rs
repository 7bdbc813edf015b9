//! The tree of folders: rows, and what may be done with them inside a
//! transaction that holds the owner's lock (see [`crate::account`]).
//!
//! A folder knows its whole path, so that a file's path is written once and
//! read often; moving a folder rewrites those below it in two statements.
//! Depth and length of paths are bounded by [`crate::name`].

use crate::{
    account::{self, Change},
    name,
    settings::Settings,
    untold,
};
use atlashub_sdk::{prelude::*, sql::Transaction};
use uuid::Uuid;

/// How deep folders may lie in each other.
pub(crate) const MAX_DEPTH: i64 = 64;

/// Columns of [`Folder`].
pub(crate) const FOLDER: &str =
    "id, owner, parent_id, name, path, depth, created_at, updated_at, deleted_at";

/// A row of `files.folders`. Times are milliseconds since 1970.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Folder {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) depth: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) deleted_at: Option<i64>,
}

impl Folder {
    /// The folder of that id, in the trash or not.
    pub(crate) fn find(id: &str) -> Result<Option<Self>> {
        sql::query_optional(
            &format!("SELECT {FOLDER} FROM files.folders WHERE id = $1"),
            params![id],
        )
    }

    /// The folder as the transaction sees it, unless it is in the trash.
    pub(crate) fn live(transaction: &Transaction, id: &str) -> Result<Option<Self>> {
        transaction.query_optional(
            &format!("SELECT {FOLDER} FROM files.folders WHERE id = $1 AND deleted_at IS NULL"),
            params![id],
        )
    }

    /// The folder at a path, unless it is in the trash.
    pub(crate) fn at(transaction: &Transaction, owner: &str, path: &str) -> Result<Option<Self>> {
        transaction.query_optional(
            &format!(
                "SELECT {FOLDER} FROM files.folders WHERE owner = $1 AND path = $2 AND deleted_at IS NULL"
            ),
            params![owner, path],
        )
    }

    /// Whether another folder is this one, or lies in it.
    fn holds(&self, other: &Self) -> bool {
        other.id == self.id
            || other
                .path
                .strip_prefix(&self.path)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

/// The path of a name in a folder; at the top without one.
pub(crate) fn path_in(folder: Option<&Folder>, name: &str) -> String {
    match folder {
        Some(folder) => format!("{}/{name}", folder.path),
        None => name.to_owned(),
    }
}

/// Whether a file or a folder has that path.
pub(crate) fn is_taken(transaction: &Transaction, owner: &str, path: &str) -> Result<bool> {
    let found: Option<i64> = transaction.query_optional(
        "SELECT 1 FROM files.objects WHERE owner = $1 AND path = $2 AND deleted_at IS NULL \
         UNION ALL SELECT 1 FROM files.folders WHERE owner = $1 AND path = $2 AND deleted_at IS NULL",
        params![owner, path],
    )?;
    Ok(found.is_some())
}

/// Makes a folder.
pub(crate) fn make(
    transaction: &Transaction,
    owner: &str,
    parent: Option<&Folder>,
    folder_name: &str,
    settings: &Settings,
) -> Result<Folder> {
    let depth = parent.map_or(0, |parent| parent.depth) + 1;
    let path = name::check_path(&path_in(parent, folder_name))?;
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    account::charge(transaction, owner, Change::FOLDER, settings)?;
    if is_taken(transaction, owner, &path)? {
        return Err(taken());
    }
    let made: Option<Folder> = transaction.query_optional(
        &format!(
            "INSERT INTO files.folders ({FOLDER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, NULL) RETURNING {FOLDER}"
        ),
        params![
            Uuid::now_v7().to_string(),
            owner,
            parent.map(|parent| parent.id.as_str()),
            folder_name,
            path,
            depth,
            moment::now_ms()
        ],
    )?;
    made.ok_or_else(|| Error::internal("a folder was not made"))
}

/// The folder of that path, made with all on the way to it; none for the top.
pub(crate) fn make_way(
    transaction: &Transaction,
    owner: &str,
    path: &str,
    settings: &Settings,
) -> Result<Option<Folder>> {
    if path.is_empty() {
        return Ok(None);
    }
    if let Some(there) = Folder::at(transaction, owner, path)? {
        return Ok(Some(there));
    }
    let (above, own) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = make_way(transaction, owner, above, settings)?;
    make(transaction, owner, parent.as_ref(), own, settings).map(Some)
}

/// Gives a folder another name, another parent or both. The folder and its
/// parent have been read in this transaction.
///
/// # Errors
/// `folder_cycle`, `path_taken`, `folder_too_deep`, `invalid_path`.
pub(crate) fn relocate(
    transaction: &Transaction,
    folder: &Folder,
    parent: Option<&Folder>,
    folder_name: &str,
) -> Result<Folder> {
    if parent.is_some_and(|parent| folder.holds(parent)) {
        return Err(Error::conflict(
            "folder_cycle",
            "a folder cannot lie in itself",
        ));
    }
    let path = name::check_path(&path_in(parent, folder_name))?;
    let deeper = parent.map_or(0, |parent| parent.depth) + 1 - folder.depth;
    untold::folder(transaction, &folder.id)?;
    if path != folder.path {
        if is_taken(transaction, &folder.owner, &path)? {
            return Err(taken());
        }
        check_room_below(transaction, folder, &path, deeper, "deleted_at IS NULL")?;
        for (table, set_depth) in [
            ("folders", ", depth = depth + CAST($5 AS BIGINT)"),
            ("objects", ""),
        ] {
            let mut parameters = params![
                &folder.owner,
                format!("{}/", folder.path),
                format!("{path}/"),
                characters(&folder.path) + 1
            ];
            if !set_depth.is_empty() {
                parameters.push(deeper.into());
            }
            transaction.execute(
                &format!(
                    "UPDATE files.{table} SET path = $3 || substr(path, CAST($4 AS INTEGER) + 1){set_depth} \
                     WHERE owner = $1 AND deleted_at IS NULL AND substr(path, 1, CAST($4 AS INTEGER)) = $2"
                ),
                parameters,
            )?;
        }
    }
    let moved: Option<Folder> = transaction.query_optional(
        &format!(
            "UPDATE files.folders SET parent_id = $2, name = $3, path = $4, depth = depth + CAST($5 AS BIGINT), \
             updated_at = $6 WHERE id = $1 RETURNING {FOLDER}"
        ),
        params![
            &folder.id,
            parent.map(|parent| parent.id.as_str()),
            folder_name,
            path,
            deeper,
            moment::now_ms()
        ],
    )?;
    moved.ok_or_else(|| Error::internal("a folder is gone under its lock"))
}

pub(crate) fn characters(path: &str) -> i64 {
    i64::try_from(path.chars().count()).unwrap_or(i64::MAX)
}

/// Refuses a move after which something below would lie too deep, or have a
/// path too long; `condition` says which of those below count.
pub(crate) fn check_room_below(
    transaction: &Transaction,
    folder: &Folder,
    path: &str,
    deeper: i64,
    condition: &str,
) -> Result<()> {
    #[derive(Deserialize)]
    struct Below {
        depth: i64,
        longest: i64,
    }
    let below: Option<Below> = transaction.query_optional(
        &format!(
            "SELECT COALESCE(MAX(depth), 0) AS depth, COALESCE(MAX(octet_length(path)), 0) AS longest FROM ( \
             SELECT depth, path FROM files.folders WHERE owner = $1 AND {condition} \
             AND substr(path, 1, CAST($3 AS INTEGER)) = $2 \
             UNION ALL SELECT 0, path FROM files.objects WHERE owner = $1 AND {condition} \
             AND substr(path, 1, CAST($3 AS INTEGER)) = $2) AS below"
        ),
        params![
            &folder.owner,
            format!("{}/", folder.path),
            characters(&folder.path) + 1
        ],
    )?;
    let Some(below) = below else { return Ok(()) };
    if folder.depth.max(below.depth) + deeper > MAX_DEPTH {
        return Err(too_deep());
    }
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let grown = length(path.len()) - length(folder.path.len());
    if below.longest + grown > length(name::MAX_PATH) {
        return Err(Error::invalid(
            "invalid_path",
            "a path below the folder would have more than 1024 bytes",
        ));
    }
    Ok(())
}

/// 409 for a path that is not free.
pub(crate) fn taken() -> Error {
    Error::conflict(
        "path_taken",
        "there is another file or folder of that name, choose another name",
    )
}

fn too_deep() -> Error {
    Error::invalid(
        "folder_too_deep",
        format!("folders lie in each other {MAX_DEPTH} deep at most"),
    )
}

/// 404.
pub(crate) fn unknown_folder() -> Error {
    Error::not_found("folder")
}
