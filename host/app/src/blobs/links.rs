//! Signed links that this host answers itself: what `/_/blob/{token}` does.
//!
//! Downloads go straight to a store that signs links, and so do uploads whose
//! size was announced ([`direct`](super::direct)); others come this way, since
//! a link presigned by S3 cannot bound what it does not know. Whatever a user uploaded is shown inline only
//! when it is of a harmless type.

use super::BlobStore;
use atlashub_core::{
    BucketName, Error, ErrorKind, Result,
    capability::{
        PluginScope,
        blob::{
            Blobs as _, ByteSource, ObjectBody, ObjectInfo, ObjectKey, PutOptions, SignedAccess,
            StoredObject,
        },
    },
};
use atlashub_storage::links::{self, Link};
use http::{HeaderMap, HeaderValue, Method, header};
use std::{ops::Range, time::Duration};

/// Types that a browser may show rather than save. None of them can run a
/// script.
const INLINE_TYPES: &[&str] = &[
    "application/json",
    "application/pdf",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/webm",
];

impl BlobStore {
    pub(super) async fn sign_link(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        access: SignedAccess,
        valid_for: Duration,
    ) -> Result<String> {
        self.bucket(scope.project, bucket).await?;
        let path = super::path(scope, bucket, key)?;
        if let SignedAccess::Read {
            disposition,
            content_type,
        } = &access
        {
            let headers = answer_headers(disposition.as_deref(), content_type.as_deref());
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
            let presigned = self.storage.presign_read(
                &path,
                check_time(valid_for)?,
                text(header::CONTENT_DISPOSITION),
                text(header::CONTENT_TYPE),
            );
            if let Some(url) = presigned.await? {
                return Ok(url);
            }
        }
        self.sign_here(scope, bucket, key, access, valid_for)
    }

    /// A link that this host answers.
    pub(super) fn sign_here(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        access: SignedAccess,
        valid_for: Duration,
    ) -> Result<String> {
        let link = Link {
            scope: scope.clone(),
            bucket: bucket.clone(),
            key: key.clone(),
            access,
        };
        let key = self
            .link_keys
            .first()
            .ok_or_else(|| Error::internal("sign a link", "there is no key"))?;
        let token = links::sign(key, &link, valid_for, self.clock.as_ref())?;
        Ok(links::url(&self.public_url, &token))
    }

    /// Checks a token of `/_/blob/{token}` against the request's method.
    ///
    /// # Errors
    /// 403 `invalid_link` or `expired_link`.
    pub fn verify_link(&self, token: &str, method: &Method) -> Result<Link> {
        let mut answer = Err(wrong_access());
        for key in &self.link_keys {
            answer = links::verify(key, token, method, self.clock.as_ref());
            // Signed before the master key was rotated, perhaps.
            match &answer {
                Err(error) if error.code() == "invalid_link" => {}
                _ => break,
            }
        }
        answer
    }

    /// What is known of a link's object: for `HEAD`, and to work out ranges.
    ///
    /// # Errors
    /// `object_not_found`.
    pub async fn stat_link(&self, link: &Link) -> Result<ObjectInfo> {
        self.stat(&link.scope, &link.bucket, &link.key).await
    }

    /// Opens a link's object, or a part of it.
    ///
    /// # Errors
    /// `object_not_found`, `invalid_range`; 403 `invalid_link` when the link
    /// is for writing.
    pub async fn read_link(&self, link: &Link, range: Option<Range<u64>>) -> Result<ObjectBody> {
        if !matches!(link.access, SignedAccess::Read { .. }) {
            return Err(wrong_access());
        }
        self.read(&link.scope, &link.bucket, &link.key, range).await
    }

    /// The headers that the answer to a link for reading carries: type and
    /// disposition, and what keeps a browser from running it.
    #[must_use]
    pub fn link_headers(link: &Link) -> HeaderMap {
        let (disposition, content_type) = match &link.access {
            SignedAccess::Read {
                disposition,
                content_type,
            } => (disposition, content_type),
            SignedAccess::Write { .. } => (&None, &None),
        };
        answer_headers(disposition.as_deref(), content_type.as_deref())
    }

