//! Who else may use a file or a folder: roles of users, given by its owner or
//! by those who have the role `admin` on it; and what is shared with oneself.

use crate::{
    access::{self, Permission, Role},
    account, cursor,
    happened::{self, Change},
    notice,
    readable::INSIDE,
    record::{COLUMNS, Metadata, Record},
    target::{Kind, Target},
    tree::{FOLDER, Folder},
};
use atlashub_sdk::{prelude::*, users::User};
use uuid::Uuid;

/// Most users who have a role on one file or folder.
const MOST: i64 = 500;

/// Whom a role is for, and which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    user: Option<String>,
    handle: Option<String>,
    email: Option<String>,
    role: Role,
}

/// A row of `files.permissions`.
#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    subject: String,
    user_id: String,
    role: Role,
    granted_by: Option<String>,
    created_at: i64,
}

const ROW: &str = "id, subject, user_id, role, granted_by, created_at";

/// A role that a user has.
#[derive(Debug, Serialize)]
struct Granted {
    id: String,
    user_id: String,
    handle: Option<String>,
    name: Option<String>,
    role: Role,
    granted_by: Option<String>,
    created_at: String,
}

impl Granted {
    fn of(row: Row, user: Option<User>) -> Self {
        let (handle, name) = user
            .map(|user| (user.handle, user.name))
            .unwrap_or_default();
        Self {
            id: row.id,
            user_id: row.user_id,
            handle,
            name,
            role: row.role,
            granted_by: row.granted_by,
            created_at: moment::rfc3339(row.created_at),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

pub(crate) fn grant_file(
    Path(id): Path<String>,
    caller: Caller,
    Json(grant): Json<Grant>,
) -> Result<Response> {
    give(Kind::File, &id, &caller, grant)
}

pub(crate) fn grant_folder(
    Path(id): Path<String>,
    caller: Caller,
    Json(grant): Json<Grant>,
) -> Result<Response> {
    give(Kind::Folder, &id, &caller, grant)
}

/// Gives a user a role, instead of the one that the user had there.
fn give(kind: Kind, id: &str, caller: &Caller, grant: Grant) -> Result<Response> {
    let target = Target::live_for(kind, id, caller, Permission::Share, Role::Admin)?;
    if grant.role == Role::Owner {
        return Err(Error::invalid(
            "invalid_role",
            "the role is `viewer`, `editor` or `admin`",
        ));
    }
    let user = find_user(&grant)?;
    let subject = target.subject();
    if user.id == subject.owner {
        return Err(Error::invalid(
            "user_is_owner",
            "the owner may do everything already",
        ));
    }
    let row = sql::transaction(|transaction| {
        account::lock(transaction, subject.owner)?;
        let others: Option<i64> = transaction.query_optional(
            "SELECT COUNT(*) FROM files.permissions WHERE subject = $1 AND user_id <> $2",
            params![id, &user.id],
        )?;
        if others.unwrap_or_default() >= MOST {
            return Err(Error::conflict(
                "too_many_permissions",
                "it is shared with as many users as can be",
            ));
        }
        let row: Option<Row> = transaction.query_optional(
            &format!(
                "INSERT INTO files.permissions (id, subject, kind, user_id, role, granted_by, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (subject, user_id) \
                 DO UPDATE SET role = excluded.role, granted_by = excluded.granted_by RETURNING {ROW}"
            ),
            params![
                Uuid::now_v7().to_string(),
                id,
                kind.as_str(),
                &user.id,
                grant.role.as_str(),
                caller.id.as_deref(),
                moment::now_ms()
            ],
        )?;
        row.ok_or_else(|| Error::internal("a role was not written"))
    })?;
    let detail = format!("{} {}", user.id, grant.role.as_str());
    happened::tell(Change::Granted, id, Some(&detail));
    notice::shared(&target, &user.id, caller);
    Ok((StatusCode::CREATED, Json(Granted::of(row, Some(user)))).into_response())
}

fn find_user(grant: &Grant) -> Result<User> {
    let found = match (&grant.user, &grant.handle, &grant.email) {
        (Some(id), None, None) => users::get(id)?,
        (None, Some(handle), None) => {
            let handle = handle.trim_start_matches('@');
            users::find(&format!("@{handle}"))?
        }
        (None, None, Some(email)) => users::find(email)?.filter(|_| email.contains('@')),
        _ => {
            return Err(Error::invalid(
                "invalid_body",
                "say whom by one of `user`, `handle` and `email`",
            ));
        }
    };
    found.ok_or_else(|| {
        Error::new(
            StatusCode::NOT_FOUND,
            "user_not_found",
            "the project has no such user",
        )
    })
}

pub(crate) fn of_file(
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Page<impl Serialize>>> {
    list(Kind::File, &id, &caller)
}

pub(crate) fn of_folder(
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Json<Page<impl Serialize>>> {
    list(Kind::Folder, &id, &caller)
}

/// Those who were given a role here; a folder's hold for what lies in it.
fn list(kind: Kind, id: &str, caller: &Caller) -> Result<Json<Page<Granted>>> {
    Target::live_for(kind, id, caller, Permission::Read, Role::Admin)?;
    let rows: Vec<Row> = sql::query(
        &format!("SELECT {ROW} FROM files.permissions WHERE subject = $1 ORDER BY id"),
        params![id],
    )?;
    let items = rows.into_iter().map(|row| {
        let user = users::get(&row.user_id)?;
        Ok(Granted::of(row, user))
    });
    Ok(Json(Page {
        items: items.collect::<Result<_>>()?,
        next_cursor: None,
    }))
}

pub(crate) fn revoke_file(
    Path((id, whose)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode> {
    revoke(Kind::File, &id, &whose, &caller)
}

pub(crate) fn revoke_folder(
    Path((id, whose)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode> {
    revoke(Kind::Folder, &id, &whose, &caller)
}

/// Takes a role away, named by its id or by its user. Everybody may give up
/// their own.
fn revoke(kind: Kind, id: &str, whose: &str, caller: &Caller) -> Result<StatusCode> {
    let row: Option<Row> = sql::query_optional(
        &format!(
            "SELECT {ROW} FROM files.permissions WHERE subject = $1 AND (id = $2 OR user_id = $2)"
        ),
        params![id, whose],
    )?;
    let is_own = row
        .as_ref()
        .is_some_and(|row| caller.id.as_ref() == Some(&row.user_id));
    let (permission, least) = if is_own {
        (Permission::Read, Role::Viewer)
    } else {
        (Permission::Share, Role::Admin)
    };
    Target::live_for(kind, id, caller, permission, least)?;
    let row = row.ok_or_else(|| Error::not_found("permission"))?;
    let gone = sql::execute(
        "DELETE FROM files.permissions WHERE id = $1",
        params![row.id],
    )?;
    if gone > 0 {
        happened::tell(Change::Revoked, id, Some(&row.user_id));
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    limit: Option<u32>,
    cursor: Option<String>,
    /// Of files: also those in folders that were shared, however deep.
    inside: Option<bool>,
}

/// Something that another shares with the caller.
#[derive(Debug, Serialize)]
struct Shared<T> {
    #[serde(flatten)]
    what: T,
    role: Role,
    shared_by: Option<String>,
    shared_at: String,
}

/// `GET /files/shared-with-me`: the files that were shared themselves, the
/// latest first; with `inside`, all that others let the caller read, the
/// newest first.
pub(crate) fn shared_files(Query(wishes): Query<Wishes>, caller: Caller) -> Result<Response> {
    if wishes.inside == Some(true) {
        return Ok(Json(inside(&caller, &wishes)?).into_response());
    }
    let base = identity::public_url();
    let page = shared(&caller, &wishes, Kind::File, COLUMNS, |record: Record| {
        (record.id.clone(), record.metadata(&base))
    })?;
    Ok(Json(page).into_response())
}

fn inside(caller: &Caller, wishes: &Wishes) -> Result<Page<Metadata>> {
    let own = access::owner(caller, Permission::Read)?;
    let limit = cursor::limit(wishes.limit);
    let mut parameters = params![own];
    let after = match &wishes.cursor {
        Some(text) => {
            let (at, id) = cursor::read_number(text)?;
            parameters.extend(params![at, id]);
            " AND (created_at, id) < ($2, $3)"
        }
        None => "",
    };
    let records: Vec<Record> = sql::query(
        &format!(
            "WITH RECURSIVE {INSIDE} SELECT {COLUMNS} FROM files.objects \
             WHERE deleted_at IS NULL AND owner <> $1 AND (id IN (SELECT subject FROM files.permissions \
             WHERE user_id = $1 AND kind = 'file') OR (owner, folder_id) IN (SELECT owner, id FROM inside)){after} \
             ORDER BY created_at DESC, id DESC LIMIT {}",
            limit + 1
        ),
        parameters,
    )?;
    let (records, next_cursor) = cursor::cut(records, limit, |record| {
        (record.created_at.to_string(), record.id.clone())
    });
    let base = identity::public_url();
    let items = records.into_iter().map(|record| record.metadata(&base));
    Ok(Page {
        items: items.collect(),
        next_cursor,
    })
}

/// `GET /folders/shared-with-me`.
pub(crate) fn shared_folders(
    Query(wishes): Query<Wishes>,
    caller: Caller,
) -> Result<Json<Page<impl Serialize>>> {
    shared(&caller, &wishes, Kind::Folder, FOLDER, |folder: Folder| {
        (folder.id.clone(), folder.metadata())
    })
    .map(Json)
}

/// The latest first.
fn shared<R: serde::de::DeserializeOwned, T>(
    caller: &Caller,
    wishes: &Wishes,
    kind: Kind,
    columns: &str,
    metadata: impl Fn(R) -> (String, T),
) -> Result<Page<Shared<T>>> {
    let own = access::owner(caller, Permission::Read)?;
    let table = match kind {
        Kind::File => "objects",
        Kind::Folder => "folders",
    };
    let limit = cursor::limit(wishes.limit);
    let mut parameters = params![own, kind.as_str()];
    let after = match &wishes.cursor {
        Some(text) => {
            let (at, id) = cursor::read_number(text)?;
            parameters.extend(params![at, id]);
            " AND (created_at, id) < ($3, $4)"
        }
        None => "",
    };
    let rows: Vec<Row> = sql::query(
        &format!(
            "SELECT {ROW} FROM files.permissions AS p WHERE user_id = $1 AND kind = $2{after} \
             AND EXISTS (SELECT 1 FROM files.{table} AS t WHERE t.id = p.subject AND t.deleted_at IS NULL) \
             ORDER BY created_at DESC, id DESC LIMIT {}",
            limit + 1
        ),
        parameters,
    )?;
    let (rows, next_cursor) = cursor::cut(rows, limit, |row| {
        (row.created_at.to_string(), row.id.clone())
    });
    let mut known = find_all(&rows, table, columns, metadata)?;
    let items = rows
        .into_iter()
        .filter_map(|row| {
            let index = known.iter().position(|(id, _)| *id == row.subject)?;
            Some(Shared {
                what: known.swap_remove(index).1,
                role: row.role,
                shared_by: row.granted_by,
                shared_at: moment::rfc3339(row.created_at),
            })
        })
        .collect();
    Ok(Page { items, next_cursor })
}

fn find_all<R: serde::de::DeserializeOwned, T>(
    rows: &[Row],
    table: &str,
    columns: &str,
    metadata: impl Fn(R) -> (String, T),
) -> Result<Vec<(String, T)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=rows.len()).map(|place| format!("${place}")).collect();
    let ids = rows.iter().map(|row| row.subject.as_str().into()).collect();
    let found: Vec<R> = sql::query(
        &format!(
            "SELECT {columns} FROM files.{table} WHERE deleted_at IS NULL AND id IN ({})",
            places.join(", ")
        ),
        ids,
    )?;
    Ok(found.into_iter().map(metadata).collect())
}
