//! Projects: made whole or not at all, found by id or slug, changed, deleted.
//!
//! A project is made hidden, as if it had been deleted; its database is
//! provisioned; then it is shown together with its keys in one transaction.
//! Whatever a crash leaves behind is a hidden project, which
//! [`purge`] removes.

mod create;
mod delete;
mod domains;
mod find;
pub(crate) mod purge;
mod quota;
mod update;

pub use create::{CreateProject, CreatedProject};
pub(crate) use create::{numbered, taken};
pub use quota::{ProjectUsage, QuotaPatch};
pub use update::UpdateProject;

use atlashub_core::{Error, Result};

/// Longest display name, characters.
const MAX_NAME: usize = 100;
/// The setting that marks a project in the making.
pub(crate) const IN_THE_MAKING: &str = "in_the_making";

/// Checks a display name.
pub(crate) fn name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "invalid_name",
            "the name of a project has 1 to 100 characters, none of them control characters",
        ));
    }
    Ok(text.to_owned())
}
