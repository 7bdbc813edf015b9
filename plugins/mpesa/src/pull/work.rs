//! The schedule's work: asks for each shortcode whose time has come. One that
//! cannot be asked for keeps no other waiting.

use super::{
    Pull,
    ask::{self, Window},
};
use crate::settings::Settings;
use atlashub_sdk::prelude::*;

/// What a minute has, milliseconds; and what a schedule may be early by.
const MINUTE: i64 = 60_000;
const EARLY: i64 = 20_000;

/// The job `pull`.
pub(crate) fn pull_all(Config(settings): Config<Settings>) -> Result<()> {
    let Some(minutes) = settings.pull_minutes() else {
        return Ok(());
    };
    for pull in Pull::all()? {
        let now = moment::now_ms();
        let since = now - pull.asked_at.unwrap_or_default();
        // What failed is tried again the next time, and a clock that was set
        // back keeps nobody waiting.
        if pull.error.is_none() && (0..minutes * MINUTE - EARLY).contains(&since) {
            continue;
        }
        let window = Window::since_the_last(&pull, now);
        if let Err(error) = ask::pull_window(&settings, &pull, window) {
            log::warn!("payments to {} were not asked for: {error}", pull.account);
        }
    }
    Ok(())
}
