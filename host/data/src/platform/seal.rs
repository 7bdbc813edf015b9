//! Sealing: secrets are stored encrypted under the host's master key.
//!
//! AES-256-GCM (NIST SP 800-38D) with a random nonce for each secret and the
//! record's identity as associated data, so that a sealed text moved to
//! another record no longer opens. A sealed text names the key it was sealed
//! with: of several master keys the first seals and any opens, which lets keys
//! be rotated. Keys for other purposes are derived by label.

use aes_gcm::{
    Aes256Gcm, Key, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use atlashub_core::{Error, Locations, ProjectId, Result, token};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox, SecretString, zeroize::Zeroizing};
use sha2::Sha256;
use std::sync::Arc;

/// Bytes of a master key.
pub const KEY_BYTES: usize = 32;

/// What a sealed text starts with: the format's version.
const VERSION: &str = "s1";
const NONCE_BYTES: usize = 12;
const KEY_ID_BYTES: usize = 6;

/// Seals and opens secrets. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    /// The first seals; there is always one.
    first: Arc<MasterKey>,
    older: Arc<[MasterKey]>,
    /// As which projects plugins of copies seal.
    origins: Locations,
}

struct MasterKey {
    id: String,
    master: SecretBox<[u8; KEY_BYTES]>,
    sealing: SecretBox<[u8; KEY_BYTES]>,
}

impl Sealer {
    /// A sealer whose key `first` seals, and which opens what was sealed with
    /// it or one of `older`.
    #[must_use]
    pub fn new(
        first: SecretBox<[u8; KEY_BYTES]>,
        older: impl IntoIterator<Item = SecretBox<[u8; KEY_BYTES]>>,
    ) -> Self {
        Self {
            first: Arc::new(MasterKey::new(first)),
            older: older.into_iter().map(MasterKey::new).collect(),
            origins: Locations::default(),
        }
    }

    /// Reads master keys written as base64 (of either alphabet, 32 bytes
    /// each), separated by commas, the present one first.
    ///
    /// # Errors
    /// `invalid_master_key`.
    pub fn from_base64(keys: &SecretString) -> Result<Self> {
        let mut keys = keys.expose_secret().split(',').map(parse_key);
        let first = keys.next().ok_or_else(invalid_key)??;
        Ok(Self::new(first, keys.collect::<Result<Vec<_>>>()?))
    }

