//! Notifications: what people of the project should know, as other plugins
//! say it in their event `notice`. Each is kept once a user, told to the
//! user's open streams, and mailed as the user wishes.
//!
//! The rows are the truth: a stream or a mail that is missed loses nothing.
//! Bounded are the rows of a user by number and age, and the kinds of which a
//! user has wishes; they go with the user.

mod deliver;
mod departed;
mod digest;
mod list;
mod notice;
mod preferences;
mod read;
mod record;
mod stream;

use atlashub_sdk::prelude::*;

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/notifications", list::list)
        .post("/notifications", notice::post)
        .post("/notifications/mark-read", read::mark)
        .get("/notifications/stream", stream::stream)
        .get("/notifications/preferences", preferences::get)
        .put("/notifications/preferences", preferences::put)
}

/// The events that it takes.
#[must_use]
pub fn subscriptions() -> Subscriptions {
    Subscriptions::new()
        .on("files.notice", notice::take)
        .on("documents.notice", notice::take)
        .on("mpesa.notice", notice::take)
        .on("cron.notice", notice::take)
        .on("notifications.digest", digest::send)
}

/// What it does by the clock.
#[must_use]
pub fn work() -> Jobs {
    Jobs::new().on("sweep", departed::sweep)
}

atlashub_sdk::plugin!(routes, events = subscriptions, jobs = work);

#[cfg(test)]
mod tests;
