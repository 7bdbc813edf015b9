//! `atlashub project keys PROJECT`.

use crate::cli::client::{self, Client, ServerArgs, text};
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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
                let state = state(&key, OffsetDateTime::now_utc());
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

/// What of a key somebody should know who sees the list.
fn state(key: &Value, now: OffsetDateTime) -> String {
    let at = |name| OffsetDateTime::parse(text(key, name), &Rfc3339).ok();
    match (at("revoked_at"), at("expires_at")) {
        (Some(end), _) if end <= now => "revoked".to_owned(),
        (_, Some(end)) if end <= now => "expired".to_owned(),
        (Some(_), _) => format!("replaced, valid until {}", text(key, "revoked_at")),
        (None, Some(_)) => format!("valid until {}", text(key, "expires_at")),
        (None, None) => String::new(),
    }
}

fn show(key: &Value) {
    println!("{}", text(key, "key"));
    eprintln!(
        "keep it now, it is not shown again (id {})",
        text(key, "id")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_key_that_was_replaced_is_valid_until_its_end() {
        let now = datetime!(2026-01-02 0:00 UTC);
        let (before, after) = ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
        for (revoked, expires, expected) in [
            (None, None, ""),
            (Some(before), None, "revoked"),
            (Some(before), Some(after), "revoked"),
            (
                Some(after),
                None,
                "replaced, valid until 2026-01-03T00:00:00Z",
            ),
            (None, Some(after), "valid until 2026-01-03T00:00:00Z"),
            (Some(after), Some(before), "expired"),
        ] {
            let key = json!({"revoked_at": revoked, "expires_at": expires});
            assert_eq!(state(&key, now), expected, "{key}");
        }
    }
}
