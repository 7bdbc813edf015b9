//! Adding to the audit: who did what to which thing, kept for good. Needs the
//! grant `audit`. The host knows who calls, in which project and when, and
//! puts `plugins.<plugin>.` before the action.

use crate::{Result, host};
use serde::Serialize;

/// Adds an event by the caller of the present request. `action` is what was
/// done, as in `object.delete`; `details` becomes a JSON object of at most
/// 4 KiB. Never put a secret there.
///
/// ```ignore
/// audit::append("object.delete", Some(&id), &json!({ "bytes": 3 }))?;
/// ```
///
/// # Errors
/// The host's: `not_granted`, `invalid_audit_event`, `rate_limited`.
pub fn append<T: Serialize + ?Sized>(
    action: &str,
    target: Option<&str>,
    details: &T,
) -> Result<()> {
    let details = serde_json::to_string(details)?;
    Ok(host::audit_append(action, target, &details)?)
}
