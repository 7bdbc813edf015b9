//! Documents: which of the files can be read, what is written in them, and
//! what they are about.
//!
//! A file becomes a document here when an event of `files` tells of it, or
//! when it is found among what changed; it is read by
//! `extract` in an instance of its own, and given to `search`. Who may see a
//! document is what `files` says of its file, each time.

mod access;
mod classify;
mod follow;
mod model;
mod notice;
mod process;
mod record;
mod remote;
mod serve;
mod stems;
mod told;
mod topics;
mod upload;
mod waiting;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/documents", serve::list)
        .post("/documents/process", process::pending)
        .get("/documents/shared-with-me", serve::shared_with_me)
        .post("/documents/upload-url", upload::announce)
        .get("/documents/{id}", serve::document)
        .post("/documents/{id}/confirm", upload::confirm)
        .get("/documents/{id}/text", serve::text)
        .get("/documents/{id}/download", serve::download)
        .post("/documents/{id}/process", process::one)
        .post("/documents/{id}/reclassify", classify::reclassify)
        .get("/topics", topics::list)
        .post("/topics", topics::add)
        .delete("/topics/{id}", topics::remove)
}

/// The events that it takes.
#[must_use]
pub fn subscriptions() -> Subscriptions {
    told::subscriptions()
}

/// What it does by the clock.
#[must_use]
pub fn work() -> Jobs {
    waiting::work()
}

atlashub_sdk::plugin!(routes, events = subscriptions, jobs = work);

#[cfg(test)]
mod tests;
