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
//!
//! What users of the plugin confide to it, such as their passwords for other
//! services, it keeps sealed, wherever it likes:
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! # let host = TestHost::new("letters");
//! # let id = "1";
//! let sealed = secret::seal(&format!("account/{id}"), b"pass word")?;
//! assert_eq!(secret::open(&format!("account/{id}"), &sealed)?, b"pass word");
//! assert!(secret::open("account/2", &sealed).is_err());
//! # Ok::<(), Error>(())
//! ```
//!
//! Only this plugin in this project opens it, and only for what it was sealed
//! for: the key of its row, say, so that a row's text opens in no other.

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

/// Seals `plain`, 64 KiB at most, for what `context` names: AES-256-GCM under
/// the host's master key. The text fits into a column and into JSON.
///
/// # Errors
/// The host's: `too_large`.
pub fn seal(context: &str, plain: &[u8]) -> Result<String> {
    Ok(host::seal(context, plain)?)
}

/// Opens what was sealed with the same `context`.
///
/// # Errors
/// The host's: `cannot_open` when it was sealed elsewhere or for something else,
/// with a master key that is gone, or was changed.
pub fn open(context: &str, sealed: &str) -> Result<Vec<u8>> {
    Ok(host::open_sealed(context, sealed)?)
}

/// The same under the host's present master key, to be kept in place of
/// `sealed`; `None` when it is already. Ask when you open, and older master keys
/// can be retired some day.
///
/// # Errors
/// As [`open`].
pub fn renew(context: &str, sealed: &str) -> Result<Option<String>> {
    Ok(host::renew_sealed(context, sealed)?)
}
