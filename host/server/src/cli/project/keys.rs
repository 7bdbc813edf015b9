//! `atlashub project keys PROJECT`.

use crate::cli::client::{self, Client, ServerArgs, text};
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

/// Arguments of `project keys`.
#[derive(Args, Debug)]
pub(super) struct KeysArgs {
    /// The project's slug or id
    project: String,
    /// Make a key
    #[arg(long, value_name = "KIND", conflicts_with_all = ["rotate", "revoke"])]
    create: Option<Kind>,
    /// What to call the new key
    #[arg(long, requires = "create")]
    name: Option<String>,
    /// Replace a key; the old one ends at once, or after the overlap
    #[arg(long, value_name = "ID", conflicts_with = "revoke")]
    rotate: Option<String>,
    /// How long the old key stays valid
    #[arg(long, value_name = "SECONDS", requires = "rotate", default_value_t = 0)]
    overlap: u64,
    /// End a key
    #[arg(long, value_name = "ID")]
    revoke: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Publishable,
    Secret,
}

pub(super) fn run(args: &KeysArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let path = format!("/admin/v1/projects/{}/keys", args.project);
    client::block_on(async {
        if let Some(kind) = args.create {
            let kind = match kind {
                Kind::Publishable => "publishable",
                Kind::Secret => "secret",
            };
            let body = json!({ "kind": kind, "name": args.name });
            show(&client.call(Method::POST, &path, &body).await?);
        } else if let Some(id) = &args.rotate {
            let path = format!("{path}/{id}/rotate");
            let body = json!({ "overlap_seconds": args.overlap });
            show(&client.call(Method::POST, &path, &body).await?);
        } else if let Some(id) = &args.revoke {
            client
                .json(client.request(Method::DELETE, &format!("{path}/{id}")))
                .await?;
            println!("revoked {id}");
        } else {
            for key in client::all(&client, &path).await? {
                let state = if key.get("revoked_at").is_some_and(|at| !at.is_null()) {
                    "revoked"
                } else {
                    ""
                };
                println!(
                    "{}  {:<12}  {:<10}  {:<20}  {state}",
                    text(&key, "id"),
                    text(&key, "kind"),
                    text(&key, "hint"),
                    text(&key, "name"),
                );
            }
        }
        Ok(())
    })
}

fn show(key: &Value) {
    println!("{}", text(key, "key"));
    eprintln!(
        "keep it now, it is not shown again (id {})",
        text(key, "id")
    );
}
