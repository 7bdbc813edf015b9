//! Being switched on and off: what the hooks of [`crate::plugin!`] are told.

use crate::Result;

/// This revision is about to take over in a project, after its migrations.
/// With an error everything stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// `install`, `enable`, `upgrade`, `rollback` or `configure`.
    pub reason: String,
    /// The version that served before, if one did.
    pub previous_version: Option<String>,
}

impl Activation {
    /// Accepts, whatever the reason.
    ///
    /// # Errors
    /// Never.
    pub fn accept(self) -> Result<()> {
        Ok(())
    }
}

/// The plugin was switched off, or is about to be removed. An error is logged
/// and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deactivation {
    /// `disable` or `remove`.
    pub reason: String,
}

impl Deactivation {
    /// Does nothing.
    ///
    /// # Errors
    /// Never.
    pub fn ignore(self) -> Result<()> {
        Ok(())
    }
}
