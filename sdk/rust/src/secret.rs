//! Secrets of the configuration, which a plugin uses without having them.
//!
//! Mark a property of `config_schema` with `x-secret = true`: the host keeps
//! its value, and the plugin gets a text that stands for it during the present
//! request. Written into a header field, or into a body of at most 64 KiB, of
//! a call to a host, the host puts the secret in its place.
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! # let host = TestHost::new("ask").with_secret("api_key", "k3y")
//! #     .with_service("api.example.com", |request| {
//! #         assert_eq!(request.header("authorization"), Some("Bearer k3y"));
//! #         Response::new(StatusCode::OK)
//! #     });
//! let key = secret::plain("api_key")?;
//! let answer = http::get("https://api.example.com/v1/models")
//!     .header("authorization", format!("Bearer {key}"))
//!     .send()?;
//! # assert_eq!(answer.status, 200);
//! # Ok::<(), Error>(())
//! ```
//!
//! What a host sends back reaches the plugin as it is: call hosts that do not
//! repeat what they are sent.

use crate::{Result, host};

/// Stands for the secret `name` itself.
///
/// # Errors
/// The host's: `no_secret` when the configuration has none of that name,
/// `too_many_secrets` beyond 16 in one request.
pub fn plain(name: &str) -> Result<String> {
    Ok(host::secret_plain(name)?)
}

/// Stands for the base64 of the secret `name` with these texts before and
/// behind it: `base64("user:", "password", "")` is what the scheme Basic wants.
///
/// # Errors
/// As [`plain`].
pub fn base64(before: &str, name: &str, behind: &str) -> Result<String> {
    Ok(host::secret_base64(before, name, behind)?)
}
