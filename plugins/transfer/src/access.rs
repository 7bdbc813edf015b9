//! Who may move tables: secret keys and admins. They reach every row
//! themselves, so that nobody comes by rows through a job that they could
//! not read or write without it.

use atlashub_sdk::{identity::CallerKind, prelude::*};

/// Lets in who may begin and end jobs.
pub(crate) fn require(caller: &Caller) -> Result<()> {
    if caller.is_trusted() {
        return Ok(());
    }
    refuse(caller)
}

/// Lets in who may look at them: also admins who only read.
pub(crate) fn require_to_look(caller: &Caller) -> Result<()> {
    if caller.kind == CallerKind::Admin {
        return Ok(());
    }
    require(caller)
}

fn refuse(caller: &Caller) -> Result<()> {
    caller.require_id()?;
    Err(Error::forbidden(
        "tables are exported and imported by secret keys and admins",
    ))
}
