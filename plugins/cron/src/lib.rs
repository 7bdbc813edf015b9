//! Jobs by the clock: addresses that are called, routes of plugins, and what
//! the platform does for a project.
//!
//! When a job is due, and that it comes once however many servers there are,
//! is the host's work; this plugin owns what is done then, what came of it,
//! and who is told. Each due time is a row. Whom jobs may call stands in the
//! configuration, and the host holds them to it. Bounded are headers, bodies,
//! attempts, answers that are kept, and the history of a job.

mod access;
pub mod check;
mod definition;
mod explain;
mod finish;
mod history;
mod jobs;
mod missed;
mod perform;
mod record;
mod run;
mod sealed;
mod settings;
mod target;
mod tell;
mod transcript;
mod watch;

use atlashub_sdk::prelude::*;

/// The host's bucket with the long logs.
const STORE: blob::Bucket<'_> = blob::bucket(STORE_NAME);
const STORE_NAME: &str = "private";

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/cron/jobs", jobs::list)
        .post("/cron/jobs", jobs::create)
        .get("/cron/jobs/{id}", jobs::get)
        .patch("/cron/jobs/{id}", jobs::update)
        .delete("/cron/jobs/{id}", jobs::delete)
        .post("/cron/jobs/{id}/run", run::now)
        .get("/cron/jobs/{id}/runs", history::list)
        .get("/cron/runs/{id}/log", history::log)
        .post("/cron/explain", explain::explain)
}

/// What it does by the clock and later.
#[must_use]
pub fn work() -> Jobs {
    Jobs::new()
        .on("due", run::due)
        .on("run", run::go_on)
        .on("tell", tell::tell)
        .on("webhook", tell::webhook)
        .on("watch", watch::watch)
}

atlashub_sdk::plugin!(routes, check = check::Logs, jobs = work);

#[cfg(test)]
mod tests;
