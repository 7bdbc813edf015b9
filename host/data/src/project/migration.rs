//! What the engines share of running a plugin's migrations: which text
//! counts, its checksum, and which have still to run.

use atlashub_core::{Digest, Error, Result, capability::sql::Dialect, manifest::Migration};
use std::collections::HashMap;

/// One migration as an engine sees it.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) text: String,
    /// Of the text, in hexadecimal.
    pub(super) checksum: String,
}

/// The migrations in the dialect of an engine.
pub(super) fn steps(migrations: &[Migration], dialect: Dialect) -> Result<Vec<Step>> {
    migrations
        .iter()
        .map(|migration| {
            let own = match dialect {
                Dialect::Sqlite => &migration.sqlite,
                Dialect::Postgres => &migration.postgres,
            };
            let text = own.as_ref().or(migration.sql.as_ref()).ok_or_else(|| {
                Error::invalid(
                    "migration_failed",
                    format!(
                        "migration `{}` has no text for {}",
                        migration.name,
                        dialect.as_str()
                    ),
                )
            })?;
            Ok(Step {
                name: migration.name.clone(),
                checksum: Digest::of(text.as_bytes()).to_hex(),
                text: text.clone(),
            })
        })
        .collect()
}

/// Whether a step has still to run, given the names and checksums of those
/// that did.
///
/// # Errors
/// `migration_changed` when it ran with another text.
pub(super) fn pending(step: &Step, applied: &HashMap<String, String>) -> Result<bool> {
    match applied.get(&step.name) {
        None => Ok(true),
        Some(checksum) if *checksum == step.checksum => Ok(false),
        Some(_) => Err(Error::conflict(
            "migration_changed",
            format!(
                "migration `{}` has run with another text: leave it as it was and add a new one",
                step.name
            ),
        )),
    }
}

/// The error for a statement of a migration that failed.
pub(super) fn failed(step: &Step, number: usize, statement: &str, error: &Error) -> Error {
    const SHOWN: usize = 120;
    let mut shown: String = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
        shown.truncate(end);
        shown.push('…');
    }
    Error::invalid(
        "migration_failed",
        format!(
            "migration `{}`, statement {number} (`{shown}`): {}",
            step.name,
            error.message()
        ),
    )
    .with_field("migration", step.name.clone())
    .with_field("statement", number)
    .with_field("cause", error.code().to_owned())
}
