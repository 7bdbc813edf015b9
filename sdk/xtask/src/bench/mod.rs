//! `cargo xtask bench`: what AtlasHub reaches, each figure beside its
//! baseline in the same run, written to `docs/BENCHMARKS.md`.
//!
//! The server is the release binary on the embedded default in a temporary
//! folder, driven through its own interface. Baselines are a plain axum
//! server with the same allocator (`tests/examples/control/main.rs`), measured
//! first and last, and `wasmtime serve`. Runs of all take turns, so that a
//! machine that slows down slows all of them.

mod callbacks;
mod dashboard;
mod extraction;
mod identity;
mod jobs;
mod large;
mod latency;
mod load;
mod moves;
mod neighbour;
mod peers;
mod pocketbase;
mod report;
mod scale;
mod search;
mod speed;
mod streams;
mod tables;
mod transfer;

use crate::{
    process::{Folder, Program},
    setup,
    workspace::Workspace,
};
use anyhow::{Result, bail};
use report::Report;
use std::time::Duration;

/// How thorough a run is.
#[derive(Clone, Copy)]
struct Plan {
    /// How long each load lasts.
    time: Duration,
    /// How often each is run.
    rounds: usize,
    /// How large an upload is, bytes.
    upload_bytes: u64,
    /// How many projects are made for the figures of many.
    many_projects: usize,
    /// How many streams are held.
    streams: usize,
    /// How many files are searched, and how many of them lie in one folder.
    files: u32,
    files_in_folder: u32,
    /// How many jobs are done, and how many schedules there are.
    jobs: usize,
    schedules: usize,
    /// How large the CSV of a table is that moves, bytes.
    table_bytes: u64,
    /// How many payments are told.
    payments: u32,
    /// How many rows the table has that is scrolled.
    rows_shown: u32,
}

const FULL: Plan = Plan {
    time: Duration::from_secs(8),
    rounds: 3,
    upload_bytes: 1 << 30,
    many_projects: 1_000,
    streams: 10_000,
    files: 100_000,
    files_in_folder: 10_000,
    jobs: 20_000,
    schedules: 100_000,
    table_bytes: 1 << 30,
    payments: 5_000,
    rows_shown: 100_000,
};

/// To see that all works; its figures are no more than hints.
const QUICK: Plan = Plan {
    time: Duration::from_secs(2),
    rounds: 2,
    upload_bytes: 256 << 20,
    many_projects: 100,
    streams: 1_000,
    files: 5_000,
    files_in_folder: 1_000,
    jobs: 4_000,
    schedules: 5_000,
    table_bytes: 64 << 20,
    payments: 1_000,
    rows_shown: 10_000,
};

/// What everything needs.
struct Bench<'a> {
    repository: &'a Workspace,
    folder: Folder,
    plan: Plan,
}

/// The parts, in the order in which they run.
const PARTS: &[&str] = &[
    "hello",
    "small",
    "tables",
    "moves",
    "large",
    "login",
    "checks",
    "transfer",
    "tus",
    "first",
    "tenants",
    "many",
    "streams",
    "search",
    "extraction",
    "callbacks",
    "neighbour",
    "jobs",
    "dashboard",
];

/// Measures everything, or the named parts.
pub(crate) fn run(repository: &Workspace, words: &[String]) -> Result<()> {
    let quick = words.iter().any(|word| word == "--quick");
    let build = !words.iter().any(|word| word == "--no-build");
    let parts: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    if let Some(unknown) = words
        .iter()
        .find(|word| word.starts_with("--") && !["--quick", "--no-build"].contains(&word.as_str()))
    {
        bail!("there is no flag `{unknown}`; there are --quick and --no-build");
    }
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        bail!(
            "there is no part `{unknown}`; the parts are: {}",
            PARTS.join(" ")
        );
    }
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    setup::debian_program("wrk", "wrk", "the load generator")?;
    setup::debian_program("curl", "curl", "uploads in the benches")?;
    if build {
        build_servers(repository)?;
    }

    let bench = Bench {
        repository,
        folder: Folder::new("bench", None)?,
        plan: if quick { QUICK } else { FULL },
    };
    let mut report = Report::new(quick)?;
    if wanted("hello") {
        speed::hello(&bench, &mut report)?;
    }
    if wanted("small") {
        transfer::small(&bench, &mut report)?;
    }
    if wanted("tables") {
        tables::rows(&bench, &mut report)?;
    }
    if wanted("moves") {
        moves::moves(&bench, &mut report)?;
    }
    if wanted("large") {
        large::large(&bench, &mut report)?;
    }
    if wanted("login") {
        identity::login(&bench, &mut report)?;
    }
    if wanted("checks") {
        identity::checks(&bench, &mut report)?;
    }
    if wanted("transfer") {
        transfer::download(&bench, &mut report)?;
        transfer::upload(&bench, &mut report)?;
    }
    if wanted("tus") {
        transfer::tus(&bench, &mut report)?;
    }
    if wanted("first") {
        latency::first(&bench, &mut report)?;
    }
    if wanted("tenants") {
        speed::tenants(&bench, &mut report)?;
    }
    if wanted("many") {
        scale::idle(&bench, &mut report)?;
        scale::many(&bench, &mut report)?;
    }
    if wanted("streams") {
        streams::streams(&bench, &mut report)?;
    }
    if wanted("search") {
        search::search(&bench, &mut report)?;
    }
    if wanted("extraction") {
        extraction::extraction(&bench, &mut report)?;
    }
    if wanted("callbacks") {
        callbacks::callbacks(&bench, &mut report)?;
    }
    if wanted("neighbour") {
        neighbour::neighbour(&bench, &mut report)?;
    }
    if wanted("jobs") {
        jobs::jobs(&bench, &mut report)?;
    }
    if wanted("dashboard") {
        dashboard::dashboard(&bench, &mut report)?;
    }
    println!("{}", report.text());
    // Hints, or a part of the figures, do not replace the whole.
    if !quick && parts.is_empty() {
        report.write(&repository.root().join("docs").join("BENCHMARKS.md"))?;
    }
    Ok(())
}

fn build_servers(repository: &Workspace) -> Result<()> {
    crate::build(repository, None)?;
    let controls = [
        "build",
        "--profile=dist",
        "--workspace",
        "--example",
        "control",
        "--example",
        "argon2_alone",
        "--example",
        "fill_files",
    ];
    repository
        .cargo(&controls)
        .run("build what we measure against")
}

impl Bench<'_> {
    /// Builds the component that `wasmtime serve` runs.
    fn bare_component(&self) -> Result<std::path::PathBuf> {
        setup::guest_target()?;
        let target = self.repository.guest_target();
        Program::new("cargo")
            .args([
                "build",
                "--quiet",
                "--release",
                "--locked",
                "--target",
                setup::GUEST_TARGET,
            ])
            .current_dir(self.repository.root().join("tests/benches/bare"))
            .env("CARGO_TARGET_DIR", &target)
            .run("build the component for wasmtime")?;
        Ok(target.join(setup::GUEST_TARGET).join("release/bare.wasm"))
    }
}
