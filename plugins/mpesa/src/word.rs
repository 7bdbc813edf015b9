//! Words that nobody can guess, in addresses that the other side calls. Only
//! their SHA-256 is kept. In hexadecimal, so that no word of a language comes
//! about in an address.

use atlashub_sdk::prelude::*;
use sha2::{Digest as _, Sha256};

/// Longest that one is looked up, bytes.
const MAX: usize = 128;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new word, of 32 random bytes.
pub(crate) fn new() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(format_args!("random bytes: {error}")))?;
    Ok(hex(&bytes))
}

/// What is kept of it; looking that up tells nothing about how near another
/// word comes.
pub(crate) fn digest(word: &str) -> Result<String> {
    if word.len() > MAX {
        return Err(Error::not_found("the payment"));
    }
    Ok(digest_of(&[word.as_bytes()]))
}

/// The SHA-256 of texts, one after the other.
pub(crate) fn digest_of(texts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hex(&hash.finalize())
}
