//! What users say of themselves, and what others see of them.

use super::SignedInUser;
use crate::App;
use atlashub_core::{Error, ProjectId, Result, UserId};
use atlashub_data::platform::{EndUser, UserPatch};

/// Longest name, characters.
const MAX_NAME: usize = 100;
/// Longest word about oneself, characters.
const MAX_BIO: usize = 1_000;
/// Characters of a handle.
const HANDLE: std::ops::RangeInclusive<usize> = 2..=32;
/// Handles that would read as something else in an address.
const RESERVED: &[&str] = &[
    "me", "admin", "root", "system", "support", "login", "signup",
];

/// What a user changes of the own profile; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// Another word about oneself, or none.
    pub bio: Option<Option<String>>,
    /// Another handle, or none.
    pub handle: Option<Option<String>>,
}

impl App {
    /// Changes the profile of the user behind an access token.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_bio`, `invalid_handle`, `handle_taken`.
    pub async fn update_profile(&self, me: &SignedInUser, wanted: ProfilePatch) -> Result<EndUser> {
        let patch = UserPatch {
            name: wanted.name.map(name).transpose()?,
            bio: wanted.bio.map(bio).transpose()?,
            handle: wanted.handle.map(handle).transpose()?,
            ..UserPatch::default()
        };
        self.platform()
            .users()
            .update(me.project, me.id(), patch)
            .await
    }

    /// A user as others may see one.
    ///
    /// # Errors
    /// `not_found`, also for one who is shut out.
    pub async fn public_profile(&self, project: ProjectId, id: UserId) -> Result<EndUser> {
        self.enabled_auth(project).await?;
        self.platform()
            .users()
            .find(project, id)
            .await?
            .filter(|user| user.disabled_at.is_none())
            .ok_or_else(|| Error::not_found("user"))
    }
}

/// Checks a name; an empty one is none.
///
/// # Errors
/// `invalid_name`.
pub(crate) fn name(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = trimmed(text) else {
        return Ok(None);
    };
    if text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "invalid_name",
            format!("the name must have at most {MAX_NAME} characters, on one line"),
        ));
    }
    Ok(Some(text))
}

fn bio(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = trimmed(text) else {
        return Ok(None);
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    if text.chars().count() > MAX_BIO || text.chars().any(odd) {
        return Err(Error::invalid(
            "invalid_bio",
            format!("the bio must have at most {MAX_BIO} characters of plain text"),
        ));
    }
    Ok(Some(text))
}

/// Checks a handle, with or without `@` before it; an empty one is none.
///
/// # Errors
/// `invalid_handle`.
pub(crate) fn handle(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = trimmed(text) else {
        return Ok(None);
    };
    let text = text.strip_prefix('@').unwrap_or(&text).to_lowercase();
    let plain =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    let sound = HANDLE.contains(&text.len())
        && text.chars().all(plain)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !RESERVED.contains(&text.as_str());
    if sound {
        Ok(Some(text))
    } else {
        Err(Error::invalid(
            "invalid_handle",
            format!(
                "a handle has {} to {} letters and digits, with `_`, `-` and `.` inside, and is not reserved",
                HANDLE.start(),
                HANDLE.end()
            ),
        ))
    }
}

fn trimmed(text: Option<String>) -> Option<String> {
    let text = text?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_plain_words() {
        let checked = |text: &str| handle(Some(text.to_owned()));
        assert_eq!(checked("@Ada.L").unwrap().as_deref(), Some("ada.l"));
        assert_eq!(checked("  ").unwrap(), None);
        for text in [
            "a",
            "me",
            "_x1",
            "x1_",
            "a b",
            "ädä",
            "a/b",
            "@@ab",
            &"x".repeat(33),
        ] {
            let error = checked(text).unwrap_err();
            assert_eq!(error.code(), "invalid_handle", "{text}");
        }
    }

    #[test]
    fn names_have_one_line_and_bios_have_bounds() {
        assert_eq!(name(Some(" Ada ".into())).unwrap().as_deref(), Some("Ada"));
        assert!(name(Some("a\nb".into())).is_err());
        assert!(name(Some("x".repeat(101))).is_err());
        assert!(bio(Some("a\nb".into())).is_ok());
        assert!(bio(Some("a\u{1b}[31m".into())).is_err());
        assert!(bio(Some("x".repeat(1_001))).is_err());
    }
}
