//! Opaque secrets: 32 bytes of the system's randomness, base64url, behind a
//! readable prefix. Only their SHA-256 is ever stored.

use crate::{Digest, Error, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

/// Bytes of randomness in a token.
pub const TOKEN_BYTES: usize = 32;

/// A new token: `prefix` and 43 characters of base64url.
///
/// # Errors
/// When the system gives no randomness.
pub fn generate(prefix: &str) -> Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    fill(&mut bytes)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Fills `bytes` with the system's randomness.
///
/// # Errors
/// When the system gives none.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::internal("read randomness", error.to_string()))
}

/// What is stored of a token.
#[must_use]
pub fn hash(token: &str) -> Digest {
    Digest::of(token.as_bytes())
}

/// Compares two digests in constant time.
#[must_use]
pub fn matches(left: &Digest, right: &Digest) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}
