//! `atlashub health`: asks the node of these settings whether it can do its
//! work, for container engines and supervisors that look after it.

use super::client::block_on;
use crate::config::{Config, ConfigArgs};
use anyhow::Context as _;
use clap::Args;
use std::{process::ExitCode, time::Duration};

/// Time for the whole answer: longer than a part of the node may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Flags of `health`.
#[derive(Args, Debug)]
pub(crate) struct HealthArgs {
    /// Only that it answers, whether or not its database and store do
    #[arg(long)]
    alive: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Ends with 0 when the node answers that all is well, with 1 otherwise.
///
/// # Errors
/// When the settings are wrong, or nobody answers at the node's address.
pub(crate) fn run(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let address = config.network.reachable();
    let path = if args.alive { "healthz" } else { "readyz" };
    block_on(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        let answer = client
            .get(format!("http://{address}/{path}"))
            .send()
            .await
            .with_context(|| format!("nobody answers at {address}"))?;
        let status = answer.status();
        println!("{}", answer.text().await?.trim_end());
        Ok(if status.is_success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    })
}
