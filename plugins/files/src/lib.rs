//! Files of a project's users: metadata in a schema of its own, bytes in the
//! bucket `private`. Bytes stream between client and store and never enter
//! the guest; a download is one query and one call to the store.
//!
//! A file belongs to the caller who sent it. Secret keys and admins see all
//! of a project; everybody sees what is public.

mod access;
mod change;
mod conditions;
mod content_type;
mod disposition;
mod download;
mod list;
mod name;
mod record;
mod settings;
mod upload;

use atlashub_sdk::prelude::*;

/// The bucket that holds the bytes.
const BUCKET: blob::Bucket<'_> = blob::bucket("private");

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/files", list::files)
        .get("/users/me/files", list::own_files)
        .get("/files/trash", list::trash)
        .post("/files/upload", upload::upload)
        .get("/files/{id}", change::metadata)
        .patch("/files/{id}", change::update)
        .delete("/files/{id}", change::delete)
        .post("/files/{id}/restore", change::restore)
        .get("/files/{id}/download", download::download)
}

atlashub_sdk::plugin!(routes);
