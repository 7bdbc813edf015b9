//! Texts that stand for secrets in outgoing requests, so that a guest can use
//! a secret without having it.

use atlashub_core::{Error, Result, token};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

/// Most stand-ins in one request.
const MAX: usize = 16;
/// The longest body that is looked through, bytes.
pub(crate) const MAX_BODY: u64 = 64 * 1024;

/// The stand-ins that were given out for one request.
#[derive(Clone, Default)]
pub(crate) struct StandIns(Vec<(String, SecretString)>);

impl StandIns {
    /// A text for `secret`.
    ///
    /// # Errors
    /// `too_many_secrets`; when the system gives no randomness.
    pub(crate) fn add(&mut self, secret: SecretString) -> Result<String> {
        if self.0.len() == MAX {
            return Err(Error::invalid(
                "too_many_secrets",
                format!("one request can use {MAX} secrets"),
            ));
        }
        let text = token::generate("secret-")?;
        self.0.push((text.clone(), secret));
        Ok(text)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the secrets into header fields.
    ///
    /// # Errors
    /// Where a secret cannot stand in a header field.
    pub(crate) fn fill_headers(&self, headers: &mut HeaderMap) -> Result<()> {
        for value in headers.values_mut() {
            if let Some(bytes) = self.fill(value.as_bytes()) {
                let mut filled = HeaderValue::from_bytes(&bytes).map_err(|_| {
                    Error::invalid(
                        "invalid_secret",
                        "a secret of the configuration cannot stand in a header field",
                    )
                })?;
                filled.set_sensitive(true);
                *value = filled;
            }
        }
        Ok(())
    }

    /// `text` with the secrets in it; nothing when it has no stand-in.
    pub(crate) fn fill(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut filled = None;
        for (name, secret) in &self.0 {
            let now = filled.as_deref().unwrap_or(text);
            if let Some(replaced) = replace(now, name.as_bytes(), secret.expose_secret()) {
                filled = Some(replaced);
            }
        }
        filled
    }
}

fn replace(text: &[u8], what: &[u8], by: &str) -> Option<Vec<u8>> {
    let mut found = memchr::memmem::find_iter(text, what).peekable();
    found.peek()?;
    let mut filled = Vec::with_capacity(text.len() + by.len());
    let mut rest = 0;
    for at in found {
        filled.extend_from_slice(text.get(rest..at).unwrap_or_default());
        filled.extend_from_slice(by.as_bytes());
        rest = at + what.len();
    }
    filled.extend_from_slice(text.get(rest..).unwrap_or_default());
    Some(filled)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn secrets_take_the_place_of_their_stand_ins_alone() {
        let mut secrets = StandIns::default();
        let key = secrets.add("k3y".into()).unwrap();
        let other = secrets.add("0ther".into()).unwrap();
        let text = format!("a {key} b {other}{key}");
        assert_eq!(
            secrets.fill(text.as_bytes()).unwrap(),
            b"a k3y b 0therk3y".to_vec()
        );
        assert_eq!(secrets.fill(b"secret-k3y"), None);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        headers.insert("accept", HeaderValue::from_static("*/*"));
        secrets.fill_headers(&mut headers).unwrap();
        assert_eq!(headers["authorization"], "Bearer k3y");
        assert!(headers["authorization"].is_sensitive());
        assert!(!headers["accept"].is_sensitive());
    }

    #[test]
    fn a_request_uses_so_many_and_what_fits_into_a_header() {
        let mut secrets = StandIns::default();
        let broken = secrets.add("two\nlines".into()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-key", broken.parse().unwrap());
        let error = secrets.fill_headers(&mut headers).unwrap_err();
        assert_eq!(error.code(), "invalid_secret");
        for _ in 1..MAX {
            let _ = secrets.add("x".into()).unwrap();
        }
        assert_eq!(
            secrets.add("x".into()).unwrap_err().code(),
            "too_many_secrets"
        );
        secrets.clear();
        assert!(secrets.is_empty());
    }
}
