//! What the roles of users allow at all; row policies decide about rows, and
//! about callers who are no users.

use crate::fault::{Fault, Result};
use atlashub_sdk::prelude::*;

/// Refuses a user whose roles do not allow a request of this method.
pub(crate) fn check(method: &Method) -> Result<()> {
    let reads = *method == Method::GET || *method == Method::HEAD;
    let permission = if reads { "db:read" } else { "db:write" };
    users::require_of_users(permission).map_err(Fault::permission)
}
