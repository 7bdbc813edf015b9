//! `atlashub queue list PROJECT`.

use crate::cli::client::{self, Client, ServerArgs, text};
use clap::Args;
use serde_json::Value;

/// Arguments of `queue list`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// The project's slug or id
    project: String,
    /// Only items in this state, such as `dead`
    #[arg(long)]
    state: Option<String>,
    /// Only items for this plugin
    #[arg(long, value_name = "PLUGIN")]
    consumer: Option<String>,
}

pub(super) fn run(args: &ListArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let filters = [("state", &args.state), ("consumer", &args.consumer)];
    for (name, value) in filters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    let path = format!("/admin/v1/projects/{}/queue?{query}", args.project);
    for item in client::block_on(client::all(&client, &path))? {
        let attempt = item.get("attempt").and_then(Value::as_u64).unwrap_or(0);
        println!(
            "{}  {:<9}  {:>3}  {:<16}  {:<24}  {}",
            text(&item, "id"),
            text(&item, "state"),
            attempt,
            text(&item, "consumer"),
            text(&item, "name"),
            item.get("error")
                .map(|error| text(error, "code"))
                .unwrap_or_default(),
        );
    }
    Ok(())
}
