//! Opens every part that the settings name and puts them together.

use crate::config::Config;
use atlashub_app::{App, AppParts};
use atlashub_core::SystemClock;
use std::sync::Arc;

/// Opens the parts and starts the use cases.
///
/// # Errors
/// Says which part cannot be opened and what to change.
pub(crate) async fn app(config: &Config) -> anyhow::Result<App> {
    let _ = config;
    Ok(App::start(AppParts {
        clock: Arc::new(SystemClock),
    }))
}
