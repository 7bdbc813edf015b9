//! Requests a second: `hello` through the whole road, with an instance of its
//! own for each request, and over many projects in turn.

use super::{
    Bench,
    load::{self, Load, Sample, Turns, median},
    peers::{Node, Server, control, wasmtime},
    report::{Goal, Report},
};
use anyhow::{Context as _, Result};

/// The `hello` plugin with another isolation, under a name of its own.
const FRESH: &str = r#"name = "hello-fresh"
version = "0.1.0"
description = "hello, with an instance for each request"

[[routes]]
path = "/hello"

[limits]
isolation = "request"
"#;

/// The peer that comes nearest.
const REUSED: &str = "wasmtime serve, 128 requests an instance";

/// How many projects take turns.
const TENANTS: usize = 200;

pub(super) struct Contender<'a> {
    name: &'a str,
    server: &'a Server,
    load: Load,
    samples: Vec<Sample>,
}

impl<'a> Contender<'a> {
    pub(super) fn new(name: &'a str, server: &'a Server, path: &str, key: Option<&str>) -> Self {
        let load = Load {
            url: server.url(path),
            key: key.map(str::to_owned),
            token: None,
            turns: None,
        };
        Self {
            name,
            server,
            load,
            samples: Vec::new(),
        }
    }
}

impl Contender<'_> {
    /// With an access token beside the key.
    pub(super) fn with_token(mut self, token: &str) -> Self {
        self.load.token = Some(token.to_owned());
        self
    }
}

/// Lets all run in turn, as often as planned, and answers their medians. The
/// first runs once more at the end.
pub(super) fn compete(
    bench: &Bench<'_>,
    report: &mut Report,
    mut all: Vec<Contender<'_>>,
) -> Result<Vec<Sample>> {
    let folder = bench.folder.path();
    let time = bench.plan.time;
    for contender in &all {
        // Warms up: caches, instances, the allocator.
        load::run(
            &contender.load,
            contender.server.pid(),
            time / 4 + std::time::Duration::from_secs(1),
            folder,
        )?;
    }
    for _ in 0..bench.plan.rounds {
        for contender in &mut all {
            contender.samples.push(load::run(
                &contender.load,
                contender.server.pid(),
                time,
                folder,
            )?);
        }
    }
    if let Some(first) = all.first_mut() {
        first
            .samples
            .push(load::run(&first.load, first.server.pid(), time, folder)?);
    }
    Ok(all
        .iter()
        .map(|contender| {
            let median = median(&contender.samples);
            report.sample(contender.name, &median);
            median
        })
        .collect())
}

/// The p99 of each at `rate` requests a second, microseconds: medians of runs
/// in turn.
fn p99_at(
    bench: &Bench<'_>,
    report: &mut Report,
    all: &[Contender<'_>],
    rate: u32,
) -> Result<Vec<f64>> {
    let mut figures = vec![Vec::new(); all.len()];
    for _ in 0..bench.plan.rounds {
        for (contender, figures) in all.iter().zip(&mut figures) {
            figures.push(load::p99_at(&contender.load, rate, bench.plan.time)?);
        }
    }
    let medians: Vec<f64> = figures.into_iter().map(load::middle).collect();
    let named: Vec<String> = all
        .iter()
        .zip(&medians)
        .map(|(contender, p99)| format!("{} {p99:.0} µs", contender.name))
        .collect();
    report.note(&format!(
        "p99 at {rate} requests a second: {}",
        named.join(", ")
    ));
    Ok(medians)
}

/// `hello` against plain axum and `wasmtime serve`, reused and not.
pub(super) fn hello(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("hello");
    let component = bench.bare_component()?;
    let plain = control(bench.repository, &bench.folder)?;
    let once = wasmtime(&component, &[], &bench.folder)?;
    let reused = wasmtime(
        &component,
        &["--max-instance-reuse-count", "128"],
        &bench.folder,
    )?;
    let node = Node::start(bench.repository, &bench.folder, "hello")?;
    let key = node.project("hello", &["hello"])?.secret;
    let manifest = bench.folder.path().join("fresh.toml");
    std::fs::write(&manifest, FRESH)?;
    node.upload(
        &bench.repository.root().join("plugins/dist/hello.wasm"),
        &manifest,
    )?;
    let fresh_key = node.project("fresh", &["hello-fresh"])?.secret;

    let contenders = || {
        vec![
            Contender::new("plain axum", &plain, "/hello", None),
            Contender::new("wasmtime serve", &once, "/hello", None),
            Contender::new(REUSED, &reused, "/hello", None),
            Contender::new("AtlasHub", &node.server, "/hello", Some(&key)),
            Contender::new(
                "AtlasHub, an instance a request",
                &node.server,
                "/hello",
                Some(&fresh_key),
            ),
        ]
    };
    let samples = compete(bench, report, contenders())?;
    let [axum, once, _, ours, fresh] = *samples else {
        anyhow::bail!("a contender is missing")
    };
    // Latency is compared at one rate, which all can serve: at full load it
    // tells how the kernel divides the processors among load and server.
    let slowest = samples
        .iter()
        .map(|sample| sample.rate)
        .fold(f64::MAX, f64::min);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is positive and far below the limit"
    )]
    let rate = ((slowest / 2.0) as u32).max(100);
    let at_rate = p99_at(bench, report, &contenders(), rate)?;
    let [_, once_p99, reused_p99, ours_p99, _] = *at_rate else {
        anyhow::bail!("a contender is missing")
    };
    report.ratio(
        "`hello` through the whole road",
        "plain axum",
        ours.rate / axum.rate,
        Goal::AtLeast(0.4),
    );
    report.ratio(
        "p99 of `hello`",
        "the better of wasmtime's two, at the same rate",
        ours_p99 / once_p99.min(reused_p99),
        Goal::AtMost(1.0),
    );
    report.ratio(
        "one fresh instance a request",
        "`wasmtime serve` without reuse",
        fresh.rate / once.rate,
        Goal::AtLeast(1.5),
    );
    Ok(())
}

/// Many projects in turn against one of them, both through the same script.
pub(super) fn tenants(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("tenants");
    let node = Node::start(bench.repository, &bench.folder, "tenants")?;
    let mut keys = Vec::new();
    for number in 0..TENANTS {
        keys.push(
            node.project(&format!("tenant-{number}"), &["hello"])?
                .secret,
        );
    }
    let file = |name: &str, keys: &[String]| -> Result<std::path::PathBuf> {
        let path = bench.folder.path().join(name);
        std::fs::write(&path, keys.join("\n"))?;
        Ok(path)
    };
    let one = file("one-key", keys.get(..1).context("there are no projects")?)?;
    let all = file("all-keys", &keys)?;
    let contender = |name, keys| Contender {
        name,
        server: &node.server,
        load: Load {
            url: node.server.url("/hello"),
            key: None,
            token: None,
            turns: Some(Turns::Keys(keys)),
        },
        samples: Vec::new(),
    };
    let samples = compete(
        bench,
        report,
        vec![
            contender("AtlasHub, one project", one),
            contender("AtlasHub, 200 projects in turn", all),
        ],
    )?;
    let [one, many] = *samples else {
        anyhow::bail!("a contender is missing")
    };
    report.ratio(
        "the same over 200 projects in turn",
        "one project",
        many.rate / one.rate,
        Goal::AtLeast(0.9),
    );
    report.mebibytes(
        "resident with 200 projects under load",
        node.server.resident()?,
        Goal::AtMost(300.0),
    );
    Ok(())
}
