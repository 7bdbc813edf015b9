//! API keys of projects: made, listed, replaced, revoked. The key itself is
//! answered once; what stays is its SHA-256.

mod create;
mod list;
mod revoke;
mod rotate;

pub use create::{CreateKey, CreatedKey};
pub use rotate::RotateKey;

use atlashub_core::{Error, Result};

/// Longest name of a key, characters.
const MAX_NAME: usize = 100;

/// Checks what people call a key.
fn name(text: Option<String>) -> Result<String> {
    let text = text.unwrap_or_default().trim().to_owned();
    if text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "invalid_name",
            "the name of a key has at most 100 characters, none of them control characters",
        ));
    }
    Ok(text)
}
