//! `atlashub project create NAME`.

use crate::cli::client::{self, Client, ServerArgs, text};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

/// Arguments of `project create`.
#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// Its display name
    name: String,
    /// Its name in addresses; made from the name unless given
    #[arg(long)]
    slug: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CreateArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let mut body = json!({ "name": args.name });
    if let (Some(slug), Some(members)) = (&args.slug, body.as_object_mut()) {
        members.insert("slug".to_owned(), Value::from(slug.as_str()));
    }
    let made = client::block_on(client.call(Method::POST, "/admin/v1/projects", &body))?;
    if args.json {
        println!("{made:#}");
        return Ok(());
    }
    let keys = made.get("keys").cloned().unwrap_or_default();
    println!("project {} ({})", text(&made, "slug"), text(&made, "id"));
    println!("  publishable key  {}", text(&keys, "publishable"));
    println!("  secret key       {}", text(&keys, "secret"));
    println!("keep the keys now, they are not shown again");
    println!("its address: {}/p/{}/", client.base(), text(&made, "slug"));
    Ok(())
}
