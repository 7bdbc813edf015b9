//! `atlashub plugin enable`, `disable` and `rollback`.

use super::consent::{self, strings};
use crate::cli::client::{self, Client, ServerArgs, text};
use anyhow::bail;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

/// Which plugin of which project.
#[derive(Args, Debug)]
pub(super) struct SwitchArgs {
    /// The plugin's name
    plugin: String,
    /// The project's slug or id
    #[arg(long, short, env = "ATLASHUB_PROJECT")]
    project: String,
}

impl SwitchArgs {
    fn path(&self) -> String {
        format!(
            "/admin/v1/projects/{}/plugins/{}",
            self.project, self.plugin
        )
    }
}

/// Arguments of `plugin enable`.
#[derive(Args, Debug)]
pub(super) struct EnableArgs {
    #[command(flatten)]
    which: SwitchArgs,
    /// Grant all that it asks for without a question
    #[arg(long, short)]
    yes: bool,
}

/// Switches a plugin on; installs it from the catalogue where it is not yet.
pub(super) fn enable(args: &EnableArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    client::block_on(async {
        let (plugin, path) = (&args.which.plugin, args.which.path());
        let list = format!("/admin/v1/projects/{}/plugins", args.which.project);
        let installed = client::all(&client, &list)
            .await?
            .into_iter()
            .find(|installed| text(installed, "name") == plugin);
        let mut wanted = json!({ "enabled": true });
        // An installed plugin keeps what it was given, unless told otherwise.
        if args.yes || installed.is_none() {
            if installed.is_none() {
                let entry = client.get(&format!("/admin/v1/plugins/{plugin}")).await?;
                if !consent::ask(&entry, None, args.yes)? {
                    bail!("{plugin} was not installed");
                }
            }
            if let Some(members) = wanted.as_object_mut() {
                members.insert("grants".to_owned(), json!("requested"));
            }
        }
        let now = client.call(Method::PUT, &path, &wanted).await?;
        println!("{plugin} is enabled");
        let held = strings(&now, "grants");
        let missing: Vec<String> = strings(&now, "requested_grants")
            .into_iter()
            .filter(|grant| !held.contains(grant))
            .collect();
        if !missing.is_empty() {
            println!(
                "it asks for more than it was given: {} (--yes gives it)",
                missing.join(", ")
            );
        }
        Ok(())
    })
}

/// Switches a plugin off.
pub(super) fn disable(args: &SwitchArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    client::block_on(client.call(Method::PUT, &args.path(), &json!({ "enabled": false })))?;
    println!("{} is disabled", args.plugin);
    Ok(())
}

/// Puts the revision back that ran before.
pub(super) fn roll_back(args: &SwitchArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let path = args.path();
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
