//! What a node tidies up once a minute: things that ran out, lines and
//! changes beyond their age, projects that were deleted. Any number of nodes
//! may do it at once.

use crate::{App, changes::chain, channels::HISTORY, check, users::signing::KEEP_RETIRED};
use atlashub_core::Result;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

/// How often.
const PERIOD: Duration = Duration::from_secs(60);
/// How often it is written down when keys were used.
const KEY_USE: Duration = Duration::from_secs(15);
/// How often a node says that it is up: three times before it counts as gone.
const BEAT: Duration = Duration::from_secs(5);
/// Nodes have this long to notice that a project is gone.
pub(crate) const NOTICE: Duration = Duration::from_secs(3);
/// How long lines of plugins are kept.
const LOG_AGE: Duration = Duration::from_secs(14 * 24 * 3_600);
/// Lines kept of each plugin in each project.
const LOG_LINES: u64 = 20_000;
/// Requests kept of each project.
const REQUESTS: u64 = 20_000;
/// How long changes are kept: far longer than a node may be cut off before it
/// loads everything anew.
const CHANGE_AGE: Duration = Duration::from_secs(24 * 3_600);

/// How long a refresh token is known to be spent, and a session to be ended.
const SPENT_AGE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Tidies up, and keeps the node's word, until the app ends. Neither waits for
/// the other: what is tidied up may take its time.
pub(crate) async fn run(app: App) {
    tokio::join!(tidy_up(&app), keep_word(&app));
}

/// Says that the node is alive, and what was used.
async fn keep_word(app: &App) {
    let stop = app.stopping();
    let mut key_use = every(KEY_USE);
    let mut beat = every(BEAT);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => note("nodes", app.beat().await.map(|()| 0)),
            _ = key_use.tick() => {
                note("key use", app.directory().flush_key_use().await.map(|()| 0));
                note("app passwords' use", app.flush_app_password_use().await.map(|()| 0));
            }
        }
    }
}

/// Removes what is old, and projects that were deleted.
async fn tidy_up(app: &App) {
    let stop = app.stopping();
    let mut ticks = every(PERIOD);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {
                sweep(app).await;
                app.purge_deleted_projects().await;
                app.plugins().forget_unused_code();
            }
            () = app.purge_wanted() => {
                if stop.run_until_cancelled(tokio::time::sleep(NOTICE)).await.is_none() {
                    return;
                }
                app.purge_deleted_projects().await;
            }
        }
    }
}

/// Gives back what nodes that are gone had set aside, soon after they are, and
/// counts the projects in which they had; until the app ends. Counting may
/// take its time, which the other things must not wait for.
pub(crate) async fn settle_storage(app: App) {
    let stop = app.stopping();
    let mut ticks = every(BEAT);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let settled = async {
            let usage = app.platform().usage();
            note("storage reservations", usage.sweep_expired().await);
            note("storage accounts", check::recount_wanted(&app).await);
        };
        if stop.run_until_cancelled(settled).await.is_none() {
            return;
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Removes what ran out or is old, in all projects.
pub(crate) async fn sweep(app: &App) {
    let platform = app.platform();
    note("plugins' values", platform.kv().sweep_expired().await);
    note(
        "old log lines",
        platform.plugin_logs().prune_older(LOG_AGE).await,
    );
    note(
        "surplus log lines",
        platform.plugin_logs().prune_to(LOG_LINES).await,
    );
    note(
        "old requests",
        platform.requests().prune_older(LOG_AGE).await,
    );
    note(
        "surplus requests",
        platform.requests().prune_to(REQUESTS).await,
    );
    note("announced uploads", app.blobs().sweep_announced().await);
    note("kept answers", platform.idempotency().sweep_expired().await);
    note("sessions", platform.sessions().sweep_expired().await);
    note(
        "users' sessions",
        platform.user_sessions().sweep(SPENT_AGE).await,
    );
    note(
        "mailed tokens",
        platform.one_time_tokens().sweep_expired().await,
    );
    note(
        "sign-ins with others",
        platform.oauth_sign_ins().sweep_expired().await,
    );
    note(
        "codes of sign-ins",
        platform.oauth_codes().sweep_expired().await,
    );
    note(
        "retired signing keys",
        platform.auth().sweep_retired_keys(KEEP_RETIRED).await,
    );
    note("changes", platform.changes().prune(CHANGE_AGE).await);
    note(
        "messages of channels",
        platform.channel_messages().prune(HISTORY).await,
    );
    note("invitations", platform.invitations().sweep_expired().await);
    note("changes of tables", app.settle_changes(None).await);
    note(
        "ended work",
        platform.queue().sweep_ended(&app.queue().retention()).await,
    );
    note("counted tries", platform.tries().sweep_expired().await);
}

fn note(what: &'static str, outcome: Result<u64>) {
    match outcome {
        Ok(0) => {}
        Ok(count) => tracing::debug!(what, count, "swept"),
        Err(error) => tracing::warn!(what, error = %chain(&error), "not swept"),
    }
}
