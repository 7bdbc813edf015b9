//! `atlashub openapi`: prints the description of the host's interface.

use anyhow::Context as _;
use std::{io::Write as _, process::ExitCode};

/// Prints the description as JSON.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let document = crate::routes::openapi::document();
    writeln!(std::io::stdout().lock(), "{document:#}")
        .context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
