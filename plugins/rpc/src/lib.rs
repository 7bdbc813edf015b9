//! A dialect that clients of an older system speak: sign in, store a file
//! under a path, get it back. It keeps nothing of its own; `files` does the
//! work, for the same caller, and bytes pass through without entering the
//! guest.
//!
//! Refusals are `{"message": …}`, as those clients read them. Without the
//! plugin `files` every call about a file is refused with 503.

mod answer;
mod files;
mod login;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .post("/rpc/login", login::login)
        .post("/rpc/store_file", files::store)
        .get("/rpc/retrieve_file", files::retrieve)
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests;
