//! An attempt at what a job does: a file for each type.

mod http;
mod platform;
mod plugin;

use crate::{
    finish::Ending,
    record::{Row, Run, Target},
    settings::Settings,
};
use atlashub_sdk::prelude::*;
use std::time::Duration;

/// What came of an attempt.
pub(crate) enum Outcome {
    /// It ended.
    Ended(Ending),
    /// The platform is at it: look again after so long.
    Waits(Duration),
}

/// Makes an attempt. What goes wrong with whom it calls is its outcome; an
/// error is one of this host.
pub(crate) fn perform(row: &Row, run: &Run, settings: &Settings) -> Result<Outcome> {
    match row.target()? {
        Target::Http {
            url,
            method,
            headers,
            body,
        } => {
            let call = http::Call {
                url,
                method,
                headers,
                body,
            };
            call.perform(row, run, settings).map(Outcome::Ended)
        }
        Target::Platform { action, payload } => platform::perform(row, run, &action, &payload),
        Target::Plugin {
            name,
            method,
            path,
            body,
        } => {
            let call = plugin::Call {
                name,
                method,
                path,
                body,
            };
            call.perform(row, run, settings).map(Outcome::Ended)
        }
    }
}
