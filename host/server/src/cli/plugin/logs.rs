//! `atlashub plugin logs`: what a plugin wrote, and what it writes.

use crate::cli::client::{self, Client, ServerArgs, text};
use anyhow::Context as _;
use clap::Args;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::Value;

/// Arguments of `plugin logs`.
#[derive(Args, Debug)]
pub(super) struct LogsArgs {
    /// The plugin's name
    plugin: String,
    /// The project's slug or id
    #[arg(long, short, env = "ATLASHUB_PROJECT")]
    project: String,
    /// Go on with new lines as they come
    #[arg(long, short)]
    follow: bool,
    /// How many past lines
    #[arg(long, short = 'n', default_value_t = 50)]
    lines: u32,
}

pub(super) fn run(args: &LogsArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let path = format!(
        "/admin/v1/projects/{}/plugins/{}/logs?limit={}",
        args.project, args.plugin, args.lines
    );
    client::block_on(async {
        if !args.follow {
            let page = client.get(&path).await?;
            for line in client::items(&page).iter().rev() {
                print(line);
            }
            return Ok(());
        }
        let request = client
            .request(Method::GET, &format!("{path}&follow=1"))
            .timeout(std::time::Duration::from_secs(24 * 3_600));
        let mut bytes = client.send(request).await?.bytes_stream();
        let mut pending = Vec::new();
        while let Some(chunk) = bytes.next().await {
            pending.extend_from_slice(&chunk.context("the stream was cut off")?);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                if let Some(data) = line.strip_prefix(b"data:") {
                    print(&serde_json::from_slice(data).unwrap_or_default());
                }
            }
        }
        eprintln!(
            "the server ended the log: it stops, the plugin was removed, or the session is over"
        );
        Ok(())
    })
}

fn print(line: &Value) {
    if !line.is_null() {
        println!(
            "{}  {:<5}  {}",
            text(line, "at"),
            text(line, "level"),
            text(line, "message")
        );
    }
}
