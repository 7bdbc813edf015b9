//! `GET /files/{id}/download`: one query, one call to the store. The host
//! streams the bytes once the head has been answered.

use crate::{
    BUCKET,
    access::{self, Subject},
    conditions::{Answer, Validators, http_date, weigh},
    content_type,
    disposition::{self, Disposition},
    happened,
    record::{Record, Visibility, etag},
    versions,
};
use atlashub_sdk::prelude::*;
use std::{ops::Range, time::Duration};

/// How long a signed link holds.
const LINK_LIFE: Duration = Duration::from_secs(300);

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wishes {
    disposition: Option<Disposition>,
    #[serde(default)]
    redirect: bool,
    /// The link itself instead of being led to it.
    #[serde(default)]
    link: bool,
    /// A former version instead of the present one.
    version: Option<u64>,
}

/// Where the bytes are, for whoever has the address.
#[derive(Debug, Serialize)]
struct Link {
    url: String,
    /// Seconds.
    expires_in: u64,
}

/// What a download has to know.
#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    folder_id: Option<String>,
    version: u64,
    owner: String,
    visibility: Visibility,
    object_key: String,
    filename: String,
    size: u64,
    mime_type: String,
    sha256: String,
    updated_at: i64,
}

/// Bytes that are to be answered, and what the headers say of them.
#[derive(Debug)]
pub(crate) struct Content {
    object_key: String,
    filename: String,
    size: u64,
    mime_type: String,
    sha256: String,
    updated_at: i64,
    is_public: bool,
}

impl Content {
    /// A file's, for nobody's cache but the client's.
    pub(crate) fn private(record: &Record) -> Self {
        Self {
            object_key: record.object_key.clone(),
            filename: record.filename.clone(),
            size: record.size,
            mime_type: record.mime_type.clone(),
            sha256: record.sha256.clone(),
            updated_at: record.updated_at,
            is_public: false,
        }
    }
}

const FIND: &str = "SELECT id, folder_id, version, object_key, owner, filename, size, mime_type, sha256, visibility, updated_at \
     FROM files.objects WHERE id = $1 AND deleted_at IS NULL";

pub(crate) fn download(
    Path(id): Path<String>,
    Query(wishes): Query<Wishes>,
    request: Request,
) -> Result<Response> {
    let found: Option<Found> = sql::query_optional(FIND, params![id])?;
    let found = found.ok_or_else(access::missing)?;
    let subject = Subject {
        owner: &found.owner,
        id: &found.id,
        folder: found.folder_id.as_deref(),
    };
    let version = wishes.version.filter(|version| *version != found.version);
    // What is public is the present version.
    let visibility = match version {
        None => found.visibility,
        Some(_) => Visibility::Private,
    };
    access::check_readable(subject, visibility)?;
    if visibility != Visibility::Public {
        happened::read(&found.id, &found.owner);
    }
    let mut content = Content {
        object_key: found.object_key,
        filename: found.filename,
        size: found.size,
        mime_type: found.mime_type,
        sha256: found.sha256,
        updated_at: found.updated_at,
        is_public: visibility == Visibility::Public,
    };
    if let Some(version) = version {
        let former = versions::find(&found.id, version)?;
        content.object_key = former.object_key;
        content.size = former.size;
        content.mime_type = former.mime_type;
        content.sha256 = former.sha256;
        content.updated_at = former.created_at;
    }
    if wishes.link {
        let url = sign(&content, wishes.disposition)?;
        let link = Json(Link {
            url,
            expires_in: LINK_LIFE.as_secs(),
        });
        return Ok(link
            .into_response()
            .with_header("cache-control", "no-store"));
    }
    if wishes.redirect {
        return redirect(&content, wishes.disposition);
    }
    answer(&content, request.headers(), wishes.disposition)
}

fn disposition_of(content: &Content, wish: Option<Disposition>) -> String {
    let disposition = if atlashub_file_types::is_harmless(&content.mime_type) {
        wish.unwrap_or(Disposition::Inline)
    } else {
        Disposition::Attachment
    };
    disposition::header(disposition, &content.filename)
}

fn sign(content: &Content, wish: Option<Disposition>) -> Result<String> {
    BUCKET.sign_read(
        &content.object_key,
        Some(&content_type::header(&content.mime_type)),
        Some(&disposition_of(content, wish)),
        LINK_LIFE,
    )
}

fn redirect(content: &Content, wish: Option<Disposition>) -> Result<Response> {
    let link = sign(content, wish)?;
    Ok(Response::new(StatusCode::FOUND)
        .with_header("location", link)
        .with_header("cache-control", "no-store"))
}

/// Whether the client has these bytes already, by its conditions.
pub(crate) fn is_known(content: &Content, headers: &Headers) -> bool {
    let etag = etag(&content.sha256);
    let validators = Validators {
        etag: &etag,
        modified: modified(content),
    };
    weigh(headers, validators, content.size) == Answer::NotModified
}

fn modified(content: &Content) -> u64 {
    u64::try_from(content.updated_at / 1000).unwrap_or_default()
}

/// The bytes, as the request's conditions and range want them. Which may be
/// shown in place the type decides.
pub(crate) fn answer(
    content: &Content,
    conditions: &Headers,
    wish: Option<Disposition>,
) -> Result<Response> {
    let etag = etag(&content.sha256);
    let modified = modified(content);
    let cache = if content.is_public {
        "public, no-cache"
    } else {
        "private, no-cache"
    };
    let mut headers: Headers = [
        ("etag", etag.clone()),
        ("last-modified", http_date(modified)),
        ("cache-control", cache.to_owned()),
        ("accept-ranges", "bytes".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        (
            "content-security-policy",
            "default-src 'none'; sandbox".to_owned(),
        ),
    ]
    .into_iter()
    .collect();

    let (status, range, length) = match weigh(
        conditions,
        Validators {
            etag: &etag,
            modified,
        },
        content.size,
    ) {
        Answer::Whole => (StatusCode::OK, None, content.size),
        Answer::Part(range) => {
            let Range { start, end } = &range;
            headers.append(
                "content-range",
                format!("bytes {start}-{}/{}", end - 1, content.size),
            );
            (
                StatusCode::PARTIAL_CONTENT,
                Some(range.clone()),
                range.end - range.start,
            )
        }
        Answer::NotModified => {
            return Ok((
                StatusCode::NOT_MODIFIED,
                headers,
                Response::new(StatusCode::OK),
            )
                .into_response());
        }
        Answer::Failed => {
            return Err(Error::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "the file has changed since you saw it",
            ));
        }
        Answer::Unsatisfiable => {
            return Err(Error::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range_not_satisfiable",
                format!("the file has {} bytes", content.size),
            )
            .with_header("content-range", format!("bytes */{}", content.size)));
        }
    };
    headers.append("content-type", content_type::header(&content.mime_type));
    headers.append("content-disposition", disposition_of(content, wish));
    headers.append("content-length", length.to_string());
    Ok((
        status,
        headers,
        BUCKET.serve(content.object_key.as_str(), range),
    )
        .into_response())
}
