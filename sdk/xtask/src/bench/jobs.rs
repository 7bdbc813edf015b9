//! Jobs of plugins on both engines: how many that do nothing end in a second,
//! how soon one is taken up that falls due, and what schedules cost of which
//! none is due.

use super::{
    Bench, load,
    peers::Node,
    report::{Goal, Report},
};
use crate::{
    http::Client,
    process::{Program, pause},
    services::Postgres,
    setup,
};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Jobs that are added by one request.
const AT_ONCE: usize = 500;
/// Jobs that fall due one by one.
const SINGLE: usize = 50;
/// Schedules of one project.
const PER_PROJECT: usize = 5_000;
/// The longest that all jobs may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the server is left alone.
const IDLE: Duration = Duration::from_secs(20);

/// On the embedded default, then on Postgres.
pub(super) fn jobs(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    setup::guest_target()?;
    let node = Node::start(bench.repository, &bench.folder, "jobs")?;
    report.part("jobs on SQLite");
    on(bench, report, &node)?;
    drop(node);
    let postgres = Postgres::start()?;
    let node = Node::on_postgres(
        bench.repository,
        &bench.folder,
        "jobs-on-postgres",
        &postgres,
    )?;
    report.part("jobs on Postgres");
    on(bench, report, &node)
}

fn on(bench: &Bench<'_>, report: &mut Report, node: &Node) -> Result<()> {
    let component = component(bench)?;
    let manifest = bench.repository.root().join("plugins/fixtures/worker");
    node.upload(&component, &manifest.join("plugin.toml"))?;
    let worker = worker(node, "jobs")?;

    // Added first, so that adding them is not measured.
    let count = bench.plan.jobs;
    let wait = Duration::from_millis(u64::try_from(count)? * 4 + 5_000);
    let due = now_ms()? + u64::try_from(wait.as_millis())?;
    for _ in 0..count / AT_ONCE {
        let job = json!({"name": "quick", "at_ms": due});
        let many = json!({"count": AT_ONCE, "job": job});
        worker
            .call("POST", "/worker/jobs/many", Some(&many))?
            .expect_success("add jobs")?;
    }
    ensure!(now_ms()? < due, "adding the jobs took too long");
    let begun = Instant::now();
    while open(node, "jobs")? > 0 {
        ensure!(begun.elapsed() < wait + PATIENCE, "the jobs do not end");
        pause();
    }
    let took = Duration::from_millis(now_ms()?.saturating_sub(due));
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = count as f64 / took.as_secs_f64();
    report.figure(
        "jobs that do nothing",
        rate,
        "a second",
        Goal::AtLeast(2_000.0),
    );

    let mut waits = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        waits.push(pickup(&worker)?);
    }
    let worst = waits.iter().copied().fold(0.0, f64::max);
    report.note(&format!("the slowest of {SINGLE} took {worst:.0} ms"));
    report.figure(
        "from due to taken up",
        load::middle(waits),
        "ms",
        Goal::AtMost(50.0),
    );

    let schedules = bench.plan.schedules;
    for number in 0..schedules.div_ceil(PER_PROJECT) {
        let worker = self::worker(node, &format!("idle-{number}"))?;
        let count = PER_PROJECT.min(schedules - number * PER_PROJECT);
        let many = json!({"count": count, "expression": "0 0 1 1 *"});
        worker
            .call("POST", "/worker/schedules", Some(&many))?
            .expect_success("make schedules")?;
    }
    let before = load::cpu_time(node.server.pid())?;
    let begun = Instant::now();
    while begun.elapsed() < IDLE {
        pause();
    }
    let used = load::cpu_time(node.server.pid())?.saturating_sub(before);
    report.figure(
        &format!("{schedules} schedules, none due"),
        used.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0,
        "% of a core",
        Goal::AtMost(2.0),
    );
    Ok(())
}

/// Builds the plugin whose jobs they are.
fn component(bench: &Bench<'_>) -> Result<std::path::PathBuf> {
    let target = bench.repository.guest_target();
    Program::new("cargo")
        .args(["build", "--quiet", "--release", "--locked"])
        .args(["--workspace", "--target", setup::GUEST_TARGET])
        .current_dir(bench.repository.root().join("plugins"))
        .env("CARGO_TARGET_DIR", &target)
        .run("build the worker")?;
    Ok(target
        .join(setup::GUEST_TARGET)
        .join("release/fixture_worker.wasm"))
}

/// A project with the worker, as its secret key sees it.
fn worker(node: &Node, slug: &str) -> Result<Client> {
    let keys = node.project(slug, &["worker"])?;
    let headers = format!("x-api-key: {}\r\n", keys.secret);
    Ok(Client::with_headers(node.server.address, &headers))
}

/// How many jobs have not ended.
fn open(node: &Node, slug: &str) -> Result<u64> {
    let path = format!("/admin/v1/projects/{slug}/queue/counts");
    let counts = node.admin.call("GET", &path, None)?;
    let counts = counts.expect_success("count jobs")?;
    let states = ["waiting", "ready", "scheduled", "held", "running"];
    let count = |state| counts.get(state).and_then(Value::as_u64);
    Ok(states.into_iter().filter_map(count).sum())
}

/// How long a job waits after it fell due, milliseconds.
fn pickup(worker: &Client) -> Result<f64> {
    let job = json!({"name": "quick", "after_ms": 300});
    let added = worker.call("POST", "/worker/jobs", Some(&job))?;
    let added = added.expect_success("add a job")?;
    let id = added.get("id").and_then(Value::as_str);
    let path = format!("/worker/jobs/{}", id.context("a job without an id")?);
    loop {
        let job = worker.call("GET", &path, None)?;
        let job = job.expect_success("look at a job")?;
        let number = |name| job.get(name).and_then(Value::as_f64);
        if job.get("state").and_then(Value::as_str) == Some("done") {
            let (started, due) = (number("started_ms"), number("due_ms"));
            return Ok(started.zip(due).map_or(0.0, |(started, due)| started - due));
        }
        pause();
    }
}

fn now_ms() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_millis())?)
}
