//! A dialect that clients of an older system with tenants speak; the tenant is
//! the project. It keeps nothing of its own: `files` does the work, for the
//! same caller, and bytes pass through without entering the guest.
//!
//! Names are in camelCase here. Refusals are those of `files`; without that
//! plugin every call is refused with 503 `files_unavailable`.

mod credentials;
mod files;
mod permissions;
mod record;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/api/v1/files", files::list)
        .get("/api/v1/files/", files::list)
        .post("/api/v1/files", files::upload)
        .post("/api/v1/files/", files::upload)
        .get("/api/v1/files/{id}", files::metadata)
        .delete("/api/v1/files/{id}", files::delete)
        .get("/api/v1/files/{id}/Download", files::download)
        .post("/api/v1/files/{id}/Confirm", files::confirm)
        .get("/api/v1/permissions", permissions::list)
        .post("/api/v1/permissions", permissions::give)
        .post("/api/v1/credentials", credentials::issue)
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests;
