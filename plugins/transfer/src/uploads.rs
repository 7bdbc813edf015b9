//! `POST /transfer/uploads` takes what is to be imported, straight into the
//! store; `POST /transfer/uploads/link` gives a link to send it to.

use crate::{STORE, access, settings::Settings};
use atlashub_sdk::prelude::*;
use std::time::Duration;
use uuid::Uuid;

/// How long a link is good for.
const LINK: Duration = Duration::from_secs(6 * 3_600);
/// The most that may come by a link, when nothing is said: 64 GiB.
const MOST: u64 = 64 << 30;

/// An upload, as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    size: Option<u64>,
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    expires_at: String,
}

fn write_down(shown: &Shown, key: &str, expires: i64) -> Result<()> {
    sql::execute(
        "INSERT INTO transfer.uploads (id, object_key, ready, size, sha256, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            &shown.id,
            key,
            shown.url.is_none(),
            shown.size,
            shown.sha256.clone(),
            moment::now_ms(),
            expires
        ],
    )?;
    Ok(())
}

pub(crate) fn send(
    caller: Caller,
    Config(settings): Config<Settings>,
    body: Body,
) -> Result<(StatusCode, Json<Shown>)> {
    access::require(&caller)?;
    let id = Uuid::now_v7().to_string();
    let key = format!("{id}/upload");
    let options = blob::PutOptions {
        key: Some(key.clone()),
        create_only: true,
        ..blob::PutOptions::default()
    };
    let stored = STORE.put(body, &options)?;
    let expires = settings.expires();
    let shown = Shown {
        id,
        size: Some(stored.object.size),
        sha256: Some(stored.sha256),
        url: None,
        expires_at: moment::rfc3339(expires),
    };
    write_down(&shown, &key, expires)?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// What will come.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wishes {
    /// Bytes, when that is known: then they may go straight to the store.
    size: Option<u64>,
    content_type: Option<String>,
}

pub(crate) fn link(
    caller: Caller,
    Config(settings): Config<Settings>,
    Json(wishes): Json<Wishes>,
) -> Result<(StatusCode, Json<Shown>)> {
    access::require(&caller)?;
    let id = Uuid::now_v7().to_string();
    let key = format!("{id}/upload");
    let announced = blob::Announced {
        content_type: wishes.content_type,
        size: wishes.size,
        max_size: MOST,
    };
    let url = STORE.announce(&key, &announced, LINK)?;
    let expires = settings.expires();
    let shown = Shown {
        id,
        size: wishes.size,
        sha256: None,
        url: Some(url),
        expires_at: moment::rfc3339(expires),
    };
    write_down(&shown, &key, expires)?;
    Ok((StatusCode::CREATED, Json(shown)))
}
