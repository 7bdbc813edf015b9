//! Searching many files with text, and paging through a folder of many, on
//! both engines.
//!
//! The files are rows that an example puts into the tables of `files` and
//! `search`: to upload, read and index so many would take most of an hour.

use super::{
    Bench,
    load::{self, Load},
    peers::Node,
    report::{Goal, Report},
};
use crate::{http::Client, process::Program, services::Postgres};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The project.
const PROJECT: &str = "search";
/// Searches a second: of people who type, far from full load.
const RATE: u32 = 20;
/// The folder that the example makes.
const FOLDER: &str = "00000000-0000-7000-8000-00000000f01d";
/// Files of a page.
const PAGE: u32 = 100;

/// On SQLite, then on Postgres.
pub(super) fn search(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let node = Node::start(bench.repository, &bench.folder, "search")?;
    let data = node.data().display().to_string();
    on(bench, report, node, "SQLite", &data)?;
    let postgres = Postgres::start()?;
    let node = Node::on_postgres(
        bench.repository,
        &bench.folder,
        "postgres-search",
        &postgres,
    )?;
    on(bench, report, node, "Postgres", postgres.url())
}

fn on(
    bench: &Bench<'_>,
    report: &mut Report,
    node: Node,
    engine: &str,
    database: &str,
) -> Result<()> {
    let count = bench.plan.files;
    report.part(&format!("{count} files with text on {engine}"));
    let key = node.project(PROJECT, &["files", "search"])?.secret;
    let queries = bench.folder.path().join("queries");
    let fill = Program::new(bench.repository.example("fill_files"))
        .args([database, &project_id(&node)?])
        .args([count, bench.plan.files_in_folder].map(|number| number.to_string()))
        .args([&queries]);
    let (node, _) = node.restart_after(|| fill.run("fill a project with files"))?;
    let client = Client::with_headers(node.server.address, &format!("x-api-key: {key}\r\n"));
    let words = std::fs::read_to_string(&queries).context("read the queries")?;
    let addresses: String = words
        .lines()
        .map(|word| node.server.url(&format!("/files/search?q={word}")) + "\n")
        .collect();
    std::fs::write(&queries, addresses).context("write the queries")?;
    let time = bench.plan.time;
    load::turns_at(&queries, Some(&key), RATE, time / 2)?;
    let mut found = Vec::new();
    for _ in 0..bench.plan.rounds {
        found.push(load::turns_at(&queries, Some(&key), RATE, time)?);
    }
    let of = |figure: fn(&load::Latencies) -> f64| {
        load::middle(found.iter().map(figure).collect()) / 1_000.0
    };
    report.note(&format!(
        "{RATE} searches a second: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
        of(|found| found.p50),
        of(|found| found.p95),
        of(|found| found.p99)
    ));
    report.figure(
        &format!("p95 of a search over {count} files on {engine}"),
        of(|found| found.p95),
        "ms",
        Goal::AtMost(50.0),
    );
    pages(bench, report, &node, (engine, &client, &key))
}

fn project_id(node: &Node) -> Result<String> {
    let path = format!("/admin/v1/projects/{PROJECT}");
    let project = node.admin.call("GET", &path, None)?;
    let project = project.expect_success("look at a project")?;
    let id = project.get("id").and_then(Value::as_str);
    Ok(id.context("the project has no id")?.to_owned())
}

/// The last page of a large folder beside its first.
fn pages(
    bench: &Bench<'_>,
    report: &mut Report,
    node: &Node,
    (engine, client, key): (&str, &Client, &str),
) -> Result<()> {
    let first = format!("/files?folder_id={FOLDER}&limit={PAGE}");
    let mut last = first.clone();
    let (mut listed, mut more) = (0, true);
    while more {
        let page = client.call("GET", &last, None)?;
        let page = page.expect_success("list a folder")?;
        listed += page
            .get("items")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(cursor) => last = format!("{first}&cursor={cursor}"),
            None => more = false,
        }
    }
    if u32::try_from(listed)? != bench.plan.files_in_folder {
        bail!("{listed} files were listed in the folder");
    }
    let load = |path: &str| Load {
        url: node.server.url(path),
        key: Some(key.to_owned()),
        token: None,
        turns: None,
    };
    let (first, last) = (load(&first), load(&last));
    let run = |load| {
        load::run(
            load,
            node.server.pid(),
            bench.plan.time / 2,
            bench.folder.path(),
        )
    };
    run(&first)?;
    let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds {
        firsts.push(run(&first)?);
        lasts.push(run(&last)?);
    }
    firsts.push(run(&first)?);
    let (first, last) = (load::median(&firsts), load::median(&lasts));
    report.sample("the first page of a folder", &first);
    report.sample("its last page", &last);
    report.ratio(
        &format!(
            "the last page of a folder of {} files on {engine}",
            bench.plan.files_in_folder
        ),
        "its first page",
        last.rate / first.rate,
        Goal::AtLeast(0.9),
    );
    Ok(())
}
