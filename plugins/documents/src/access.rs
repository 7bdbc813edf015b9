//! Whose documents a caller works with: those of the files that `files` would
//! show.

use atlashub_files_client::Scope;
use atlashub_sdk::{identity::CallerKind, prelude::*};

/// Of this caller, who reads.
///
/// # Errors
/// Those of [`Scope::to_read`].
pub(crate) fn to_read(caller: &Caller) -> Result<Scope> {
    // A plugin that takes an event of `files`, and calls here.
    if caller.kind == CallerKind::Plugin && caller.id.as_deref() == Some("files") {
        return Ok(Scope::All);
    }
    Scope::to_read(caller)
}

/// Of this caller, who changes something.
///
/// # Errors
/// Those of [`Scope::to_write`], and 403 for plugins that act for themselves.
pub(crate) fn to_write(caller: &Caller) -> Result<Scope> {
    if caller.kind == CallerKind::Plugin {
        return Err(Error::new(
            StatusCode::FORBIDDEN,
            "user_needed",
            "plugins that act for themselves change nothing here",
        ));
    }
    Scope::to_write(caller)
}

/// The condition on `documents`; `parameters` gets the values.
pub(crate) fn condition(scope: &Scope, parameters: &mut Vec<sql::Value>) -> String {
    match scope {
        Scope::All => "TRUE".into(),
        Scope::Owner(owner) => {
            parameters.push(owner.as_str().into());
            format!("owner = ${}", parameters.len())
        }
    }
}
