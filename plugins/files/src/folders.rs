//! `/folders`: made, listed, renamed, moved, thrown away and taken back. A
//! folder belongs to one owner with all that lies in it.

use crate::{
    access::{self, Permission, Role, Subject},
    account, cursor,
    happened::{self, Change as Happened},
    name,
    settings::Settings,
    sweep, trash,
    tree::{self, FOLDER, Folder},
    untold,
};
use atlashub_sdk::{prelude::*, sql::Transaction};

/// A folder as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Metadata {
    id: String,
    name: String,
    path: String,
    parent_id: Option<String>,
    owner_id: Option<String>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
}

impl Folder {
    /// What matters for who may use it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            owner: &self.owner,
            id: &self.id,
            folder: self.parent_id.as_deref(),
        }
    }

    pub(crate) fn metadata(self) -> Metadata {
        Metadata {
            owner_id: Some(self.owner).filter(|owner| !owner.is_empty()),
            created_at: moment::rfc3339(self.created_at),
            updated_at: moment::rfc3339(self.updated_at),
            deleted_at: self.deleted_at.map(moment::rfc3339),
            id: self.id,
            name: self.name,
            path: self.path,
            parent_id: self.parent_id,
        }
    }
}

/// The folder of that id, in the trash or not, if this caller may do so much
/// with it.
pub(crate) fn find_for(
    id: &str,
    caller: &Caller,
    permission: Permission,
    least: Role,
) -> Result<Folder> {
    let folder = Folder::find(id)?.filter(|folder| folder.deleted_at != Some(0));
    let Some(folder) = folder else {
        access::scope(caller, permission)?;
        return Err(tree::unknown_folder());
    };
    access::require(caller, permission, folder.subject(), least).map_err(|error| {
        if error.status() == StatusCode::NOT_FOUND {
            tree::unknown_folder()
        } else {
            error
        }
    })?;
    Ok(folder)
}

/// As [`find_for`], for what is not in the trash.
pub(crate) fn live_for(
    id: &str,
    caller: &Caller,
    permission: Permission,
    least: Role,
) -> Result<Folder> {
    let folder = find_for(id, caller, permission, least)?;
    if folder.deleted_at.is_some() {
        return Err(tree::unknown_folder());
    }
    Ok(folder)
}

/// The folder, read again in a transaction that holds its owner's lock.
fn locked(transaction: &Transaction, folder: &Folder) -> Result<Folder> {
    account::lock(transaction, &folder.owner)?;
    Folder::live(transaction, &folder.id)?.ok_or_else(tree::unknown_folder)
}

/// Where a folder is to lie, within a transaction; the top when it is `None`.
fn parent_of(transaction: &Transaction, owner: &str, id: Option<&str>) -> Result<Option<Folder>> {
    crate::place::folder_of(transaction, owner, id)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    name: Option<String>,
    parent_id: Option<String>,
    /// Instead of a name: all folders on the way are made, and it is no
    /// mistake when they are there.
    path: Option<String>,
}

/// `POST /folders`.
pub(crate) fn create(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(new): Json<New>,
) -> Result<Response> {
    let own = access::owner(&caller, Permission::Write)?;
    let owner = match &new.parent_id {
        Some(id) => live_for(id, &caller, Permission::Write, Role::Editor)?.owner,
        None => own,
    };
    let folder = match (new.name, new.path) {
        (Some(given), None) => {
            let given = name::check_name(&given)?;
            sql::transaction(|transaction| {
                account::lock(transaction, &owner)?;
                let parent = parent_of(transaction, &owner, new.parent_id.as_deref())?;
                tree::make(transaction, &owner, parent.as_ref(), &given, &settings)
            })?
        }
        (None, Some(path)) => {
            let path = name::check_path(&path)?;
            let made = sql::transaction(|transaction| {
                account::lock(transaction, &owner)?;
                let parent = parent_of(transaction, &owner, new.parent_id.as_deref())?;
                let path = name::check_path(&tree::path_in(parent.as_ref(), &path))?;
                tree::make_way(transaction, &owner, &path, &settings)
            })?;
            made.ok_or_else(|| Error::internal("no folder was made"))?
        }
        _ => {
            return Err(Error::invalid(
                "invalid_body",
                "a folder has either a `name` or a `path`",
            ));
        }
    };
    happened::tell(Happened::FolderMade, &folder.id, Some(&folder.path));
    let location = format!("{}/folders/{}", identity::public_url(), folder.id);
    Ok((
        StatusCode::CREATED,
        [("location", location)],
        Json(folder.metadata()),
    )
        .into_response())
}

