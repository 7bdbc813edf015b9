//! `atlashub plugin enable`, `disable` and `rollback`.

use crate::cli::client::{self, Client, ServerArgs, text};
use anyhow::bail;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

/// Arguments of the three.
#[derive(Args, Debug)]
pub(super) struct SwitchArgs {
    /// The plugin's name
    plugin: String,
    /// The project's slug or id
    #[arg(long, short, env = "ATLASHUB_PROJECT")]
    project: String,
}

/// Switches a plugin on or off.
pub(super) fn run(args: &SwitchArgs, enabled: bool, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let path = format!(
        "/admin/v1/projects/{}/plugins/{}",
        args.project, args.plugin
    );
    client::block_on(client.call(Method::PUT, &path, &json!({ "enabled": enabled })))?;
    println!(
        "{} is {}",
        args.plugin,
        if enabled { "enabled" } else { "disabled" }
    );
    Ok(())
}

/// Puts the revision back that ran before.
pub(super) fn roll_back(args: &SwitchArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let path = format!(
        "/admin/v1/projects/{}/plugins/{}",
        args.project, args.plugin
    );
    client::block_on(async {
        let current = client.get(&path).await?;
        let Some(previous) = current.get("previous_revision").and_then(Value::as_str) else {
            bail!("{} has had one revision only in this project", args.plugin);
        };
        let now = client
            .call(Method::PUT, &path, &json!({ "revision": previous }))
            .await?;
        println!("{} is back on {}", args.plugin, text(&now, "version"));
        Ok(())
    })
}
