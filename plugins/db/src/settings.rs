//! What an admin can set.

use crate::fault::Result;
use atlashub_sdk::prelude::*;

#[derive(Debug, Default, Deserialize)]
struct Settings {
    /// Whether clients may have rows summed up.
    #[serde(default)]
    aggregates: bool,
}

/// Whether clients may have rows summed up: a request of theirs can then keep
/// the database busy with a whole table.
pub(crate) fn aggregates() -> Result<bool> {
    let settings: Settings = config::load()?;
    Ok(settings.aggregates)
}