/// `GET /folders/{id}`.
pub(crate) fn get(Path(id): Path<String>, caller: Caller) -> Result<Json<Metadata>> {
    let folder = live_for(&id, &caller, Permission::Read, Role::Viewer)?;
    Ok(Json(folder.metadata()))
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
    /// Those in this folder; `root` or nothing for those at the top.
    parent_id: Option<String>,
    /// For those who see everybody's.
    owner: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Page {
    items: Vec<Metadata>,
    next_cursor: Option<String>,
}

/// `GET /folders`: by name, each page after the last row of the one before.
pub(crate) fn list(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let own = access::owner(&caller, Permission::Read)?;
    let parent = wishes.parent_id.as_deref().filter(|id| *id != "root");
    let owner = match parent {
        Some(id) => live_for(id, &caller, Permission::Read, Role::Viewer)?.owner,
        None => match &wishes.owner {
            Some(other) if access::sees_all(&caller) => other.clone(),
            _ => own,
        },
    };
    let place = if parent.is_some() {
        "parent_id = $2"
    } else {
        "parent_id IS NULL AND $2 = ''"
    };
    let condition = format!("owner = $1 AND {place} AND deleted_at IS NULL");
    let parameters = params![owner, parent.unwrap_or_default()];
    page(&condition, parameters, &wishes)
}

/// `GET /folders/trash`: those that were thrown away themselves.
pub(crate) fn trashed(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Json<Page>> {
    let owner = access::owner(&caller, Permission::Read)?;
    let condition = "owner = $1 AND deleted_at > 0 AND trashed_with = id";
    page(condition, params![owner], &wishes)
}

fn page(condition: &str, mut parameters: Vec<sql::Value>, wishes: &Wishes) -> Result<Json<Page>> {
    let limit = cursor::limit(wishes.limit);
    let after = match &wishes.cursor {
        Some(text) => {
            let (position, id) = cursor::read(text)?;
            parameters.extend(params![position, id]);
            let count = parameters.len();
            format!(" AND (name, id) > (${}, ${count})", count - 1)
        }
        None => String::new(),
    };
    let folders: Vec<Folder> = sql::query(
        &format!(
            "SELECT {FOLDER} FROM files.folders WHERE {condition}{after} ORDER BY name, id LIMIT {}",
            limit + 1
        ),
        parameters,
    )?;
    let (folders, next_cursor) = cursor::cut(folders, limit, |folder| {
        (folder.name.clone(), folder.id.clone())
    });
    let items = folders.into_iter().map(Folder::metadata).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// What may be changed; a parent of `null` is the top.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    name: Option<String>,
    #[serde(default, deserialize_with = "crate::change::present")]
    parent_id: Option<Option<String>>,
}

/// `PATCH /folders/{id}`: another name, another parent, or both.
pub(crate) fn update(
    Path(id): Path<String>,
    caller: Caller,
    Json(changes): Json<Changes>,
) -> Result<Json<Metadata>> {
    relocate(&id, &caller, changes.name, changes.parent_id)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Goal {
    parent_id: Option<String>,
}

/// `POST /folders/{id}/move`.
pub(crate) fn move_to(
    Path(id): Path<String>,
    caller: Caller,
    Json(goal): Json<Goal>,
) -> Result<Json<Metadata>> {
    relocate(&id, &caller, None, Some(goal.parent_id))
}

fn relocate(
    id: &str,
    caller: &Caller,
    new_name: Option<String>,
    new_parent: Option<Option<String>>,
) -> Result<Json<Metadata>> {
    let known = live_for(id, caller, Permission::Write, Role::Editor)?;
    let new_name = new_name.as_deref().map(name::check_name).transpose()?;
    if let Some(parent) = &new_parent {
        access::may_move(caller, known.subject(), parent.as_deref())?;
    }
    let folder = untold::transaction(|transaction| {
        let folder = locked(transaction, &known)?;
        let parent_id = new_parent.as_ref().unwrap_or(&folder.parent_id).as_deref();
        let parent = parent_of(transaction, &folder.owner, parent_id)?;
        let new_name = new_name.as_deref().unwrap_or(&folder.name);
        tree::relocate(transaction, &folder, parent.as_ref(), new_name)
    })?;
    happened::tell(Happened::FolderChanged, id, Some(&folder.path));
    Ok(Json(folder.metadata()))
}

/// `DELETE /folders/{id}`: to the trash with all in it; for good with
/// `?permanent=1`.
pub(crate) fn delete(
    Path(id): Path<String>,
    Query(how): Query<trash::How>,
    caller: Caller,
) -> Result<StatusCode> {
    let least = if how.permanent {
        Role::Owner
    } else {
        Role::Editor
    };
    let folder = find_for(&id, &caller, Permission::Delete, least)?;
    if how.permanent {
        trash::condemn_folder(&folder)?;
        sweep::delete_condemned();
        happened::tell(Happened::FolderDeleted, &id, Some(&folder.path));
    } else if folder.deleted_at.is_none() {
        trash::throw_folder(&folder)?;
        happened::tell(Happened::FolderTrashed, &id, Some(&folder.path));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /folders/{id}/restore`: out of the trash, with all that went with it.
pub(crate) fn restore(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Metadata>> {
    let folder = find_for(&id, &caller, Permission::Write, Role::Editor)?;
    if folder.deleted_at.is_none() {
        return Ok(Json(folder.metadata()));
    }
    let folder = trash::take_folder_back(&folder, &settings)?;
    happened::tell(Happened::FolderRestored, &id, Some(&folder.path));
    Ok(Json(folder.metadata()))
}
