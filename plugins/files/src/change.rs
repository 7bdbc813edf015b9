//! `GET`, `PATCH` and `DELETE /files/{id}`, `POST /files/{id}/restore`.

use crate::{
    BUCKET,
    access::{self, Permission},
    name,
    record::{COLUMNS, Metadata, Record, Visibility, check_description, clean_tags, now_ms},
};
use atlashub_sdk::prelude::*;

pub(crate) fn metadata(Path(id): Path<String>) -> Result<Json<Metadata>> {
    let record = Record::find(&id)?
        .filter(|record| record.deleted_at.is_none())
        .ok_or_else(access::missing)?;
    access::check_readable(&record.owner, record.visibility)?;
    Ok(Json(record.metadata(&identity::public_url())))
}

/// What may be changed. A description of `null` removes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changes {
    filename: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    visibility: Option<Visibility>,
    tags: Option<Vec<String>>,
    folder_id: Option<String>,
}

/// Tells `null` from what is not there.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

pub(crate) fn update(
    Path(id): Path<String>,
    caller: Caller,
    Json(changes): Json<Changes>,
) -> Result<Json<Metadata>> {
    if changes.folder_id.is_some() {
        return Err(no_folders());
    }
    let record = Record::find_for(&id, &caller, Permission::Write)?;
    if record.deleted_at.is_some() {
        return Err(access::unknown());
    }
    let filename = changes
        .filename
        .as_deref()
        .map(name::check_name)
        .transpose()?
        .unwrap_or(record.filename);
    let path = name::rename(&record.path, &filename);
    let description = changes.description.unwrap_or(record.description);
    description.as_deref().map(check_description).transpose()?;
    let tags = changes
        .tags
        .map(clean_tags)
        .transpose()?
        .unwrap_or(record.tags);
    let visibility = changes.visibility.unwrap_or(record.visibility);
    if visibility != record.visibility {
        Permission::Share.require()?;
    }
    let changed: Option<Record> = sql::query_optional(
        &format!(
            "UPDATE files.objects SET filename = $2, path = $3, description = $4, tags = $5, visibility = $6, \
             updated_at = $7 WHERE id = $1 AND deleted_at IS NULL RETURNING {COLUMNS}"
        ),
        params![
            id,
            filename,
            path,
            description,
            sql::Value::json(&tags)?,
            visibility.as_str(),
            now_ms()
        ],
    )
    .map_err(taken)?;
    let changed = changed.ok_or_else(access::unknown)?;
    Ok(Json(changed.metadata(&identity::public_url())))
}

#[derive(Debug, Deserialize)]
pub(crate) struct HowToDelete {
    #[serde(default)]
    permanent: bool,
}

pub(crate) fn delete(
    Path(id): Path<String>,
    Query(how): Query<HowToDelete>,
    caller: Caller,
) -> Result<StatusCode> {
    let record = Record::find_for(&id, &caller, Permission::Delete)?;
    if how.permanent {
        // The bytes go only after nothing refers to them any more.
        let gone = sql::execute(
            "DELETE FROM files.objects WHERE id = $1 AND object_key = $2",
            params![&id, &record.object_key],
        )?;
        if gone == 0 {
            return Err(Error::conflict(
                "file_changed",
                "the file was changed meanwhile, try again",
            ));
        }
        forget(&record.object_key);
        note("object.delete", &id);
    } else {
        let trashed = sql::execute(
            "UPDATE files.objects SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL",
            params![&id, now_ms()],
        )?;
        if trashed > 0 {
            note("object.trash", &id);
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Notes in the audit what was done. It has been done: a failure is for the
/// log.
pub(crate) fn note(action: &str, id: &str) {
    let nothing_more = std::collections::BTreeMap::<&str, &str>::new();
    if let Err(error) = audit::append(action, Some(id), &nothing_more) {
        log::warn!("{action} of {id} is not in the audit: {error}");
    }
}

/// Deletes bytes that no row refers to. Should that fail they are lost space,
/// not a lost file, and the caller's request has been done.
pub(crate) fn forget(object_key: &str) {
    if let Err(error) = BUCKET.delete(object_key) {
        log::error!("delete the object {object_key}: {error}");
    }
}

pub(crate) fn restore(Path(id): Path<String>, caller: Caller) -> Result<Json<Metadata>> {
    let record = Record::find_for(&id, &caller, Permission::Write)?;
    if record.deleted_at.is_none() {
        return Ok(Json(record.metadata(&identity::public_url())));
    }
    let restored: Option<Record> = sql::query_optional(
        &format!("UPDATE files.objects SET deleted_at = NULL WHERE id = $1 RETURNING {COLUMNS}"),
        params![&id],
    )
    .map_err(taken)?;
    let restored = restored.ok_or_else(access::unknown)?;
    note("object.restore", &id);
    Ok(Json(restored.metadata(&identity::public_url())))
}

/// Says that a path belongs to another file.
fn taken(error: Error) -> Error {
    if error.code() == "sql_constraint_unique" {
        return Error::conflict(
            "path_taken",
            "there is another file of that name, rename one of them",
        );
    }
    error
}

/// 422: folders are not there yet.
pub(crate) fn no_folders() -> Error {
    Error::invalid(
        "folders_unsupported",
        "there are no folders here, leave `folder_id` out",
    )
}
