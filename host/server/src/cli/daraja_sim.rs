//! `atlashub daraja-sim`: a stand-in for Safaricom's Daraja, so that apps with
//! the plugin `mpesa` can be developed, and their faults tried, without
//! Safaricom.

use super::client::block_on;
use anyhow::Context as _;
use atlashub_daraja_sim::{Account, Simulator};
use clap::Args;
use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

/// Flags of `daraja-sim`.
#[derive(Args, Debug)]
pub(crate) struct DarajaSimArgs {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:9899")]
    listen: SocketAddr,
    /// The application's key
    #[arg(long, default_value = "sim-key")]
    consumer_key: String,
    /// The application's secret
    #[arg(long, default_value = "sim-secret")]
    consumer_secret: String,
    /// The paybill, or the store's number
    #[arg(long, default_value = "174379")]
    shortcode: String,
    /// What passwords of pushes are made with
    #[arg(long, default_value = "sim-passkey")]
    passkey: String,
    /// The till, for goods
    #[arg(long)]
    till: Option<String>,
    /// Who pays out
    #[arg(long, default_value = "sim-initiator")]
    initiator: String,
    /// What the initiator proves it with
    #[arg(long, default_value = "sim-credential")]
    security_credential: String,
    /// Makes the same ids and receipts every time
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs until it is ended.
///
/// # Errors
/// When it cannot listen.
pub(crate) fn run(args: DarajaSimArgs) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(1, |since| since.as_secs() ^ u64::from(since.subsec_nanos()))
    });
    let account = Account {
        consumer_key: args.consumer_key,
        consumer_secret: args.consumer_secret,
        shortcode: args.shortcode,
        passkey: args.passkey,
        till: args.till,
        initiator: args.initiator,
        security_credential: args.security_credential,
    };
    block_on(async {
        let simulator = Simulator::start(args.listen, vec![account], seed)
            .await
            .with_context(|| format!("listen at {}", args.listen))?;
        println!("Daraja's stand-in listens at {}", simulator.url());
        println!("What goes wrong: PUT {}/_sim/faults", simulator.url());
        simulator.run().await;
        Ok(ExitCode::SUCCESS)
    })
}
