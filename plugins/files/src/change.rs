//! `GET`, `PATCH` and `DELETE /files/{id}`, `POST /files/{id}/restore`.

use crate::{
    access::{self, Permission, Role},
    happened::{self, Change},
    name, place,
    record::{COLUMNS, Metadata, Record, Visibility, check_description, clean_tags},
    settings::Settings,
    trash, tree, untold,
};
use atlashub_sdk::prelude::*;

pub(crate) fn metadata(Path(id): Path<String>) -> Result<Json<Metadata>> {
    let record = Record::find(&id)?
        .filter(|record| record.deleted_at.is_none())
        .ok_or_else(access::missing)?;
    access::check_readable(record.subject(), record.visibility)?;
    Ok(Json(record.metadata(&identity::public_url())))
}

/// What may be changed. A description of `null` removes it, a folder of
/// `null` is the top.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    filename: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    visibility: Option<Visibility>,
    tags: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    folder_id: Option<Option<String>>,
}

/// Tells `null` from what is not there.
pub(crate) fn present<'de, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

pub(crate) fn update(
    Path(id): Path<String>,
    caller: Caller,
    Json(changes): Json<Changes>,
) -> Result<Json<Metadata>> {
    let known = Record::live_for(&id, &caller, Permission::Write, Role::Editor)?;
    let filename = changes
        .filename
        .as_deref()
        .map(name::check_name)
        .transpose()?;
    if let Some(Some(description)) = &changes.description {
        check_description(description)?;
    }
    let tags = changes.tags.map(clean_tags).transpose()?;
    if changes
        .visibility
        .is_some_and(|wanted| wanted != known.visibility)
    {
        Permission::Share.require()?;
        access::require(&caller, Permission::Write, known.subject(), Role::Admin)?;
    }
    if let Some(folder) = &changes.folder_id {
        access::may_move(&caller, known.subject(), folder.as_deref())?;
    }
    let (before, changed) = untold::transaction(|transaction| {
        let record = place::locked(transaction, &id)?;
        let before = record.visibility;
        let filename = filename.unwrap_or(record.filename);
        let folder_id = changes.folder_id.unwrap_or(record.folder_id);
        let folder = place::folder_of(transaction, &record.owner, folder_id.as_deref())?;
        let path = name::check_path(&tree::path_in(folder.as_ref(), &filename))?;
        if path != record.path && tree::is_taken(transaction, &record.owner, &path)? {
            return Err(tree::taken());
        }
        untold::file(transaction, &id)?;
        let changed: Option<Record> = transaction.query_optional(
            &format!(
                "UPDATE files.objects SET filename = $2, path = $3, description = $4, tags = $5, \
                 visibility = $6, folder_id = $7, updated_at = $8 WHERE id = $1 RETURNING {COLUMNS}"
            ),
            params![
                &id,
                filename,
                path,
                changes.description.unwrap_or(record.description),
                sql::Value::json(&tags.unwrap_or(record.tags))?,
                changes.visibility.unwrap_or(record.visibility).as_str(),
                folder.map(|folder| folder.id),
                moment::now_ms()
            ],
        )?;
        Ok((before, changed.ok_or_else(access::unknown)?))
    })?;
    let what = match (before, changed.visibility) {
        (Visibility::Private, Visibility::Public) => Change::Published,
        (Visibility::Public, Visibility::Private) => Change::Hidden,
        _ => Change::Changed,
    };
    happened::tell(what, &id, Some(&changed.path));
    Ok(Json(changed.metadata(&identity::public_url())))
}

pub(crate) fn delete(
    Path(id): Path<String>,
    Query(how): Query<trash::How>,
    expected: Precondition,
    caller: Caller,
) -> Result<StatusCode> {
    let least = if how.permanent {
        Role::Owner
    } else {
        Role::Editor
    };
    let record = Record::find_for(&id, &caller, Permission::Delete, least)?;
    if how.permanent {
        trash::delete_file(&record, &expected)?;
        happened::told_before(Change::Deleted, &id, Some(&record.path));
    } else if trash::throw_file(&record, &expected)? {
        happened::tell(Change::Trashed, &id, Some(&record.path));
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn restore(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Metadata>> {
    let record = Record::find_for(&id, &caller, Permission::Write, Role::Editor)?;
    if record.deleted_at.is_none() {
        return Ok(Json(record.metadata(&identity::public_url())));
    }
    let restored = trash::take_file_back(&id, &settings)?;
    happened::tell(Change::Restored, &id, Some(&restored.path));
    Ok(Json(restored.metadata(&identity::public_url())))
}
