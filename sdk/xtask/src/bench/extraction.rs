//! Taking the text out of a PDF of 200 pages: by the plugin `extract` in its
//! sandbox, beside the same crate run natively; and how long it is from an
//! upload until `documents` has the text.

use super::{
    Bench, load,
    peers::Node,
    report::{Goal, Report},
};
use crate::{http::Client, process::Program};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Longest wait for a document.
const PATIENCE: Duration = Duration::from_secs(120);
/// Times that each reads the document in a round.
const TIMES: usize = 3;

/// The plugin `extract` with a route, so that it can be asked by itself.
const ALONE: &str = r#"name = "extract-alone"
version = "0.1.0"
description = "extract, with a route"

[[routes]]
path = "/text"

[limits]
memory_mib = 256
cpu_ms = 30000
wall_ms = 60000
isolation = "request"
max_body_bytes = 33554432
"#;

/// Measures both in turn.
pub(super) fn extraction(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("text of a PDF of 200 pages");
    let natively = build(bench)?;
    let file = bench.folder.path().join("long.pdf");
    Program::new(&natively)
        .args(["make".as_ref(), file.as_os_str()])
        .run("make a PDF")?;
    let node = Node::start(bench.repository, &bench.folder, "extraction")?;
    let key = node
        .project("extraction", &["files", "extract", "documents"])?
        .secret;
    let manifest = bench.folder.path().join("alone.toml");
    std::fs::write(&manifest, ALONE)?;
    let component = bench.repository.root().join("plugins/dist/extract.wasm");
    node.upload(&component, &manifest)?;
    node.enable("extraction", "extract-alone")?;
    let client = Client::with_headers(node.server.address, &format!("x-api-key: {key}\r\n"));
    let (mut control, mut ours, mut road) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds * TIMES {
        control.push(alone(&natively, &file)?);
        ours.push(node.post_file(&key, "/text", &file)? * 1e3);
        road.push(through(&node, &client, &key, &file)?);
    }
    control.push(alone(&natively, &file)?);
    let (control, ours) = (load::middle(control), load::middle(ours));
    report.note(&format!(
        "natively {control:.0} ms, by the plugin {ours:.0} ms, from the end of an upload until \
         `documents` has the text and its topics {:.0} ms",
        load::middle(road)
    ));
    report.ratio(
        "text of a PDF of 200 pages, time",
        "`pdf-extract` run natively",
        ours / control,
        Goal::AtMost(2.0),
    );
    Ok(())
}

/// The crate by itself, a program of the plugin's package.
fn build(bench: &Bench<'_>) -> Result<std::path::PathBuf> {
    bench
        .repository
        .guest_cargo(&["build", "--release", "--workspace", "--example", "natively"])
        .run("build what we measure against")?;
    let target = bench.repository.guest_target();
    Ok(target.join("release/examples/natively"))
}

/// How long the crate takes by itself, milliseconds.
fn alone(natively: &Path, file: &Path) -> Result<f64> {
    let text = Program::new(natively)
        .args(["read".as_ref(), file.as_os_str()])
        .output("read a PDF natively")?;
    text.trim().parse().context("read how long it took")
}

/// How long it is from the end of an upload until the document's text is
/// there, milliseconds.
fn through(node: &Node, client: &Client, key: &str, file: &Path) -> Result<f64> {
    let (id, _) = node.upload_file(key, file)?;
    let began = Instant::now();
    let path = format!("/documents/{id}");
    loop {
        let answer = client.call("GET", &path, None)?;
        match answer.body.get("status").and_then(Value::as_str) {
            Some("ready") => break,
            Some("error") => bail!("the document was not read: {}", answer.body),
            _ if began.elapsed() > PATIENCE => {
                bail!(
                    "the document is not read: {} {}",
                    answer.status,
                    answer.body
                )
            }
            _ => crate::process::pause(),
        }
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    node.delete_file(key, &id)?;
    Ok(took)
}