    /// A new master key in base64, for a host that has none yet.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate_key() -> Result<SecretString> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        token::fill(key.as_mut_slice())?;
        Ok(STANDARD.encode(key.as_slice()).into())
    }

    /// Seals `secret` for the record that `identity` names, as in
    /// `project/<id>/role/<name>`.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn seal(&self, identity: &str, secret: &[u8]) -> Result<String> {
        let key = &*self.first;
        let mut sealed = vec![0; NONCE_BYTES];
        token::fill(&mut sealed)?;
        let nonce = nonce(&sealed)?;
        let aad = associated_data(&key.id, identity);
        let payload = Payload {
            msg: secret,
            aad: &aad,
        };
        let ciphertext = key
            .cipher()
            .encrypt(&nonce, payload)
            .map_err(|error| Error::internal("seal a secret", error.to_string()))?;
        sealed.extend_from_slice(&ciphertext);
        Ok(format!(
            "{VERSION}.{}.{}",
            key.id,
            URL_SAFE_NO_PAD.encode(sealed)
        ))
    }

    /// Opens what was sealed for the same record.
    ///
    /// # Errors
    /// A 500 when it was sealed with an unknown key, for another record, or
    /// was tampered with; all look alike to the caller.
    pub fn open(&self, identity: &str, sealed: &str) -> Result<SecretBox<[u8]>> {
        let failed = |why: &'static str| Error::internal("open a sealed secret", why);
        let mut parts = sealed.splitn(3, '.');
        let (Some(VERSION), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(failed("not a sealed text"));
        };
        let key = self
            .keys()
            .find(|key| key.id == id)
            .ok_or_else(|| failed("sealed with a master key that is not configured"))?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| failed("not base64"))?;
        let (head, ciphertext) = bytes
            .split_at_checked(NONCE_BYTES)
            .ok_or_else(|| failed("too short"))?;
        let aad = associated_data(id, identity);
        let payload = Payload {
            msg: ciphertext,
            aad: &aad,
        };
        let secret = key
            .cipher()
            .decrypt(&nonce(head)?, payload)
            .map_err(|_| failed("another record's, or tampered with"))?;
        Ok(SecretBox::new(secret.into_boxed_slice()))
    }

    /// Opens a secret that is text.
    ///
    /// # Errors
    /// As [`open`](Self::open), or when it is not UTF-8.
    pub fn open_text(&self, identity: &str, sealed: &str) -> Result<SecretString> {
        let secret = self.open(identity, sealed)?;
        let text = std::str::from_utf8(secret.expose_secret())
            .map_err(|_| Error::internal("open a sealed secret", "not text"))?;
        Ok(text.into())
    }

    /// The id of the present key, which tells nothing of it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.first.id
    }

    /// Whether what a key of this id sealed can be opened.
    #[must_use]
    pub fn knows_key(&self, id: &str) -> bool {
        self.keys().any(|key| key.id == id)
    }

    /// Says as which project the secrets of plugins of a copy were sealed:
    /// as itself for `None`. All clones know it.
    pub fn set_sealed_as(&self, project: ProjectId, origin: Option<ProjectId>) {
        self.origins.set(project, origin);
    }

    /// As which project secrets of plugins are sealed.
    pub(super) fn origin(&self, project: ProjectId) -> ProjectId {
        self.origins.of(project)
    }

    /// Whether `sealed` was sealed with the present key; otherwise seal it
    /// anew when keys are rotated.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        sealed
            .strip_prefix(VERSION)
            .and_then(|rest| rest.strip_prefix('.'))
            .and_then(|rest| rest.strip_prefix(self.first.id.as_str()))
            .is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether `sealed` was sealed with one of these keys.
    #[must_use]
    pub fn is_own(&self, sealed: &str) -> bool {
        let mut parts = sealed.splitn(3, '.');
        parts.next() == Some(VERSION)
            && parts
                .next()
                .is_some_and(|id| self.keys().any(|key| key.id == id))
    }

    /// A key for the purpose that `label` names, derived from the present
    /// master key (HMAC-SHA256, RFC 2104). Always the same for the same key
    /// and label.
    #[must_use]
    pub fn derive(&self, label: &str) -> [u8; 32] {
        self.first.derive(label)
    }

    /// As [`derive`](Self::derive), from each master key, the present one
    /// first: what was signed before a rotation can be verified with the
    /// others.
    #[must_use]
    pub fn derive_all(&self, label: &str) -> Vec<[u8; 32]> {
        self.keys().map(|key| key.derive(label)).collect()
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&*self.first).chain(self.older.iter())
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field(
                "keys",
                &self.keys().map(|key| key.id.as_str()).collect::<Vec<_>>(),
            )
            .finish()
    }
}

impl MasterKey {
    fn new(master: SecretBox<[u8; KEY_BYTES]>) -> Self {
        let bytes = master.expose_secret();
        let id = hmac(bytes, "atlashub/key-id", "");
        let id = URL_SAFE_NO_PAD.encode(id.get(..KEY_ID_BYTES).unwrap_or(&id));
        let sealing = SecretBox::new(Box::new(hmac(bytes, "atlashub/sealing", "")));
        Self {
            id,
            master,
            sealing,
        }
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.sealing.expose_secret()))
    }

    fn derive(&self, label: &str) -> [u8; 32] {
        hmac(self.master.expose_secret(), "atlashub/derived", label)
    }
}

fn hmac(key: &[u8; KEY_BYTES], purpose: &str, label: &str) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

fn nonce(bytes: &[u8]) -> Result<Nonce<aes_gcm::aes::cipher::consts::U12>> {
    let bytes: [u8; NONCE_BYTES] = bytes
        .try_into()
        .map_err(|_| Error::internal("open a sealed secret", "a nonce has 12 bytes"))?;
    Ok(bytes.into())
}

