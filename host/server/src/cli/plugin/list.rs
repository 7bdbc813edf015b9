//! `atlashub plugin list`: the catalogue, or what a project has installed.

use crate::cli::client::{self, Client, ServerArgs, text};
use clap::Args;
use serde_json::Value;

/// Arguments of `plugin list`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// The project's slug or id; without one, the catalogue
    #[arg(long, short)]
    project: Option<String>,
}

pub(super) fn run(args: &ListArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    client::block_on(async {
        match &args.project {
            Some(project) => {
                for plugin in
                    client::all(&client, &format!("/admin/v1/projects/{project}/plugins")).await?
                {
                    let enabled = plugin
                        .get("enabled")
                        .and_then(Value::as_bool)
                        .unwrap_or_default();
                    println!(
                        "{:<20}  {:<10}  {:<8}  {}",
                        text(&plugin, "name"),
                        text(&plugin, "version"),
                        if enabled { "enabled" } else { "disabled" },
                        text(&plugin, "health"),
                    );
                }
            }
            None => {
                for plugin in client::all(&client, "/admin/v1/plugins").await? {
                    let built_in = plugin
                        .get("built_in")
                        .and_then(Value::as_bool)
                        .unwrap_or_default();
                    println!(
                        "{:<20}  {:<10}  {:<9}  {}",
                        text(&plugin, "name"),
                        text(&plugin, "version"),
                        if built_in { "built-in" } else { "uploaded" },
                        text(&plugin, "description"),
                    );
                }
            }
        }
        Ok(())
    })
}
