//! Tables out of a project and into it, in the formats that people have.
//!
//! An export or an import is a job: asked for by a secret key or an admin,
//! worked on in turns, which are jobs of the host's, and looked at until it has
//! ended. A turn notes how far it is with everything that it completes, so that
//! a job goes on where it was when a server was killed.
//!
//! Memory is bounded for any size: the database writes pages of text, which
//! go to the store in parts; what is imported is read from the store piece by
//! piece, and goes to the database in batches.

mod access;
mod archive;
pub mod check;
mod due;
mod export;
mod folder;
mod import;
mod job;
mod jobs;
mod names;
mod preview;
mod propose;
mod settings;
mod source;
mod turns;
mod uploads;

use atlashub_sdk::prelude::*;

/// The host's bucket that holds results, parts and uploads.
const STORE: blob::Bucket<'_> = blob::bucket(STORE_NAME);
const STORE_NAME: &str = "private";

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .post("/transfer/export", export::ask)
        .post("/transfer/folder", folder::ask)
        .post("/transfer/uploads", uploads::send)
        .post("/transfer/uploads/link", uploads::link)
        .post("/transfer/preview", preview::look)
        .post("/transfer/import", import::ask)
        .get("/transfer/jobs", jobs::list)
        .get("/transfer/jobs/{id}", jobs::get)
        .post("/transfer/jobs/{id}/cancel", jobs::cancel)
        .delete("/transfer/jobs/{id}", jobs::delete)
}

/// What it does later, and by the clock.
#[must_use]
pub fn work() -> Jobs {
    Jobs::new()
        .on("work", turns::take)
        .on("export", turns::export)
        .on("import", turns::import)
        .on("sweep", due::sweep)
}

atlashub_sdk::plugin!(routes, check = check::Stored, jobs = work);

#[cfg(test)]
mod tests;
