//! Platform admins. So far the first owner; more of them, and entry through
//! an identity provider, stand beside it later.

pub mod password;
mod set_up;

pub(crate) use password::Passwords;

use atlashub_core::{Error, Result};

/// Longest email address, bytes (RFC 5321).
const MAX_EMAIL: usize = 254;

/// Brings an address into the form it is kept in.
///
/// # Errors
/// `invalid_email`.
pub(crate) fn email(text: &str) -> Result<String> {
    let text = text.trim();
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    let sound = text.len() <= MAX_EMAIL
        && text.chars().all(plain)
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with('.')
        });
    if sound {
        Ok(text.to_lowercase())
    } else {
        Err(Error::invalid(
            "invalid_email",
            "the email address must look like name@example.com",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::email;

    #[test]
    fn doubtful_addresses_are_refused() {
        for text in ["", "a", "@b", "a@", "a@@b", "a b@c", "a@.b", "a\n@b"] {
            assert!(email(text).is_err(), "{text:?} was accepted");
        }
        assert_eq!(
            email(" Jane.Doe@Example.com ").unwrap(),
            "jane.doe@example.com"
        );
    }
}
