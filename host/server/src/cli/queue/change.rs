//! `atlashub queue retry PROJECT ID…` and `atlashub queue cancel PROJECT ID…`.

use crate::cli::client::{self, Client, ServerArgs, text};
use clap::Args;
use reqwest::Method;
use serde_json::json;

/// Arguments of `queue retry` and `queue cancel`.
#[derive(Args, Debug)]
pub(super) struct ChangeArgs {
    /// The project's slug or id
    project: String,
    /// The items' ids, as `queue list` shows them
    #[arg(required = true)]
    ids: Vec<String>,
}

pub(super) fn run(args: &ChangeArgs, change: &str, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    client::block_on(async {
        for id in &args.ids {
            let path = format!("/admin/v1/projects/{}/queue/{id}/{change}", args.project);
            let item = client.call(Method::POST, &path, &json!({})).await?;
            println!("{id}  {}", text(&item, "state"));
        }
        Ok(())
    })
}
