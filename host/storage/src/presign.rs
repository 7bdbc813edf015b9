//! Links to the store itself for one upload (SigV4 in the query): method,
//! path, type and length are signed, so that the store takes exactly what was
//! announced. OpenDAL's own links leave the length open.

use crate::config::Credentials;
use atlashub_core::{Error, Result};
use http::{Request, Uri, header};
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, SignRequest as _};
use secrecy::ExposeSecret as _;
use std::time::Duration;

/// The most that S3 takes, and copies, at once.
pub const MAX_STRAIGHT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// Signs links for uploads with keys that do not change.
#[derive(Debug)]
pub(crate) struct UploadSigner {
    signer: RequestSigner,
    credential: Credential,
}

impl UploadSigner {
    pub(crate) fn new(region: &str, keys: &Credentials) -> Self {
        let token = keys.session_token.as_ref();
        Self {
            signer: RequestSigner::new("s3", region),
            credential: Credential {
                access_key_id: keys.access_key_id.clone(),
                secret_access_key: keys.secret_access_key.expose_secret().to_owned(),
                session_token: token.map(|token| token.expose_secret().to_owned()),
                expires_in: None,
            },
        }
    }

    /// The link, for the address of an object, which may have a query that
    /// is not taken over.
    pub(crate) async fn sign(
        &self,
        address: &Uri,
        size: u64,
        content_type: Option<&str>,
        valid_for: Duration,
    ) -> Result<String> {
        let failed = |error: http::Error| Error::internal("sign a link", error);
        let mut target = address.clone().into_parts();
        let path = address.path().parse::<http::uri::PathAndQuery>();
        target.path_and_query = Some(path.map_err(|error| Error::internal("sign a link", error))?);
        let target =
            Uri::from_parts(target).map_err(|error| Error::internal("sign a link", error))?;
        let mut request = Request::put(target).header(header::CONTENT_LENGTH, size);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let (mut parts, ()) = request.body(()).map_err(failed)?.into_parts();
        self.signer
            .sign_request(
                &Context::new(),
                &mut parts,
                Some(&self.credential),
                Some(valid_for),
            )
            .await
            .map_err(|error| Error::internal("sign a link", error))?;
        Ok(parts.uri.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_signed_and_the_secret_is_not_told() {
        let keys = Credentials {
            access_key_id: "key".into(),
            secret_access_key: "very-secret".into(),
            session_token: Some("token".into()),
        };
        let signer = UploadSigner::new("us-east-1", &keys);
        let address = "https://store.test/hub/incoming/a%20b?x=1".parse().unwrap();
        let hour = Duration::from_secs(3_600);
        let link = signer
            .sign(&address, 42, Some("image/png"), hour)
            .await
            .unwrap();
        assert!(
            link.starts_with("https://store.test/hub/incoming/a%20b?X-Amz-"),
            "{link}"
        );
        for part in [
            "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost",
            "X-Amz-Expires=3600",
            "X-Amz-Security-Token=token",
            "X-Amz-Signature=",
        ] {
            assert!(link.contains(part), "{part} is not in {link}");
        }
        assert!(!link.contains("very-secret") && !link.contains("x=1"));
    }
}
