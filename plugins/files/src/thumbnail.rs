//! `GET /files/{id}/thumbnail`: images made small by the plugin `images`, in
//! a few sizes. What was made is kept as an object until the bytes that it
//! shows go. The usual size is made in the background once a picture is there,
//! any other, and one that is asked for earlier, at once.

use crate::{
    BUCKET, access,
    conditions::{Answer, Validators, weigh},
    contents,
    record::{Record, Visibility},
};
use atlashub_sdk::prelude::*;
use std::time::Duration;

/// Longest sides that are made, pixels.
const SIZES: &[u32] = &[64, 128, 256, 512, 1024];
/// What is made when nothing is said, pixels.
const USUAL: u32 = 256;
/// Types that `images` reads.
const TYPES: &[&str] = &["image/jpeg", "image/png", "image/webp", "image/gif"];
/// Largest image that is read, bytes: what `images` takes.
const MAX_IMAGE: usize = 16 * 1024 * 1024;
/// Largest thumbnail, bytes.
const MAX_THUMBNAIL: usize = 8 * 1024 * 1024;
/// How long making one may take.
const PATIENCE: Duration = Duration::from_secs(25);
/// The code of a thumbnail that there was no room for.
const BUSY: &str = "images_busy";

/// A PNG of one black pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\xdac`\0\0\0\x02\0\x01\xe5'\xde\xfc\0\0\0\0IEND\xaeB`\x82";

#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    /// The longest side, pixels; the next size that is made is answered.
    #[serde(default)]
    size: Option<u32>,
}

/// A row of `files.thumbnails`.
#[derive(Debug, Deserialize)]
struct Kept {
    thumbnail_key: String,
    content_type: String,
    bytes: u64,
}

/// What `images` made.
struct Made {
    content_type: String,
    bytes: Vec<u8>,
}

/// Which file.
#[derive(Debug, Serialize, Deserialize)]
struct Picture {
    id: String,
}

/// The events that it takes, of this plugin.
pub(crate) fn subscriptions(subscriptions: Subscriptions) -> Subscriptions {
    subscriptions.on("files.picture", prepare)
}

/// Has the usual thumbnail of a new picture made soon. Without it nothing is
/// lost: it is made when it is asked for.
pub(crate) fn later(record: &Record) {
    if check_image(record).is_err() {
        return;
    }
    let picture = Picture {
        id: record.id.clone(),
    };
    if let Err(error) = events::publish("picture", &picture, None) {
        log::warn!("no thumbnail of {} is on its way: {error}", record.id);
    }
}

fn prepare(Payload(picture): Payload<Picture>) -> Result<()> {
    let Some(record) = Record::find(&picture.id)?.filter(|record| record.deleted_at.is_none())
    else {
        return Ok(());
    };
    if check_image(&record).is_err() || find(&record.object_key, USUAL)?.is_some() {
        return Ok(());
    }
    match make(&record, USUAL) {
        Ok(made) => keep(&record.object_key, USUAL, &made),
        // No room now: the host tries again.
        Err(error) if error.code() == BUSY => return Err(error),
        // A picture that cannot be cut, or nothing that cuts.
        Err(error) => log::debug!("no thumbnail of {} was made: {error}", record.id),
    }
    Ok(())
}

pub(crate) fn thumbnail(
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Response> {
    let record = Record::find(&id)?
        .filter(|record| record.deleted_at.is_none())
        .ok_or_else(access::missing)?;
    access::check_readable(record.subject(), record.visibility)?;
    let size = size(wish.size.unwrap_or(USUAL))?;
    check_image(&record)?;
    let etag = format!("\"{}-{size}\"", record.sha256);
    let validators = Validators {
        etag: &etag,
        modified: u64::try_from(record.updated_at / 1000).unwrap_or_default(),
    };
    let is_known = weigh(request.headers(), validators, 0) == Answer::NotModified;
    let head = |status| head(status, &etag, record.visibility);
    if is_known {
        return Ok(head(StatusCode::NOT_MODIFIED));
    }
    if let Some(kept) = find(&record.object_key, size)? {
        let headers = head(StatusCode::OK)
            .with_header("content-type", kept.content_type)
            .with_header("content-length", kept.bytes.to_string());
        let served = BUCKET.serve(kept.thumbnail_key.as_str(), None);
        return Ok((headers.headers().clone(), served).into_response());
    }
    let made = make(&record, size)?;
    keep(&record.object_key, size, &made);
    Ok(head(StatusCode::OK)
        .with_header("content-type", made.content_type)
        .with_body(made.bytes))
}

/// The least size that is made and as large as that.
fn size(wanted: u32) -> Result<u32> {
    SIZES
        .iter()
        .find(|size| wanted > 0 && **size >= wanted)
        .copied()
        .ok_or_else(|| Error::invalid("invalid_size", "`size` has 1 to 1024 pixels"))
}

fn check_image(record: &Record) -> Result<()> {
    if !TYPES.contains(&record.mime_type.as_str()) {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_image",
            "there are thumbnails of PNG, JPEG, WebP and GIF",
        ));
    }
    if record.size > MAX_IMAGE as u64 {
        return Err(Error::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "image_too_large",
            "there are thumbnails of images of 16 MiB at most",
        ));
    }
    Ok(())
}

