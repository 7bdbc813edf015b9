//! Platform admins: the first owner, those who are invited, what they may do,
//! and what guards their accounts.

mod change_password;
mod invite;
mod manage;
pub mod password;
mod second_factor;
mod set_up;

pub use invite::Invited;
pub use manage::UpdateAdmin;
pub(crate) use password::Passwords;

use crate::{App, sessions::AdminIdentity};
use atlashub_core::{Error, Result};
use atlashub_data::platform::Admin;

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

/// The account behind a session.
async fn own_account(app: &App, identity: &AdminIdentity) -> Result<Admin> {
    let found = app.platform().admins().find(identity.admin).await?;
    found.ok_or_else(|| Error::unauthenticated("sign in again"))
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
