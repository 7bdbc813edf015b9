//! `POST /files/upload-url` and `POST /files/{id}/confirm`: uploads straight
//! to the store, or the host, by a signed link, past the plugin. The link is good
//! for one object, which is the file's once it is confirmed; what comes by it
//! later changes nothing. What is never confirmed is swept.

use crate::{
    BUCKET,
    access::{self, Permission, Role},
    folders, name,
    place::Fields,
    record::{Metadata, Record},
    settings::Settings,
    sweep,
    uploads::{self, Kind, New, Upload},
};
use atlashub_sdk::prelude::*;
use std::time::Duration;

/// How long a link is good for.
const LINK_LIFE: Duration = Duration::from_mins(15);

/// What is to be sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announced {
    filename: String,
    /// Its bytes, which count from now on. Where the link leads to the host,
    /// fewer may come.
    size: u64,
    content_type: String,
    #[serde(default)]
    folder_id: Option<String>,
}

/// Where it goes.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    upload_url: String,
    object_key: String,
    file_id: String,
    /// Seconds.
    expires_in: u64,
}

pub(crate) fn announce(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(announced): Json<Announced>,
) -> Result<Json<Link>> {
    let own = access::owner(&caller, Permission::Write)?;
    settings.check_size(announced.size)?;
    let content_type = announced.content_type.trim();
    let essence = atlashub_file_types::essence(content_type)
        .ok_or_else(|| Error::invalid("invalid_body", "`content_type` is not a media type"))?;
    settings.check_type(&essence)?;
    let owner = match &announced.folder_id {
        Some(id) => folders::live_for(id, &caller, Permission::Write, Role::Editor)?.owner,
        None => own.clone(),
    };
    let new = New {
        kind: Kind::Direct,
        owner,
        sender: own,
        length: announced.size,
        path: name::from_client(&announced.filename)?,
        claimed_type: Some(content_type.to_owned()),
        fields: Fields {
            folder_id: announced.folder_id,
            ..Fields::default()
        },
    };
    let upload = uploads::create(&new, &settings)?;
    let object_key = upload.direct_key();
    let object = blob::Announced {
        content_type: Some(content_type.to_owned()),
        size: Some(announced.size),
        max_size: announced.size,
    };
    let upload_url = BUCKET
        .announce(&object_key, &object, LINK_LIFE)
        .inspect_err(|_| give_up(&upload))?;
    sweep::now_and_then(&settings);
    Ok(Json(Link {
        upload_url,
        object_key,
        file_id: upload.id,
        expires_in: LINK_LIFE.as_secs(),
    }))
}

/// Makes the file. Asked again, it answers the same.
pub(crate) fn confirm(
    Path(id): Path<String>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Metadata>> {
    let mut upload = uploads::find_for(&id, Kind::Direct, &caller)?;
    if upload.file_id.is_none() && upload.received == 0 {
        let came = match BUCKET.settle(&upload.direct_key(), true) {
            Ok(came) => came,
            Err(error) if error.code() == "object_not_found" => return Err(not_uploaded()),
            Err(error) => return Err(error),
        };
        if came.size < upload.length {
            uploads::shorten(&mut upload, came.size)?;
        }
        uploads::came(&mut upload, came)?;
    }
    uploads::recover(&mut upload, &settings)?;
    let record = Record::find(&upload.id)?.filter(|record| record.deleted_at.is_none());
    let record = record.ok_or_else(access::missing)?;
    Ok(Json(record.metadata(&identity::public_url())))
}

/// Takes back what was noted for an upload that gets no link.
fn give_up(upload: &Upload) {
    if let Err(error) = uploads::end(upload) {
        log::error!("end an upload that got no link: {error}");
    }
}

/// 409.
fn not_uploaded() -> Error {
    Error::conflict(
        "not_uploaded",
        "the bytes have not come: send them to `upload_url` with `PUT`",
    )
}