fn head(status: StatusCode, etag: &str, visibility: Visibility) -> Response {
    let cache = match visibility {
        Visibility::Public => "public, no-cache",
        Visibility::Private => "private, no-cache",
    };
    Response::new(status)
        .with_header("etag", etag)
        .with_header("cache-control", cache)
        .with_header("content-disposition", "inline")
        .with_header("x-content-type-options", "nosniff")
        .with_header("content-security-policy", "default-src 'none'; sandbox")
}

fn find(object_key: &str, size: u32) -> Result<Option<Kept>> {
    sql::query_optional(
        "SELECT thumbnail_key, content_type, bytes FROM files.thumbnails \
         WHERE object_key = $1 AND size = $2",
        params![object_key, size],
    )
}

/// The image, in memory of just that size: a plugin has little.
fn read(record: &Record) -> Result<Vec<u8>> {
    let mut body = BUCKET.read(&record.object_key, None)?;
    let size = usize::try_from(record.size).unwrap_or_default();
    let mut image = Vec::with_capacity(size.min(MAX_IMAGE));
    while let Some(chunk) = body.chunk()? {
        image.extend_from_slice(&chunk);
    }
    Ok(image)
}

fn make(record: &Record, size: u32) -> Result<Made> {
    let image = read(record)?;
    let url = format!("http://images.internal/thumbnail?width={size}&height={size}&fit=contain");
    let answer = match http::post(url).body(image).timeout(PATIENCE).send() {
        Ok(answer) => answer,
        // It had no place, or is cut off: it has not seen this image.
        Err(error) if error.code() == "upstream_busy" => return Err(busy().with_cause(error)),
        // It broke at this image, if it can cut another.
        Err(error)
            if matches!(error.code(), "upstream_failed" | "upstream_timeout") && can_cut() =>
        {
            return Err(broken().with_cause(error));
        }
        Err(error) => return Err(unavailable().with_cause(error)),
    };
    match answer.status {
        StatusCode::OK => {
            let content_type = answer
                .headers
                .get("content-type")
                .filter(|kind| TYPES.contains(kind))
                .ok_or_else(|| Error::internal("a thumbnail has an unexpected type"))?
                .to_owned();
            Ok(Made {
                content_type,
                bytes: answer.body.bytes(MAX_THUMBNAIL)?,
            })
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Err(refusal(answer)),
        StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::BAD_GATEWAY
        | StatusCode::GATEWAY_TIMEOUT => Err(broken()),
        StatusCode::SERVICE_UNAVAILABLE => Err(busy()),
        status => Err(unavailable().with_cause(format_args!("it answered {status}"))),
    }
}

/// Whether there is an `images` that cuts what does no harm.
fn can_cut() -> bool {
    let sample = http::post("http://images.internal/thumbnail?width=1&height=1").body(PIXEL);
    sample.send().is_ok_and(|answer| answer.status.is_success())
}

/// Why an image was refused, as `images` put it.
fn refusal(answer: http::Answer) -> Error {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
        detail: String,
    }
    let status = answer.status;
    match answer.json::<Problem>() {
        Ok(problem) => Error::new(status, problem.code, problem.detail),
        Err(_) => broken(),
    }
}

fn broken() -> Error {
    Error::invalid(
        "broken_image",
        "the image cannot be decoded within its limits",
    )
}

fn busy() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        BUSY,
        "the plugin `images` has no room now, try again",
    )
    .with_header("retry-after", "1")
}

fn unavailable() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "images_unavailable",
        "the plugin `images` does not answer in this project",
    )
    .with_header("retry-after", "5")
}

/// Keeps a thumbnail for the next who asks. A failure, such as a project that
/// is full, is for the log: this one has been made.
fn keep(object_key: &str, size: u32, made: &Made) {
    let stored = match BUCKET.put_bytes(&made.bytes, &blob::PutOptions::default()) {
        Ok(stored) => stored.object,
        Err(error) => {
            log::warn!("keep a thumbnail: {error}");
            return;
        }
    };
    let kept = sql::transaction(|transaction| {
        // The lock under which the bytes, and their thumbnails, are released.
        let shown = transaction.execute(
            "UPDATE files.contents SET refs = refs WHERE object_key = $1",
            params![object_key],
        )?;
        if shown == 0 {
            return Ok(0);
        }
        transaction.execute(
            "INSERT INTO files.thumbnails (object_key, size, thumbnail_key, content_type, bytes) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (object_key, size) DO NOTHING",
            params![
                object_key,
                size,
                &stored.key,
                &made.content_type,
                stored.size
            ],
        )
    });
    match kept {
        Ok(1) => {}
        // Another request was faster, or the image is gone.
        Ok(_) => contents::delete_object(&stored.key),
        Err(error) => {
            log::warn!("keep a thumbnail: {error}");
            contents::delete_object(&stored.key);
        }
    }
}
