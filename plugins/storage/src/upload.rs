//! `POST /v1/storage/signed-upload`: announces an object, and gives a link
//! that its bytes go to with `PUT`.

use crate::{
    STORE, access,
    buckets::{Bucket, essence},
    due,
    objects::{self, Record},
    path,
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use uuid::Uuid;

/// Links for uploads that a project may have out at a time.
const MAX_PENDING: u64 = 10_000;

/// What is to be sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Announced {
    bucket: String,
    path: String,
    content_type: String,
    /// Its size, for a link straight to the store where there is one.
    #[serde(default)]
    size: Option<u64>,
    /// The most it may have; the size when only that is stated.
    #[serde(default)]
    max_size: Option<u64>,
}

/// Where it goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    /// The path, as other calls ask for it.
    object_key: String,
    upload_url: String,
    /// Seconds.
    expires_in: u64,
}

pub(crate) fn sign(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(announced): Json<Announced>,
) -> Result<Json<Link>> {
    let bucket = Bucket::require(&announced.bucket)?;
    let uploader = access::uploader(&caller, &bucket)?;
    let path = path::check(&announced.path)?;
    let content_type = essence(&announced.content_type)?;
    bucket.check_type(&content_type)?;
    settings.check_type(&content_type)?;
    let most = most_bytes(&announced)?;
    check_size(&bucket, most)?;
    objects::drop_overdue(&settings)?;
    // Whoever sends anew need not hear that what came before was refused.
    objects::settle_path(&bucket, path, &Caller::default(), &settings)?;
    if !uploader.replaces
        && let Some(taken) = Record::find(&bucket.name, path)?
        && (taken.owner != uploader.owner || taken.owner == access::NOBODY)
    {
        return Err(Error::conflict(
            "path_taken",
            "there is another object at that path, take another one",
        ));
    }
    let time = settings.link_time();
    let key = Uuid::now_v7().to_string();
    let until =
        moment::now_ms().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    // First the row, then the link: bytes that nobody knows of cannot arrive.
    let noted = sql::execute(
        "INSERT INTO storage.uploads (object_key, bucket, path, owner, replaces, content_type, expires_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM storage.uploads) < $8",
        params![
            &key,
            &bucket.name,
            path,
            &uploader.owner,
            uploader.replaces,
            &content_type,
            until,
            MAX_PENDING
        ],
    )?;
    if noted == 0 {
        return Err(Error::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_uploads",
            "the project has 10000 links for uploads out; use them, or wait until they expire",
        ));
    }
    due::within(time + objects::GRACE);
    let object = blob::Announced {
        content_type: Some(content_type),
        size: announced.size,
        max_size: most,
    };
    let upload_url = STORE
        .announce(&key, &object, time)
        .inspect_err(|_| objects::unannounce(&key))?;
    Ok(Json(Link {
        object_key: path.to_owned(),
        upload_url,
        expires_in: time.as_secs(),
    }))
}

/// What the link is to let in.
fn most_bytes(announced: &Announced) -> Result<u64> {
    match (announced.size, announced.max_size) {
        (Some(size), Some(most)) if size > most => Err(Error::invalid(
            "invalid_body",
            "`size` is more than `maxSize` allows",
        )),
        (Some(size), _) => Ok(size),
        (None, Some(most)) => Ok(most),
        (None, None) => Err(Error::invalid(
            "invalid_body",
            "state the object's `size`, or `maxSize`",
        )),
    }
}

fn check_size(bucket: &Bucket, size: u64) -> Result<()> {
    if size == 0 {
        return Err(Error::invalid(
            "invalid_body",
            "`size` and `maxSize` are bytes, and 1 at least",
        ));
    }
    match bucket.max_object_bytes.filter(|most| size > *most) {
        Some(most) => Err(Error::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "object_too_large",
            format!(
                "the bucket `{}` takes objects of {most} bytes at most",
                bucket.name
            ),
        )
        .with_field("limit_bytes", most)
        .with_field("requested_bytes", size)),
        None => Ok(()),
    }
}
