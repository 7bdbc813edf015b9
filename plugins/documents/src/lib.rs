//! Documents: which of the files can be read, what is written in them, and
//! what they are about.
//!
//! A file becomes a document here when `files` tells of it, is read by
//! `extract` in an instance of its own, and given to `search`. Who may see a
//! document is what `files` says of its file, each time.

mod access;
mod classify;
mod follow;
mod model;
mod process;
mod record;
mod remote;
mod serve;
mod stems;
mod topics;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/documents", serve::list)
        .post("/documents/process", process::pending)
        .get("/documents/shared-with-me", serve::shared_with_me)
        .get("/documents/{id}", serve::document)
        .get("/documents/{id}/text", serve::text)
        .get("/documents/{id}/download", serve::download)
        .post("/documents/{id}/process", process::one)
        .post("/documents/{id}/reclassify", classify::reclassify)
        .get("/topics", topics::list)
        .post("/topics", topics::add)
        .delete("/topics/{id}", topics::remove)
}

atlashub_sdk::plugin!(routes);
