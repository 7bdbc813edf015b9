//! What a project feels while a plugin of another one misbehaves: the p99 of
//! its `hello` beside its own p99 in peace, at one rate.

use super::{
    Bench,
    load::{self, Load},
    peers::Node,
    report::{Goal, Report},
};
use crate::{process::Program, setup};
use anyhow::Result;

/// What the fixture does wrong, one address each.
const WRONGS: &[&str] = &[
    "loop",
    "loop-after-error",
    "trap",
    "stack",
    "memory",
    "endless",
    "fields",
    "resources/fields",
    "recurse",
    "log",
];

/// Calls to the fixture at a time, and a second.
const CALLS: [&str; 4] = ["-c", "4", "-q", "20"];

/// Requests a second to the neighbour: a busy site's, far from full load.
const RATE: u32 = 1_000;

/// Measures the neighbour in peace and beside each wrong.
pub(super) fn neighbour(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("a neighbour of misbehaving plugins");
    let node = Node::start(bench.repository, &bench.folder, "neighbour")?;
    let key = node.project("quiet", &["hello"])?.secret;
    let plugins = bench.repository.root().join("plugins");
    node.upload(
        &plugins.join("dist/fixtures/misbehave.wasm"),
        &plugins.join("fixtures/misbehave/plugin.toml"),
    )?;
    let quiet = Load {
        url: node.server.url("/hello"),
        key: Some(key),
        token: None,
        turns: None,
    };
    // Halves of a run, several of them: a glitch of the machine is as long as
    // what is looked for.
    let measure = || load::p99_at(&quiet, RATE, bench.plan.time / 2);
    measure()?;
    let mut peace = vec![measure()?];
    let mut worst: (f64, &str) = (0.0, "");
    let mut figures = Vec::new();
    for (number, wrong) in WRONGS.iter().enumerate() {
        // A project each: a plugin that keeps failing is cut off for a while.
        let guilty = node
            .project(&format!("guilty-{number}"), &["misbehave"])?
            .secret;
        let trouble = Program::new(setup::oha()?)
            .args(["--no-tui", "-z", "10m"])
            .args(CALLS)
            .args(["-H"])
            .args([format!("x-api-key: {guilty}")])
            .args([node.server.url(&format!("/misbehave/{wrong}"))])
            .start(
                "misbehave",
                Some(&bench.folder.path().join("misbehave.log")),
            )?;
        let samples: Result<Vec<_>> = (0..bench.plan.rounds.min(3)).map(|_| measure()).collect();
        drop(trouble);
        let p99 = load::middle(samples?);
        figures.push(format!("{wrong} {p99:.0} µs"));
        if p99 > worst.0 {
            worst = (p99, wrong);
        }
        peace.push(measure()?);
    }
    let peace = load::middle(peace);
    report.note(&format!(
        "p99 at {RATE} requests a second in peace {peace:.0} µs; beside {}",
        figures.join(", ")
    ));
    report.ratio(
        &format!("p99 of a neighbour, at worst (beside `{}`)", worst.1),
        "its own in peace",
        worst.0 / peace,
        Goal::AtMost(2.0),
    );
    Ok(())
}