    /// Writes a link's object from the body of a `PUT`.
    ///
    /// # Errors
    /// 415 `content_type_mismatch` when the type is not the one that was
    /// signed, `object_too_large`, `quota_exceeded`; 403 `invalid_link` when
    /// the link is for reading; 409 `link_used` when the upload that it was
    /// made for has come.
    pub async fn write_link(
        &self,
        link: &Link,
        content_type: Option<&str>,
        content_length: Option<u64>,
        source: &mut dyn ByteSource,
    ) -> Result<StoredObject> {
        let SignedAccess::Write {
            content_type: signed,
            max_size,
        } = &link.access
        else {
            return Err(wrong_access());
        };
        if let Some(signed) = signed {
            let same =
                content_type.is_some_and(|given| given.trim().eq_ignore_ascii_case(signed.trim()));
            if !same {
                return Err(Error::new(
                    ErrorKind::UnsupportedMediaType,
                    "content_type_mismatch",
                    format!("the link is for `{signed}`: send that as the content type"),
                ));
            }
        }
        let uploads = self.platform.direct_uploads();
        let announced = uploads.find(&link.scope, &link.bucket, &link.key).await?;
        if announced.as_ref().is_some_and(|upload| upload.is_settled) {
            return Err(used());
        }
        let options = PutOptions {
            key: Some(link.key.clone()),
            create_only: announced.is_some(),
            expected_size: content_length,
            max_size: Some(*max_size),
        };
        let stored = match self.put(&link.scope, &link.bucket, source, options).await {
            Err(error) if announced.is_some() && error.code() == "object_exists" => {
                return Err(used());
            }
            stored => stored?,
        };
        if let Some(upload) = announced {
            uploads.came(upload.id, stored.sha256).await?;
        }
        Ok(stored)
    }
}

/// 409.
fn used() -> Error {
    Error::conflict(
        "link_used",
        "the link is good for one upload, which has come: ask for a new one",
    )
}

/// Refuses a type that a header cannot carry.
pub(super) fn check_header(value: Option<&str>) -> Result<()> {
    match value {
        Some(value) if value.len() > 1024 || HeaderValue::from_str(value).is_err() => {
            Err(Error::invalid(
                "invalid_link",
                "the content type must be a valid header value of at most 1,024 bytes",
            ))
        }
        _ => Ok(()),
    }
}

/// A store takes whole seconds, of which there must be one.
pub(super) fn check_time(valid_for: Duration) -> Result<Duration> {
    if valid_for < Duration::from_secs(1) || valid_for > links::MAX_VALID_FOR {
        return Err(Error::invalid(
            "invalid_link",
            "a link must be valid for 1 second to 7 days",
        ));
    }
    Ok(valid_for)
}

fn wrong_access() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "invalid_link",
        "the link is not for this",
    )
}

fn answer_headers(disposition: Option<&str>, content_type: Option<&str>) -> HeaderMap {
    let content_type = content_type.unwrap_or("application/octet-stream");
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let harmless = INLINE_TYPES.contains(&essence.as_str());
    let disposition = match disposition.map(str::trim) {
        Some(text) if harmless => text.to_owned(),
        None if harmless => "inline".to_owned(),
        // The name may stay, the way of showing may not.
        Some(text) => match text.split_once(';') {
            Some((_, parameters)) => format!("attachment;{parameters}"),
            None => "attachment".to_owned(),
        },
        None => "attachment".to_owned(),
    };
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str, fallback: &'static str| {
        let value = HeaderValue::from_str(value);
        headers.insert(name, value.unwrap_or(HeaderValue::from_static(fallback)));
    };
    set(
        header::CONTENT_TYPE,
        content_type,
        "application/octet-stream",
    );
    set(header::CONTENT_DISPOSITION, &disposition, "attachment");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff", "nosniff");
    let policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'";
    set(header::CONTENT_SECURITY_POLICY, policy, "sandbox");
    set(header::CACHE_CONTROL, "private, no-store", "no-store");
    set(header::REFERRER_POLICY, "no-referrer", "no-referrer");
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn only_harmless_types_are_shown_inline() {
        let shown = |disposition, content_type| {
            let headers = answer_headers(disposition, content_type);
            assert_eq!(headers["x-content-type-options"], "nosniff");
            headers["content-disposition"].to_str().unwrap().to_owned()
        };
        assert_eq!(shown(None, Some("image/png")), "inline");
        assert_eq!(
            shown(Some("attachment; filename=\"a\""), Some("image/png")),
            "attachment; filename=\"a\""
        );
        assert_eq!(shown(None, None), "attachment");
        for content_type in [
            "text/html",
            "image/svg+xml",
            "TEXT/HTML; charset=utf-8",
            "application/xhtml+xml",
            "text/javascript",
            "text/xml",
        ] {
            assert_eq!(
                shown(Some("inline"), Some(content_type)),
                "attachment",
                "{content_type}"
            );
            assert_eq!(
                shown(Some("inline; filename=\"a.html\""), Some(content_type)),
                "attachment; filename=\"a.html\""
            );
        }
    }
}
