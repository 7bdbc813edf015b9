//! `GET /v1/storage/signed-download` gives a link;
//! `GET /v1/storage/public/{bucket}/{path}` leads there for what everybody
//! may see.

use crate::{
    STORE, access,
    buckets::Bucket,
    objects::{self, Record},
    path,
    settings::Settings,
};
use atlashub_sdk::{identity::CallerKind, prelude::*};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

/// How long a browser may keep where a public object is. The link that it
/// keeps is good for longer than that.
const KEPT_FOR: Duration = Duration::from_mins(5);

/// The least that a link can be good for, if one asks for it.
const SHORTEST: Duration = Duration::from_secs(10);

/// The most: what S3 gives.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// What is to be fetched.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Which {
    bucket: String,
    object_key: String,
    /// `attachment` has a browser save it.
    #[serde(default)]
    disposition: Disposition,
    /// Seconds that the link is to be good for.
    expires_in: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Disposition {
    #[default]
    Inline,
    Attachment,
}

/// Where it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    download_url: String,
    /// Seconds.
    expires_in: u64,
}

pub(crate) fn sign(
    Query(which): Query<Which>,
    caller: Caller,
    Config(settings): Config<Settings>,
) -> Result<Json<Link>> {
    let bucket = Bucket::require(&which.bucket)?;
    let path = path::check(&which.object_key)?;
    objects::settle_path(&bucket, path, &caller, &settings)?;
    let record =
        Record::find(&bucket.name, path)?.ok_or_else(|| access::missing(&caller, &bucket))?;
    access::check_readable(&caller, &bucket, &record.owner)?;
    let time = time(which.expires_in, &caller, &settings)?;
    Ok(Json(Link {
        download_url: link(&record, which.disposition, time)?,
        expires_in: time.as_secs(),
    }))
}

/// How long a link is good for: as long as is asked for. A user's own wish
/// does not go beyond what an admin has set.
fn time(wish: Option<u64>, caller: &Caller, settings: &Settings) -> Result<Duration> {
    let Some(wish) = wish.map(Duration::from_secs) else {
        return Ok(settings.link_time());
    };
    let longest = if caller.is_trusted() || caller.kind == CallerKind::Admin {
        LONGEST
    } else {
        settings.link_time()
    };
    if !(SHORTEST..=longest).contains(&wish) {
        return Err(Error::invalid(
            "invalid_lifetime",
            format!(
                "`expiresIn` is a number of seconds from {} to {}",
                SHORTEST.as_secs(),
                longest.as_secs()
            ),
        ));
    }
    Ok(wish)
}

pub(crate) fn public(
    Path((bucket, path)): Path<(String, String)>,
    Config(settings): Config<Settings>,
) -> Result<Response> {
    let bucket = Bucket::find(&bucket)?
        .filter(|bucket| bucket.public)
        .ok_or_else(access::unknown)?;
    let path = path::check(&path).map_err(|_| access::unknown())?;
    objects::settle_path(&bucket, path, &Caller::default(), &settings)?;
    let record = Record::find(&bucket.name, path)?.ok_or_else(access::unknown)?;
    let url = link(&record, Disposition::Inline, KEPT_FOR * 2)?;
    let cache = format!("public, max-age={}", KEPT_FOR.as_secs());
    Ok(Response::new(StatusCode::FOUND)
        .with_header("location", url)
        .with_header("cache-control", cache))
}

fn link(record: &Record, disposition: Disposition, time: Duration) -> Result<String> {
    let name = utf8_percent_encode(path::name(&record.path), NON_ALPHANUMERIC);
    let kind = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    STORE.sign_read(
        &record.object_key,
        Some(&record.content_type),
        Some(&format!("{kind}; filename*=UTF-8''{name}")),
        time,
    )
}
