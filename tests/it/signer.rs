//! A key that signs what others vouch for.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// A key that signs, and what the key server says of it.
pub(crate) struct Signer {
    pub(crate) kid: String,
    pub(crate) key: EncodingKey,
    pub(crate) jwk: Value,
}

impl Signer {
    pub(crate) fn new(kid: &str) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let part = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let public = key.public_key();
        let jwk = json!({
            "kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        });
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        // The key itself (RFC 8017, appendix A.1.2): PKCS #8 wraps it in a head
        // that is of the same length for all keys of this size.
        let (_head, private) = der.as_ref().split_at(26);
        Self {
            kid: kid.to_owned(),
            key: EncodingKey::from_rsa_der(private),
            jwk,
        }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid.clone());
        encode(&header, claims, &self.key).unwrap()
    }
}