/// What is authenticated beside the secret: which key, for which record.
fn associated_data(key_id: &str, identity: &str) -> Vec<u8> {
    format!("{VERSION}\0{key_id}\0{identity}").into_bytes()
}

fn parse_key(text: &str) -> Result<SecretBox<[u8; KEY_BYTES]>> {
    let text = text.trim();
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
        .map(Zeroizing::new)
        .map_err(|_| invalid_key())?;
    let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| invalid_key())?;
    Ok(SecretBox::new(Box::new(key)))
}

fn invalid_key() -> Error {
    Error::invalid("invalid_master_key", "a master key is 32 bytes in base64")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sealer(keys: &[u8]) -> Sealer {
        let mut keys = keys
            .iter()
            .map(|byte| SecretBox::new(Box::new([*byte; KEY_BYTES])));
        Sealer::new(keys.next().unwrap(), keys.collect::<Vec<_>>())
    }

    #[test]
    fn a_secret_opens_only_for_its_record() {
        let sealer = sealer(&[1]);
        let sealed = sealer.seal("admin/1/totp", b"secret").unwrap();
        assert_eq!(
            sealer
                .open("admin/1/totp", &sealed)
                .unwrap()
                .expose_secret(),
            b"secret"
        );
        assert!(sealer.open("admin/2/totp", &sealed).is_err());
        assert!(!sealed.contains("secret"));
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike() {
        let sealer = sealer(&[1]);
        assert_ne!(
            sealer.seal("a", b"x").unwrap(),
            sealer.seal("a", b"x").unwrap()
        );
    }

    #[test]
    fn a_tampered_text_does_not_open() {
        let sealer = sealer(&[1]);
        let sealed = sealer.seal("a", b"secret").unwrap();
        let start = sealed.rfind('.').unwrap() + 1;
        for at in start..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            let byte = bytes.get_mut(at).unwrap();
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(bytes).unwrap();
            assert!(
                sealer.open("a", &text).is_err(),
                "byte {at} does not matter"
            );
        }
        for text in [
            "",
            "s1",
            "s1..",
            "s2.x.y",
            &sealed[..start],
            &sealed[..sealed.len() - 1],
        ] {
            assert!(sealer.open("a", text).is_err(), "{text:?} opened");
        }
    }

    #[test]
    fn keys_rotate() {
        let old = sealer(&[1]);
        let sealed = old.seal("a", b"secret").unwrap();
        let rotated = sealer(&[2, 1]);
        assert_eq!(
            rotated.open("a", &sealed).unwrap().expose_secret(),
            b"secret"
        );
        assert!(!rotated.is_current(&sealed));
        assert!(rotated.is_own(&sealed) && !sealer(&[2]).is_own(&sealed));
        assert!(!rotated.is_own("not sealed"));
        assert!(rotated.is_current(&rotated.seal("a", b"secret").unwrap()));
        assert!(sealer(&[2]).open("a", &sealed).is_err());
        assert_eq!(
            rotated.derive_all("links").last(),
            Some(&old.derive("links"))
        );
    }

    #[test]
    fn derived_keys_differ_by_label_and_key() {
        let sealer_1 = sealer(&[1]);
        assert_eq!(sealer_1.derive("links"), sealer_1.derive("links"));
        assert_ne!(sealer_1.derive("links"), sealer_1.derive("cache"));
        assert_ne!(sealer_1.derive("links"), sealer(&[2]).derive("links"));
    }

    #[test]
    fn a_generated_key_is_read_back_and_others_are_refused() {
        let key = Sealer::generate_key().unwrap();
        let sealer = Sealer::from_base64(&key).unwrap();
        let sealed = sealer.seal("a", b"x").unwrap();
        assert!(
            Sealer::from_base64(&key)
                .unwrap()
                .open("a", &sealed)
                .is_ok()
        );
        for text in ["", "x", "AAAA", "AAAA,AAAA"] {
            let error = Sealer::from_base64(&text.into()).unwrap_err();
            assert_eq!(error.code(), "invalid_master_key");
        }
    }
}
