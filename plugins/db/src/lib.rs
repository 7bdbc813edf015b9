//! The project's own tables over HTTP, with the rights of the caller: row
//! policies decide, and the database enforces them.
//!
//! Two dialects ask the same things: `/v1/db`, this platform's own, and
//! `/rest/v1`, which PostgREST's clients speak. Both are read into one
//! [model], which is written as SQL in one place. Names come from what the
//! database described and values are bound, so no text of a client's is ever
//! part of a statement.

mod fault;
mod model;
mod own;
mod permission;
mod query;
mod rest;
mod schema;
mod settings;
mod sql;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    rest::routes(own::routes(Router::new()))
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests;
