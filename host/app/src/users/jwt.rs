//! JSON Web Tokens (RFC 7519) in the one form that this host issues and
//! accepts: compact, signed with Ed25519 (RFC 8037), of one type. The
//! algorithm is not read from a token, it is compared: there is no other to be
//! talked into (RFC 8725, section 3.1).
//!
//! Only the signature and the form are checked here; claims are for who reads
//! them.

use atlashub_core::{Error, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What the header of an access token says it is (RFC 9068, section 2.1).
const TYPE: &str = "at+jwt";
/// The only algorithm.
const ALGORITHM: &str = "EdDSA";

#[derive(Deserialize, Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
    /// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

/// A key that signs.
pub(super) struct SigningKey(Ed25519KeyPair);

/// A key that verifies: the 32 bytes of an Ed25519 public key.
pub(super) struct VerifyingKey(Vec<u8>);

impl SigningKey {
    /// A new key, as PKCS #8 (RFC 5958), and its public half.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(super) fn generate() -> Result<(Vec<u8>, Vec<u8>)> {
        let failed = |error: String| Error::internal("make a signing key", error);
        let private = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|error| failed(error.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref())
            .map_err(|error| failed(error.to_string()))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok((private.as_ref().to_vec(), public))
    }

    /// Reads a key that was generated here.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn read(private: &[u8]) -> Result<Self> {
        Ed25519KeyPair::from_pkcs8(private)
            .map(Self)
            .map_err(|error| Error::internal("read a signing key", error.to_string()))
    }

    /// A signed token; `kid` names the key.
    ///
    /// # Errors
    /// When the claims cannot be written.
    pub(super) fn sign(&self, kid: &str, claims: &impl Serialize) -> Result<String> {
        let header = Header {
            alg: ALGORITHM,
            typ: TYPE,
            kid,
            crit: None,
        };
        let mut token = part(&header)?;
        token.push('.');
        token.push_str(&part(claims)?);
        let signature = self.0.sign(token.as_bytes());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Ok(token)
    }
}

impl VerifyingKey {
    /// A key out of its stored bytes; one that is none verifies nothing.
    pub(super) fn new(public: Vec<u8>) -> Self {
        Self(public)
    }

    /// The claims of a token that this key has signed.
    pub(super) fn verify<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        unverified(token)
    }
}

/// The id of the key that a token says it is signed with, if it has the form
/// of a token of this host.
pub(super) fn key_id(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(parts(token)?.0).ok()?;
    let header: Header<'_> = serde_json::from_slice(&bytes).ok()?;
    let ours = header.alg == ALGORITHM && header.typ == TYPE && header.crit.is_none();
    ours.then(|| header.kid.to_owned())
}

/// What a token says, whoever wrote it.
pub(super) fn unverified<T: DeserializeOwned>(token: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(parts(token)?.1).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Header and claims of what has exactly three parts.
fn parts(token: &str) -> Option<(&str, &str)> {
    let mut parts = token.split('.');
    let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((header, claims))
}

fn part(value: &impl Serialize) -> Result<String> {
    serde_json::to_vec(value)
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .map_err(|error| Error::internal("write a token", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn key() -> (SigningKey, VerifyingKey) {
        let (private, public) = SigningKey::generate().unwrap();
        (
            SigningKey::read(&private).unwrap(),
            VerifyingKey::new(public),
        )
    }

    #[test]
    fn a_token_is_verified_by_its_own_key_only() {
        let (signing, verifying) = key();
        let claims = json!({"sub": "ada", "exp": 1});
        let token = signing.sign("k1", &claims).unwrap();
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
        let key = URL_SAFE_NO_PAD.decode(public).unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verified = UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature);
        assert!(verified.is_ok());
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
