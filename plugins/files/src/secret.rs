//! Tokens and passwords of share links. A token is 32 random bytes of which
//! only the SHA-256 is kept; a password is kept as argon2id.

use argon2::{Algorithm, Argon2, Params, Version};
use atlashub_sdk::prelude::*;
use sha2::{Digest as _, Sha256};

/// What OWASP holds to be enough where memory is short: 9 MiB, four passes.
const MEMORY_KIB: u32 = 9 * 1024;
const PASSES: u32 = 4;
const HASH_BYTES: usize = 32;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format_args!("random bytes: {error}")))?;
    Ok(bytes)
}

/// A new token.
pub(crate) fn token() -> Result<String> {
    Ok(hex(&random::<32>()?))
}

/// What is kept of a token.
pub(crate) fn hash_of_token(token: &str) -> String {
    hex(&Sha256::digest(token))
}

/// What is kept of a password.
pub(crate) fn hash_password(password: &str) -> Result<String> {
    let salt = random::<16>()?;
    let hash = derive(password, &salt)?;
    Ok(format!(
        "argon2id${MEMORY_KIB}${PASSES}${}${}",
        hex(&salt),
        hex(&hash)
    ))
}

/// Whether a password is the one that was kept so.
pub(crate) fn is_password(password: &str, kept: &str) -> Result<bool> {
    let unreadable = || Error::internal("a kept password cannot be read");
    let parts: Vec<&str> = kept.split('$').collect();
    let [_, _, _, salt, hash] = parts.as_slice() else {
        return Err(unreadable());
    };
    let salt = unhex(salt).ok_or_else(unreadable)?;
    let hash = unhex(hash).ok_or_else(unreadable)?;
    let derived = derive(password, &salt)?;
    let difference = derived
        .iter()
        .zip(&hash)
        .fold(derived.len() ^ hash.len(), |all, (a, b)| {
            all | usize::from(a ^ b)
        });
    Ok(difference == 0)
}

fn derive(password: &str, salt: &[u8]) -> Result<[u8; HASH_BYTES]> {
    let failed = |error: argon2::Error| Error::internal(format_args!("hash a password: {error}"));
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(HASH_BYTES)).map_err(failed)?;
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .map_err(failed)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn passwords_are_known_again_and_others_are_not() {
        let kept = hash_password("open sesame").unwrap();
        assert!(is_password("open sesame", &kept).unwrap());
        assert!(!is_password("open sesame ", &kept).unwrap());
        assert!(!is_password("", &kept).unwrap());
        assert_ne!(kept, hash_password("open sesame").unwrap());
        assert!(is_password("x", "argon2id$1$1$zz").is_err());
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let one = token().unwrap();
        assert_eq!(one.len(), 64);
        assert_ne!(one, token().unwrap());
        assert_eq!(hash_of_token(&one).len(), 64);
    }
}
