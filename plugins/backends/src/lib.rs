//! A user's own cloud storage: connected, browsed, imported from and stored to.
//!
//! It owns connections, whose credentials the host seals for each row. Files
//! are the plugin `files`'; bytes go between it and the service as they come.
//! Bounded are connections and journeys of a user, lists, and the files of one
//! import; which addresses may be reached is the host's to say.

mod address;
mod browse;
mod connect;
mod connections;
mod credentials;
mod departed;
mod fault;
mod files;
mod import;
mod oauth;
mod path;
mod record;
mod service;
mod settings;
mod store;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/storage-backends", connections::list)
        .post("/storage-backends", connections::create)
        .post("/storage-backends/connect", connect::begin)
        .get("/storage-backends/callback", connect::returned)
        .post("/storage-backends/callback", connect::finish)
        .get("/storage-backends/{id}", connections::get)
        .patch("/storage-backends/{id}", connections::update)
        .delete("/storage-backends/{id}", connections::delete)
        .post("/storage-backends/{id}/default", connections::make_default)
        .post("/storage-backends/{id}/test", connections::test)
        .get("/storage-backends/{id}/browse", browse::browse)
        .get("/storage-backends/{id}/download", browse::download)
        .post("/storage-backends/{id}/import", import::import)
        .post("/storage-backends/{id}/store", store::store)
}

/// What it does by the clock.
#[must_use]
pub fn work() -> Jobs {
    Jobs::new().on("sweep", departed::sweep)
}

atlashub_sdk::plugin!(routes, jobs = work);

#[cfg(test)]
mod tests;
