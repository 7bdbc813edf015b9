//! What the pages may load and do: scripts of their own alone, no address but
//! this host's and the object store's, which signed links lead to, no frame
//! around them.
//!
//! Style elements are allowed in the page, since the editor and the notices
//! make theirs while they run; scripts never are.

use crate::{config::StorageConfig, store_origins};
use atlashub_core::{Error, Result};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Puts the headers onto an answer.
pub(super) fn protect(headers: &mut HeaderMap, storage: &StorageConfig) -> Result<()> {
    let store = store_origins::of(storage);
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
}
