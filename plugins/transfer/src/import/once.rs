//! Whether a transaction on the project's tables came to its end, asked by
//! whoever comes after a server that was killed.

use atlashub_sdk::{database, prelude::*};

/// Whether the transaction of that name was committed.
///
/// # Errors
/// 503 while that is not decided, 409 when it is too long ago.
pub(super) fn was_committed(name: &str) -> Result<bool> {
    database::was_committed(name)?.ok_or_else(|| {
        Error::conflict(
            "batch_unknown",
            "the database does not know any more whether the last batch went in",
        )
    })
}
