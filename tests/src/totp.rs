//! The authenticator of a test: an implementation of RFC 6238 that others
//! wrote.

use std::time::SystemTime;
use totp_rs::{Builder, Secret};

/// The code of a secret (base32) `steps` of 30 seconds from now.
///
/// # Panics
/// When the secret is none.
#[must_use]
pub fn totp_code(secret: &str, steps: i64) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a clock after 1970");
    let at = now
        .as_secs()
        .checked_add_signed(steps * 30)
        .expect("a time after 1970");
    Builder::new()
        .with_secret(Secret::try_from_base32(secret).expect("base32"))
        .build()
        .expect("a secret")
        .generate(at)
        .to_string()
}
