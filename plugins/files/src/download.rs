//! `GET /files/{id}/download`: one query, one call to the store. The host
//! streams the bytes once the head has been answered.

use crate::{
    BUCKET,
    access::{self, Subject},
    conditions::{Answer, Validators, http_date, weigh},
    content_type,
    disposition::{self, Disposition},
    record::{Visibility, etag},
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
    /// A former version instead of the present one.
    version: Option<u64>,
}

/// What a download has to know.
#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    folder_id: Option<String>,
    version: u64,
    object_key: String,
    owner: String,
    filename: String,
    size: u64,
    mime_type: String,
    sha256: String,
    visibility: Visibility,
    updated_at: i64,
}

const FIND: &str = "SELECT id, folder_id, version, object_key, owner, filename, size, mime_type, sha256, visibility, updated_at \
     FROM files.objects WHERE id = $1 AND deleted_at IS NULL";

pub(crate) fn download(
    Path(id): Path<String>,
    Query(wishes): Query<Wishes>,
    request: Request,
) -> Result<Response> {
    let found: Option<Found> = sql::query_optional(FIND, params![id])?;
    let mut found = found.ok_or_else(access::missing)?;
    let subject = Subject {
        owner: &found.owner,
        id: &found.id,
        folder: found.folder_id.as_deref(),
    };
    match wishes.version.filter(|version| *version != found.version) {
        None => access::check_readable(subject, found.visibility)?,
        // What is public is the present version.
        Some(version) => {
            access::check_readable(subject, Visibility::Private)?;
            let former = versions::find(&found.id, version)?;
            found.visibility = Visibility::Private;
            found.object_key = former.object_key;
            found.size = former.size;
            found.mime_type = former.mime_type;
            found.sha256 = former.sha256;
            found.updated_at = former.created_at;
        }
    }

    let disposition = if content_type::is_harmless(&found.mime_type) {
        wishes.disposition.unwrap_or(Disposition::Inline)
    } else {
        Disposition::Attachment
    };
    let disposition = disposition::header(disposition, &found.filename);
    let content_type = content_type::header(&found.mime_type);
    if wishes.redirect {
        let link = BUCKET.sign_read(
            &found.object_key,
            Some(&content_type),
            Some(&disposition),
            LINK_LIFE,
        )?;
        return Ok(Response::new(StatusCode::FOUND)
            .with_header("location", link)
            .with_header("cache-control", "no-store"));
    }

    let etag = etag(&found.sha256);
    let modified = u64::try_from(found.updated_at / 1000).unwrap_or_default();
    let cache = if found.visibility == Visibility::Public {
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
        request.headers(),
        Validators {
            etag: &etag,
            modified,
        },
        found.size,
    ) {
        Answer::Whole => (StatusCode::OK, None, found.size),
        Answer::Part(range) => {
            let Range { start, end } = &range;
            headers.append(
                "content-range",
                format!("bytes {start}-{}/{}", end - 1, found.size),
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
                format!("the file has {} bytes", found.size),
            )
            .with_header("content-range", format!("bytes */{}", found.size)));
        }
    };
    headers.append("content-type", content_type);
    headers.append("content-disposition", disposition);
    headers.append("content-length", length.to_string());
    Ok((status, headers, BUCKET.serve(found.object_key, range)).into_response())
}
