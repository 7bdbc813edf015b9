//! `atlashub fsck`: has a running server compare what it stores with what it
//! knows, and mend what can be mended. Ends with 0 when all is well, 1 when
//! something was found, mended or not, and 2 when it could not look.

use super::client::{self, Client, ServerArgs, text};
use anyhow::{Context as _, bail};
use clap::Args;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};

/// The longest that the check of one project may take.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);
/// As what belongs to no project is called. No slug is so.
const STORE: &str = "(store)";
/// Longest line of an answer, bytes.
const MAX_LINE: usize = 1024 * 1024;

/// Arguments of `fsck`.
#[derive(Args, Debug)]
pub(crate) struct FsckArgs {
    /// Only this project, by slug or id; all of them otherwise
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Mend what can be mended without losing anything
    #[arg(long)]
    repair: bool,
    /// Delete objects that nothing refers to, in place of moving them to
    /// lost+found, and what is in there
    #[arg(long, requires = "repair")]
    delete_orphans: bool,
    /// Leave alone what is younger, such as 30m or 2h: it may be under way
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = grace)]
    grace: Duration,
    /// Print one JSON document a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Checks.
///
/// # Errors
/// Never: what keeps it from looking is printed, and the code is 2.
pub(crate) fn run(args: &FsckArgs) -> anyhow::Result<ExitCode> {
    match client::block_on(check_all(args)) {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::from(1)),
        Err(error) => {
            eprintln!("error: {error:#}");
            Ok(ExitCode::from(2))
        }
    }
}

/// Checks the projects, one after the other; how much was found.
async fn check_all(args: &FsckArgs) -> anyhow::Result<u64> {
    let client = Client::new(&args.server)?;
    let projects = match &args.project {
        Some(project) => {
            let path = format!("/admin/v1/projects/{project}");
            vec![client.get(&path).await?]
        }
        None => client::all(&client, "/admin/v1/projects").await?,
    };
    let mut found = 0;
    if args.project.is_none() {
        found += check(&client, args, STORE, "/admin/v1/check")
            .await
            .context("the store could not be checked")?;
    }
    for project in &projects {
        let slug = text(project, "slug");
        let path = format!("/admin/v1/projects/{slug}/check");
        found += check(&client, args, slug, &path)
            .await
            .with_context(|| format!("{slug} could not be checked"))?;
    }
    if projects.is_empty() && !args.json {
        println!("no projects yet");
    }
    Ok(found)
}

async fn check(client: &Client, args: &FsckArgs, slug: &str, path: &str) -> anyhow::Result<u64> {
    let wish = json!({
        "grace_seconds": args.grace.as_secs(),
        "repair": args.repair,
        "delete_orphans": args.delete_orphans,
    });
    let request = client
        .request(Method::POST, path)
        .timeout(PATIENCE)
        .json(&wish);
    let mut body = client.send(request).await?.bytes_stream();
    let mut rest = Vec::new();
    while let Some(chunk) = body.next().await {
        rest.extend_from_slice(&chunk.context("the server broke off, its log says why")?);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line: Value = serde_json::from_slice(&line)
                .context("the server did not answer with JSON; is it AtlasHub?")?;
            if let Some(found) = print(args, slug, &line) {
                return Ok(found);
            }
        }
        anyhow::ensure!(rest.len() <= MAX_LINE, "the server sends no lines");
    }
    bail!("the server broke off, its log says why")
}

/// Prints a line of the answer; how much was found, after the last.
fn print(args: &FsckArgs, slug: &str, line: &Value) -> Option<u64> {
    if args.json {
        let mut line = line.clone();
        if let Some(members) = line.as_object_mut() {
            let project = if slug == STORE {
                Value::Null
            } else {
                slug.into()
            };
            members.insert("project".to_owned(), project);
        }
        println!("{line}");
    }
    if let Some(finding) = line.get("finding") {
        if !args.json {
            let mended = finding.get("mended").and_then(Value::as_bool);
            println!(
                "{slug}  {}  {:<10} {:<18} {}: {}",
                if mended == Some(true) {
                    "mended"
                } else {
                    "FOUND "
                },
                text(finding, "part"),
                text(finding, "code"),
                text(finding, "subject"),
                text(finding, "message"),
            );
        }
        return None;
    }
    let summary = line.get("summary")?;
    let count = |name: &str| summary.get(name).and_then(Value::as_u64).unwrap_or(0);
    let found = count("found");
    if args.json {
        return Some(found);
    }
    let verdict = match (found, count("mended")) {
        (0, _) => "all is well".to_owned(),
        (found, mended) => format!("{found} found, {mended} mended"),
    };
    println!(
        "{slug}: {verdict}; {} objects of {} bytes, {} references",
        count("objects"),
        count("bytes"),
        count("references")
    );
    if count("left_alone") > 0 {
        println!(
            "{slug}: left alone what is under way or younger than {} s: {}",
            args.grace.as_secs(),
            count("left_alone")
        );
    }
    if count("set_aside") > 0 {
        println!(
            "{slug}: in lost+found: {} objects; look at them, then delete them with --repair --delete-orphans",
            count("set_aside")
        );
    }
    let unchecked = summary.get("unchecked").and_then(Value::as_object);
    for (plugin, why) in unchecked.into_iter().flatten() {
        let why = why.as_str().unwrap_or_default();
        println!("{slug}: the objects of {plugin} were not checked: {why}");
    }
    Some(found)
}

/// Reads a time such as `90`, `0s`, `30m`, `2h` or `7d`.
fn grace(given: &str) -> Result<Duration, String> {
    let digits = given.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match given.strip_prefix(digits) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3_600,
        Some("d") => 24 * 3_600,
        _ => return Err("write a number with s, m, h or d behind it".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "write a number with s, m, h or d behind it".to_owned())?;
    number
        .checked_mul(unit)
        .map(Duration::from_secs)
        .ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_a_number_with_a_unit() {
        let seconds = |given| grace(given).map(|time| time.as_secs());
        assert_eq!(seconds("0s"), Ok(0));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("2h"), Ok(7_200));
        assert_eq!(seconds("7d"), Ok(604_800));
        for given in [
            "",
            "h",
            "1w",
            "-1h",
            "1.5h",
            "99999999999999999999d",
            "99999999999999999d",
        ] {
            assert!(grace(given).is_err(), "{given} was taken");
        }
    }
}
