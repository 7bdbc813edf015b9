//! Storage for apps: buckets with rules, and objects that clients send and
//! fetch by signed links, past the plugin.
//!
//! An upload is announced, and gets a link that is bound to a key of its own,
//! a type and a size. It becomes an object when it is first looked for after
//! its bytes have arrived, or when its link has long expired; until then it is
//! nobody's business. What never arrives is swept.

mod access;
mod buckets;
pub mod check;
mod download;
mod due;
mod list;
mod objects;
mod path;
mod settings;
mod upload;

use atlashub_sdk::prelude::*;

/// The host's bucket that holds the bytes of all of this plugin's buckets.
const STORE: blob::Bucket<'_> = blob::bucket(STORE_NAME);
const STORE_NAME: &str = "private";

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/v1/storage/buckets", buckets::list)
        .post("/v1/storage/buckets", buckets::create)
        .patch("/v1/storage/buckets/{bucket}", buckets::update)
        .delete("/v1/storage/buckets/{bucket}", buckets::delete)
        .post("/v1/storage/signed-upload", upload::sign)
        .get("/v1/storage/signed-download", download::sign)
        .get("/v1/storage/public/{bucket}/{*path}", download::public)
        .get("/v1/storage/list", list::list)
        .delete("/v1/storage/object", objects::delete)
}

/// The events that it takes.
#[must_use]
pub fn subscriptions() -> Subscriptions {
    due::subscriptions()
}

atlashub_sdk::plugin!(routes, check = check::Stored, events = subscriptions);

#[cfg(test)]
mod tests;
