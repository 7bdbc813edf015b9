//! JSON Web Tokens (RFC 7519) in the one form that this host issues and
//! accepts: compact, signed with Ed25519 (RFC 8037), of one type. The
//! algorithm is not chosen by a token, it is compared: there is no other to be
//! talked into (RFC 8725, section 3.1).
//!
//! Only the signature and the form are checked here; claims are for who reads
//! them, by the host's clock.

use atlashub_core::{Error, Result};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};

/// What the header of an access token says it is (RFC 9068, section 2.1).
const TYPE: &str = "at+jwt";

/// A key that signs.
pub(super) struct SigningKey(EncodingKey);

/// A key that verifies: an Ed25519 public key.
pub(super) struct VerifyingKey(DecodingKey);

impl SigningKey {
    /// A new key, as PKCS #8 (RFC 5958), and its public half, 32 bytes.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(super) fn generate() -> Result<(Vec<u8>, Vec<u8>)> {
        let failed = |_| Error::internal("make a signing key", "the generator refused");
        let pair = Ed25519KeyPair::generate().map_err(failed)?;
        let private = pair.to_pkcs8().map_err(failed)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok((private.as_ref().to_vec(), public))
    }

    /// A key that was generated here.
    pub(super) fn new(private: &[u8]) -> Self {
        Self(EncodingKey::from_ed_der(private))
    }

    /// A signed token; `kid` names the key.
    ///
    /// # Errors
    /// When the key is none, or the claims cannot be written.
    pub(super) fn sign(&self, kid: String, claims: &impl Serialize) -> Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid);
        jsonwebtoken::encode(&header, claims, &self.0)
            .map_err(|error| Error::internal("sign an access token", error))
    }
}

impl VerifyingKey {
    /// A key out of its stored bytes; one that is none verifies nothing.
    pub(super) fn new(public: &[u8]) -> Self {
        Self(DecodingKey::from_ed_der(public))
    }

    /// The claims of a token that this key has signed.
    pub(super) fn verify<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let verified = jsonwebtoken::decode::<T>(token, &self.0, &validation).ok()?;
        Some(verified.claims)
    }
}

/// The id of the key that a token says it is signed with, if it has the form
/// of a token of this host.
pub(super) fn key_id(token: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let ours = header.alg == Algorithm::EdDSA
        && header.typ.as_deref() == Some(TYPE)
        // Extensions that must be understood (RFC 7515, section 4.1.11): none is.
        && header.crit.is_none();
    header.kid.filter(|_| ours)
}

/// What a token says, whoever wrote it.
pub(super) fn unverified<T: DeserializeOwned>(token: &str) -> Option<T> {
    jsonwebtoken::dangerous::insecure_decode_claims(token).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    fn key() -> (SigningKey, VerifyingKey) {
        let (private, public) = SigningKey::generate().unwrap();
        (SigningKey::new(&private), VerifyingKey::new(&public))
    }

    #[test]
    fn a_token_is_verified_by_its_own_key_only() {
        let (signing, verifying) = key();
        let claims = json!({"sub": "ada", "exp": 1});
        let token = signing.sign("k1".to_owned(), &claims).unwrap();
        assert_eq!(key_id(&token).as_deref(), Some("k1"));
        assert_eq!(verifying.verify::<Value>(&token), Some(claims));
        assert_eq!(key().1.verify::<Value>(&token), None);
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            assert_eq!(verifying.verify::<Value>(&forged), None, "at {place}");
        }
    }

    #[test]
    fn what_is_published_verifies() {
        // RFC 8037, appendix A.4, with its key of A.2.
        let public = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
                     P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = VerifyingKey::new(&URL_SAFE_NO_PAD.decode(public).unwrap());
        let verified =
            jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.0, Algorithm::EdDSA);
        assert!(verified.unwrap());
    }

    #[test]
    fn another_form_is_no_token_of_ours() {
        let with = |header: Value| {
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            format!("{header}.e30.AAAA")
        };
        let sound = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k"});
        assert!(key_id(&with(sound.clone())).is_some());
        for (name, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("typ", json!("JWT")),
            ("crit", json!(["b64"])),
            ("kid", json!(null)),
        ] {
            let mut header = sound.clone();
            header[name] = value;
            assert_eq!(key_id(&with(header.clone())), None, "{header}");
        }
        for token in ["", "a.b", "a.b.c", &format!("{}.x", with(sound))] {
            assert_eq!(key_id(token), None, "{token}");
        }
    }
}
