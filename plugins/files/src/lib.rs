//! Files of a project's users: metadata in a schema of its own, bytes in the
//! bucket `private`. Bytes stream between client and store and never enter
//! the guest; a download is one query and one call to the store.
//!
//! A file belongs to the caller who sent it, or to the owner of the folder
//! that it was put into. Secret keys and admins see all
//! of a project; everybody sees what is public.

mod access;
mod account;
mod by_path;
mod change;
pub mod check;
mod conditions;
mod content_type;
mod contents;
mod cursor;
mod departed;
mod direct;
mod disposition;
mod download;
mod due;
mod folders;
mod happened;
mod intake;
mod link;
mod list;
mod lookup;
mod name;
mod notice;
mod permissions;
mod place;
mod readable;
mod record;
mod retell;
mod secret;
mod settings;
mod shares;
mod sweep;
mod target;
mod thumbnail;
mod trash;
mod tree;
mod tus;
mod untold;
mod upload;
mod uploads;
mod versions;
mod zip;

use atlashub_sdk::prelude::*;

/// The name of the bucket that holds the bytes.
const NAME: &str = "private";
/// That bucket.
const BUCKET: blob::Bucket<'_> = blob::bucket(NAME);

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
        .put("/files/{id}/content", versions::put_content)
        .get("/files/{id}/thumbnail", thumbnail::thumbnail)
        .get("/files/{id}/versions", versions::list)
        .post("/files/{id}/versions/{n}/restore", versions::restore)
        .get("/files/{id}/activity", happened::activity)
        .get("/files/shared-with-me", permissions::shared_files)
        .get("/files/{id}/permissions", permissions::of_file)
        .post("/files/{id}/permissions", permissions::grant_file)
        .delete("/files/{id}/permissions/{whose}", permissions::revoke_file)
        .get("/files/{id}/share", shares::of_file)
        .post("/files/{id}/share", shares::share_file)
        .delete("/files/{id}/share/{token}", shares::end_of_file)
        .post("/files/lookup", lookup::lookup)
        .post("/files/zip", zip::zip)
        .route(atlashub_sdk::Method::OPTIONS, "/files/tus", tus::offer)
        .post("/files/tus", tus::create)
        .get("/files/tus/{id}", tus::status)
        .post("/files/tus/{id}", tus::overridden)
        .patch("/files/tus/{id}", tus::append)
        .delete("/files/tus/{id}", tus::end)
        .post("/files/upload-url", direct::announce)
        .post("/files/{id}/confirm", direct::confirm)
        .get("/files/at", by_path::at)
        .post("/files/move", by_path::move_to)
        .post("/files/copy", by_path::copy)
        .post("/files/sweep", sweep::at_will)
        .get("/users/me/quota", account::quota)
        .get("/folders", folders::list)
        .post("/folders", folders::create)
        .get("/folders/trash", folders::trashed)
        .get("/folders/{id}", folders::get)
        .patch("/folders/{id}", folders::update)
        .delete("/folders/{id}", folders::delete)
        .post("/folders/{id}/move", folders::move_to)
        .post("/folders/{id}/restore", folders::restore)
        .get("/folders/shared-with-me", permissions::shared_folders)
        .get("/folders/{id}/activity", happened::activity_of_folder)
        .get("/folders/{id}/permissions", permissions::of_folder)
        .post("/folders/{id}/permissions", permissions::grant_folder)
        .delete(
            "/folders/{id}/permissions/{whose}",
            permissions::revoke_folder,
        )
        .get("/folders/{id}/share", shares::of_folder)
        .post("/folders/{id}/share", shares::share_folder)
        .delete("/folders/{id}/share/{token}", shares::end_of_folder)
        .get("/share/{token}", link::show)
        .get("/share/{token}/files", link::files)
        .get("/share/{token}/download", link::download)
        .post("/share/{token}/download", link::download_with_password)
        .post("/share/{token}/upload", link::upload)
        .get("/readable", readable::readable)
        .post("/retell", retell::retell)
}

/// The events that it takes.
#[must_use]
pub fn subscriptions() -> Subscriptions {
    thumbnail::subscriptions(due::subscriptions(retell::subscriptions()))
}

atlashub_sdk::plugin!(routes, check = check::Drive, events = subscriptions);

#[cfg(test)]
mod tests;
