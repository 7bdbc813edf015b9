//! Memory: of an idle server, and of a thousand projects; and how long the
//! start with them takes.

use super::{
    Bench,
    peers::Node,
    report::{Goal, Report},
};
use anyhow::Result;
use std::time::{Duration, Instant};

/// An instance that nobody uses is kept for half a minute, a connection to a
/// project's database for a minute; they are swept soon after.
const KEPT: Duration = Duration::from_secs(80);

/// What is resident once what nobody uses is gone: the least of some seconds.
fn settled(node: &Node) -> Result<u64> {
    let end = Instant::now() + KEPT;
    let mut least = node.server.resident()?;
    while Instant::now() < end {
        crate::process::pause();
        least = least.min(node.server.resident()?);
    }
    Ok(least)
}

/// A server with a demo project that has every built-in plugin switched on, as
/// `cargo xtask dev` makes it, after some of them have answered. What the first
/// start of all leaves behind, which compiled them, is said beside it.
pub(super) fn idle(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("idle");
    let node = Node::start(bench.repository, &bench.folder, "idle")?;
    let plugins = node.built_in()?;
    let plugins: Vec<&str> = plugins.iter().map(String::as_str).collect();
    let key = node.project("demo", &plugins)?.secret;
    let first = settled(&node)?;
    let (node, _) = node.restart()?;
    let file = bench.folder.path().join("tiny.txt");
    std::fs::write(&file, "tiny")?;
    node.upload_file(&key, &file)?;
    report.note(&format!(
        "{} plugins on; {} MiB after the first start, which compiled them",
        plugins.len(),
        first >> 20
    ));
    report.mebibytes("idle, demo project", settled(&node)?, Goal::AtMost(64.0));
    Ok(())
}

/// Many projects with both plugins enabled against an empty server.
pub(super) fn many(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let count = bench.plan.many_projects;
    report.part(&format!("{count} projects"));
    let node = Node::start(bench.repository, &bench.folder, "many")?;
    // A plugin in use, so that what all projects share is there in both.
    node.project("first", &["hello", "files"])?;
    let (node, _) = node.restart()?;
    let empty = settled(&node)?;
    for number in 0..count {
        node.project(&format!("project-{number}"), &["hello", "files"])?;
    }
    let grown = settled(&node)?;
    let (node, start) = node.restart()?;
    let started = settled(&node)?;
    let mebibytes = |bytes: u64| bytes >> 20;
    report.note(&format!(
        "empty {} MiB, after making them {} MiB, after a start with them {} MiB",
        mebibytes(empty),
        mebibytes(grown),
        mebibytes(started),
    ));
    #[expect(clippy::cast_precision_loss, reason = "far from where it would show")]
    let each = started.max(grown).saturating_sub(empty) as f64 / 1024.0 / count as f64;
    report.figure(
        "resident memory a project, both plugins enabled",
        each,
        "KiB",
        Goal::AtMost(100.0),
    );
    report.figure(
        "start with all projects",
        start.as_secs_f64(),
        "s",
        Goal::AtMost(3.0),
    );
    Ok(())
}
