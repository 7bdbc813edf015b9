//! `PUT /files/{id}/content`, `GET /files/{id}/versions`, a former version's
//! bytes, and `POST /files/{id}/versions/{n}/restore`.

use crate::{
    access::{Permission, Role},
    account::{self, Change},
    conditions, contents,
    happened::{self, Change as Happened},
    intake::{Intake, stated_length},
    notice, place,
    record::{COLUMNS, Metadata, Record, etag},
    settings::Settings,
    untold,
};
use atlashub_sdk::prelude::*;

/// New bytes for a file. With `If-Match` only for the bytes that are known.
pub(crate) fn put_content(
    Path(id): Path<String>,
    mut request: Request,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let record = Record::live_for(&id, &caller, Permission::Write, Role::Editor)?;
    let expected = Precondition::of(request.headers());
    conditions::check(&expected, Some(&record.sha256))?;
    let mut intake = Intake::new(record.owner, settings)?;
    intake.replaces(record.size);
    let claimed = request.header("content-type").map(str::to_owned);
    let size = stated_length(&request);
    intake.store(
        request.take_body(),
        size,
        record.filename,
        claimed.as_deref(),
    )?;
    let Some(stored) = intake.stored.last() else {
        return Err(Error::internal("nothing was stored"));
    };
    let record = place::put_content(&id, &expected, stored, &intake.settings)?;
    intake.stored.pop();
    let etag = etag(&record.sha256);
    let metadata = Json(record.metadata(&identity::public_url()));
    Ok((StatusCode::OK, [("etag", etag)], metadata).into_response())
}

/// A row of `files.versions`.
#[derive(Debug, Deserialize)]
pub(crate) struct Former {
    pub(crate) version: u64,
    pub(crate) object_key: String,
    pub(crate) size: u64,
    pub(crate) mime_type: String,
    pub(crate) sha256: String,
    pub(crate) created_at: i64,
    created_by: Option<String>,
}

const FORMER: &str = "SELECT version, object_key, size, mime_type, sha256, created_at, created_by FROM files.versions";

/// A version, the present one or a former.
#[derive(Debug, Serialize)]
struct Version {
    version: u64,
    current: bool,
    size: u64,
    mime_type: String,
    sha256: String,
    etag: String,
    created_at: String,
    created_by: Option<String>,
    url: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Versions {
    items: Vec<Version>,
    next_cursor: Option<String>,
}

/// All versions, the newest first: their number is bounded by configuration.
pub(crate) fn list(Path(id): Path<String>, caller: Caller) -> Result<Json<Versions>> {
    let record = Record::live_for(&id, &caller, Permission::Read, Role::Viewer)?;
    let former: Vec<Former> = sql::query(
        &format!("{FORMER} WHERE file_id = $1 ORDER BY version DESC LIMIT 1000"),
        params![&id],
    )?;
    let base = identity::public_url();
    let present = Former {
        version: record.version,
        object_key: record.object_key,
        size: record.size,
        mime_type: record.mime_type,
        sha256: record.sha256,
        created_at: record.updated_at,
        created_by: record.created_by,
    };
    let items = std::iter::once((true, present))
        .chain(former.into_iter().map(|former| (false, former)))
        .map(|(current, version)| Version {
            url: format!("{base}/files/{id}/download?version={}", version.version),
            version: version.version,
            current,
            size: version.size,
            mime_type: version.mime_type,
            etag: etag(&version.sha256),
            sha256: version.sha256,
            created_at: moment::rfc3339(version.created_at),
            created_by: version.created_by,
        })
        .collect();
    Ok(Json(Versions {
        items,
        next_cursor: None,
    }))
}

/// A former version.
pub(crate) fn find(id: &str, version: u64) -> Result<Former> {
    let former: Option<Former> = sql::query_optional(
        &format!("{FORMER} WHERE file_id = $1 AND version = $2"),
        params![id, version],
    )?;
    former.ok_or_else(unknown_version)
}

fn unknown_version() -> Error {
    Error::not_found("version")
}

/// A former version becomes the present one again, as a version of its own:
/// what is in between stays.
pub(crate) fn restore(
    Path((id, number)): Path<(String, u64)>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Metadata>> {
    Record::live_for(&id, &caller, Permission::Write, Role::Editor)?;
    let record = untold::transaction(|transaction| {
        let there = place::locked(transaction, &id)?;
        if there.version == number {
            return Ok(there);
        }
        let former: Option<Former> = transaction.query_optional(
            &format!("{FORMER} WHERE file_id = $1 AND version = $2"),
            params![&id, number],
        )?;
        let former = former.ok_or_else(unknown_version)?;
        let bytes = Change::bytes(account::signed(former.size));
        account::charge(transaction, &there.owner, bytes, &settings)?;
        place::keep_version(transaction, &there)?;
        contents::share(transaction, &former.object_key)?;
        untold::file(transaction, &id)?;
        let restored: Option<Record> = transaction.query_optional(
            &format!(
                "UPDATE files.objects SET object_key = $2, size = $3, mime_type = $4, sha256 = $5, \
                 version = version + 1, updated_at = $6, created_by = $7 WHERE id = $1 RETURNING {COLUMNS}"
            ),
            params![
                &id,
                former.object_key,
                former.size,
                former.mime_type,
                former.sha256,
                moment::now_ms(),
                identity::caller().id
            ],
        )?;
        restored.ok_or_else(|| Error::internal("a file is gone under its lock"))
    })?;
    place::prune(&id, &record.owner, &settings);
    let detail = format!("version {number}");
    happened::tell(Happened::Replaced, &id, Some(&detail));
    notice::grown(&record.owner, &settings);
    Ok(Json(record.metadata(&identity::public_url())))
}
