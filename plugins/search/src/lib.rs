//! Tags and search. What is searched is an index of this plugin's own, full
//! text by the database (FTS5, `tsvector`); what is true stands in `files`.
//!
//! The index follows `files` by its events, and by asking it, as whoever
//! searches, for what changed since; so it can be thrown away and comes back,
//! and what no event told of is found all the same. What is found is
//! shown only after `files` has shown it to the same caller: a stale index
//! can miss a file, and cannot tell of one.

mod access;
mod entry;
mod follow;
mod highlight;
mod remote;
mod search;
mod spelling;
mod tags;
mod told;
mod words;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/files/search", search::search)
        .post("/files/search/rebuild", follow::rebuild)
        .post("/files/search/follow", follow::follow)
        .post("/files/{id}/tags", tags::add)
        .delete("/files/{id}/tags/{tag_id}", tags::remove)
        .get("/tags", tags::list)
        .patch("/tags/{tag_id}", tags::rename)
        .put("/index/{id}/content", entry::put_content)
}

/// The events that it takes.
#[must_use]
pub fn subscriptions() -> Subscriptions {
    told::subscriptions()
}

atlashub_sdk::plugin!(routes, events = subscriptions);

#[cfg(test)]
mod tests;
