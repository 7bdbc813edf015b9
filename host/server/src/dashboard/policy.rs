//! What the pages may load and do: scripts of their own alone, no address but
//! this host's and the object store's, which signed links lead to, no frame
//! around them.
//!
//! Style elements are allowed in the page, since the editor and the notices
//! make theirs while they run; scripts never are.

use crate::config::StorageConfig;
use atlashub_core::{Error, Result};
use atlashub_storage::{S3Location, StorageUrl};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

/// Puts the headers onto an answer.
pub(super) fn protect(headers: &mut HeaderMap, storage: &StorageConfig) -> Result<()> {
    let store = store_of(storage);
    let policy = HeaderValue::from_str(&policy(&store))
        .map_err(|error| Error::internal("write a header", error))?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Ok(())
}

fn policy(store: &str) -> String {
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; \
         connect-src 'self'{store}; img-src 'self' data: blob:{store}; \
         media-src 'self' blob:{store}; frame-src 'self' blob:{store}"
    )
}

/// The origins of the object store that clients are sent to, each after a
/// blank.
fn store_of(storage: &StorageConfig) -> String {
    match storage.url.as_deref().map(str::parse) {
        Some(Ok(StorageUrl::S3(location))) => origins(&location),
        _ => String::new(),
    }
}

fn origins(location: &S3Location) -> String {
    let named = location
        .public_endpoint
        .as_ref()
        .or(location.endpoint.as_ref());
    match named {
        Some(endpoint) => Url::parse(endpoint)
            .map(|url| format!(" {}", url.origin().ascii_serialization()))
            .unwrap_or_default(),
        None => {
            let server = format!("s3.{}.amazonaws.com", location.region);
            format!(" https://{server} https://{}.{server}", location.bucket)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_script_but_its_own_and_no_frame_around() {
        let policy = policy("");
        assert!(policy.contains("script-src 'self';"));
        assert!(policy.contains("frame-ancestors 'none'"));
        assert!(policy.contains("connect-src 'self';"));
    }

    #[test]
    fn the_store_is_reached_by_the_address_of_its_links() {
        let origins = |text: &str| match text.parse().unwrap() {
            StorageUrl::S3(location) => origins(&location),
            StorageUrl::Fs(_) => panic!("a bucket"),
        };
        assert_eq!(
            origins(
                "s3://b?endpoint=http://store:8333&public_endpoint=https://files.example.com/x"
            ),
            " https://files.example.com"
        );
        assert_eq!(
            origins("s3://b?region=eu-west-1"),
            " https://s3.eu-west-1.amazonaws.com https://b.s3.eu-west-1.amazonaws.com"
        );
    }
}
