//! AWS Signature Version 4 in header fields, with the payload left out of the
//! signature: bytes stream, and TLS guards them.

use crate::path::encoded;
use atlashub_sdk::prelude::*;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, macros::format_description};

/// What stands in place of the payload's digest.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Who signs, and for where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signer<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a str,
    pub(crate) region: &'a str,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    /// Encoded, from its slash on.
    pub(crate) path: &'a str,
    /// Names and values, not encoded.
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) payload: &'a str,
}

impl Signer<'_> {
    /// The header fields that a call needs beside `host`.
    pub(crate) fn sign(
        &self,
        signed: &Signed<'_>,
        now: OffsetDateTime,
    ) -> Result<[(&'static str, String); 3]> {
        let day = now
            .format(format_description!("[year][month][day]"))
            .map_err(Error::internal)?;
        let time = now
            .format(format_description!(
                "[year][month][day]T[hour][minute][second]Z"
            ))
            .map_err(Error::internal)?;
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let canonical = format!(
            "{}\n{}\n{}\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{time}\n\n\
             host;x-amz-content-sha256;x-amz-date\n{}",
            signed.method,
            signed.path,
            query(signed.query),
            signed.host,
            signed.payload,
            signed.payload,
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
            hex(&Sha256::digest(canonical))
        );
        let mut key = hmac(format!("AWS4{}", self.secret_key).as_bytes(), &day)?;
        for part in [self.region, "s3", "aws4_request"] {
            key = hmac(&key, part)?;
        }
        let signature = hex(&hmac(&key, &to_sign)?);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}",
            self.access_key
        );
        Ok([
            ("x-amz-content-sha256", signed.payload.to_owned()),
            ("x-amz-date", time),
            ("authorization", authorization),
        ])
    }
}

/// A query as it is signed, and sent: encoded, in the order of its names.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn hmac(key: &[u8], text: &str) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use time::macros::datetime;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// The examples that AWS publishes for "Signature Calculations for the
    /// Authorization Header".
    #[test]
    fn the_published_examples_come_out() {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
        };
        for (query, signature) in [
            (
                [("lifecycle", "")].as_slice(),
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                &[("max-keys", "2"), ("prefix", "J")],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let signed = Signed {
                method: "GET",
                host: "examplebucket.s3.amazonaws.com",
                path: "/",
                query,
                payload: EMPTY,
            };
            let fields = signer
                .sign(&signed, datetime!(2013-05-24 0:00 UTC))
                .unwrap();
            let [_, (_, date), (_, authorization)] = fields;
            assert_eq!(date, "20130524T000000Z");
            assert_eq!(
                authorization,
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                     SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
                )
            );
        }
    }
}
