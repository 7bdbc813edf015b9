//! `cargo xtask test`: every check that a change must pass, in one order, on
//! both engines.
//!
//! A step that fails does not keep the others from running, except those
//! that need what it builds. Services start when the first step that needs
//! them does, and end with the run.

use crate::{
    dashboard::DASHBOARD,
    drive::DRIVE,
    plugins,
    process::Folder,
    services::{ObjectStore, Postgres},
    setup::{self, announce},
    workspace::Workspace,
};
use anyhow::{Result, bail};
use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Instant};

/// One step: its name, and what it does.
struct Step {
    name: &'static str,
    run: fn(&mut Run<'_>) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        run: fmt,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "deny",
        run: deny,
    },
    Step {
        name: "doc",
        run: doc,
    },
    Step {
        name: "unit",
        run: unit,
    },
    Step {
        name: "client",
        run: client,
    },
    Step {
        name: "sqlite",
        run: sqlite,
    },
    Step {
        name: "postgres",
        run: postgres,
    },
    Step {
        name: "dashboard",
        run: dashboard,
    },
    Step {
        name: "drive",
        run: drive,
    },
];

/// What the steps of one run share.
struct Run<'a> {
    repository: &'a Workspace,
    /// Words for the test programs themselves.
    test_words: Vec<String>,
    postgres: Option<Postgres>,
    objects: Option<ObjectStore>,
    /// Where the servers of all steps keep what one of them has compiled.
    compiled: Folder,
    server_is_built: bool,
    client_is_fetched: bool,
    /// Tests of this step that passed only when they were run again.
    unsteady: Vec<String>,
}

impl Run<'_> {
    /// The variables that lead tests to the services, which are started when
    /// they are not running.
    fn services(&mut self) -> Result<Vec<(String, OsString)>> {
        let mut variables = self.objects()?;
        if self.postgres.is_none() {
            self.postgres = Some(Postgres::start()?);
        }
        variables.extend(self.postgres.iter().flat_map(Postgres::variables));
        Ok(variables)
    }

    /// Those that lead them to the S3 server alone, which users have as
    /// storage of their own.
    fn objects(&mut self) -> Result<Vec<(String, OsString)>> {
        if self.objects.is_none() {
            self.objects = Some(ObjectStore::start()?);
        }
        Ok(self
            .objects
            .iter()
            .flat_map(ObjectStore::variables)
            .collect())
    }
}

impl Run<'_> {
    fn build_server(&mut self) -> Result<()> {
        if !self.server_is_built {
            crate::server(self.repository, "release", None)?;
            self.server_is_built = true;
        }
        Ok(())
    }
}

/// Runs the named steps, or all of them.
pub(crate) fn run(repository: &Workspace, words: &[String]) -> Result<ExitCode> {
    let (names, test_words) = match words.iter().position(|word| word == "--") {
        Some(place) => words.split_at(place),
        None => (words, [].as_slice()),
    };
    let mut chosen: Vec<&Step> = Vec::new();
    for name in names {
        let Some(step) = STEPS.iter().find(|step| step.name == name) else {
            let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!(
                "there is no step `{name}`: the steps are {}",
                known.join(", ")
            );
        };
        chosen.push(step);
    }
    if chosen.is_empty() {
        chosen.extend(STEPS);
        setup::for_tests(repository)?;
    }
    // Everything that follows takes the components into itself.
    plugins::build(repository)?;
    DASHBOARD.build(repository)?;
    let mut run = Run {
        repository,
        test_words: test_words.iter().skip(1).cloned().collect(),
        postgres: None,
        objects: None,
        compiled: Folder::new("compiled-by-tests", None)?,
        server_is_built: false,
        client_is_fetched: false,
        unsteady: Vec::new(),
    };
    let mut report = String::new();
    let mut all_passed = true;
    for step in chosen {
        announce(step.name);
        let start = Instant::now();
        let result = (step.run)(&mut run);
        let verdict = match &result {
            Ok(()) => "passed",
            Err(error) => {
                eprintln!("\nerror: {error:#}\n");
                all_passed = false;
                "FAILED"
            }
        };
        let seconds = start.elapsed().as_secs();
        let line = format!("{:<10} {verdict:<8} {seconds:>5} s", step.name);
        announce(&line);
        report.push_str(&format!("  {line}\n"));
        for name in std::mem::take(&mut run.unsteady) {
            report.push_str(&format!("             unsteady: {name}\n"));
        }
    }
    drop(run);
    println!("\n{report}");
    println!(
        "{}",
        if all_passed {
            "all steps passed"
        } else {
            "some steps failed"
        }
    );
    Ok(if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn fmt(run: &mut Run<'_>) -> Result<()> {
    let advice = "check the formatting (`cargo fmt` mends it; in `plugins/` too)";
    run.repository
        .cargo(&["fmt", "--all", "--check"])
        .run(advice)?;
    run.repository
        .guest_cargo(&["fmt", "--all", "--check"])
        .run(advice)
}

fn clippy(run: &mut Run<'_>) -> Result<()> {
    run.repository
        .cargo(&[
            "clippy",
            // The profile that the rest is built in: macros and build scripts
            // are made once for both.
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
        .run("check the host with clippy")?;
    run.repository
        .guest_cargo(&["clippy", "--release", "--workspace"])
        .args(["--target", setup::GUEST_TARGET, "--", "-D", "warnings"])
        .run("check the guests with clippy")
}

fn deny(run: &mut Run<'_>) -> Result<()> {
    let program = setup::cargo_deny()?;
    let config = run.repository.root().join("deny.toml");
    for folder in [
        run.repository.root().to_owned(),
        run.repository.root().join("plugins"),
    ] {
        crate::process::Program::new(&program)
            .args(["--config".as_ref(), config.as_os_str(), "check".as_ref()])
            .args(["bans", "licenses", "sources"])
            .current_dir(folder)
            .run("check the dependencies' licences and sources")?;
    }
    Ok(())
}

fn doc(run: &mut Run<'_>) -> Result<()> {
    run.repository
        .cargo(&["doc", "--release", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run("build the documentation without warnings")
}

fn unit(run: &mut Run<'_>) -> Result<()> {
    let services = run.services()?;
    let words = run.test_words.clone();
    run.repository
        // Always the whole workspace: another selection has other features,
        // and builds the dependencies once more.
        .cargo(&["test", "--release", "--workspace"])
        .args(["--no-fail-fast", "--"])
        .args(words)
        .envs(&services)
        .run("pass the unit tests")?;
    // Not as they are shipped: optimizing every test program as a whole takes
    // longer than all of them run.
    run.repository
        .guest_cargo(&["test", "--workspace"])
        .run("pass the plugins' own tests")
}

/// The client for applications: its types, and its own tests.
fn client(run: &mut Run<'_>) -> Result<()> {
    client_npm(run, &["test"], "pass the tests of sdk/client-ts")
}

/// Builds the client for applications, and answers the file to import.
fn built_client(run: &mut Run<'_>) -> Result<PathBuf> {
    client_npm(run, &["run", "build"], "build sdk/client-ts")?;
    Ok(run.repository.root().join("sdk/client-ts/dist/index.js"))
}

fn client_npm(run: &mut Run<'_>, words: &[&str], purpose: &str) -> Result<()> {
    let folder = run.repository.root().join("sdk/client-ts");
    if !run.client_is_fetched {
        crate::process::Program::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder)
            .run("fetch the parts of sdk/client-ts from npm (Node 20 or later is needed)")?;
        run.client_is_fetched = true;
    }
    crate::process::Program::new("npm")
        .args(words)
        .current_dir(&folder)
        .run(purpose)
}

fn sqlite(run: &mut Run<'_>) -> Result<()> {
    let objects = run.objects()?;
    whole(run, "sqlite", &objects)
}

fn postgres(run: &mut Run<'_>) -> Result<()> {
    let services = run.services()?;
    whole(run, "postgres", &services)
}

/// The dashboard, in a browser against the release binary.
fn dashboard(run: &mut Run<'_>) -> Result<()> {
    run.build_server()?;
    DASHBOARD.test(run.repository, run.compiled.path(), &run.test_words)
}

/// The pages of the plugin `drive`, in a browser against the release binary.
fn drive(run: &mut Run<'_>) -> Result<()> {
    run.build_server()?;
    DRIVE.test(run.repository, run.compiled.path(), &run.test_words)
}

/// How many integration tests run at once: they wait for servers more than
/// they compute.
const TESTS_A_PROCESSOR: usize = 3;

/// Runs the integration tests against the release binary on one engine.
fn whole(run: &mut Run<'_>, engine: &str, services: &[(String, OsString)]) -> Result<()> {
    run.build_server()?;
    let folder = Folder::new(&format!("tests-on-{engine}"), None)?;
    let javascript = setup::componentize_js()?;
    setup::for_documents()?;
    setup::webdav_clients()?;
    let mut parts = Vec::new();
    for part in setup::NPM_PARTS {
        let folder = setup::npm_part(run.repository, part)?;
        parts.push((part.variable.to_owned(), folder.into_os_string()));
    }
    let schemathesis = setup::schemathesis()?;
    let variables = [
        ("RUST_TEST_THREADS", threads()?),
        ("ATLASHUB_TEST_ENGINE", engine.into()),
        ("ATLASHUB_TEST_COMPILED", run.compiled.path().into()),
        ("ATLASHUB_BIN", run.repository.binary().into()),
        (
            "ATLASHUB_TEST_COMPONENTS",
            run.repository.root().join("plugins/dist").into(),
        ),
        ("ATLASHUB_TEST_JAVASCRIPT", javascript.into()),
        ("ATLASHUB_TEST_SCHEMATHESIS", schemathesis.into()),
        ("ATLASHUB_TEST_BOTO3", setup::boto3()?.into()),
        ("ATLASHUB_TEST_AIOSMTPD", setup::aiosmtpd()?.into()),
        ("ATLASHUB_TEST_FAKETIME", setup::faketime()?.into()),
        ("ATLASHUB_TEST_CLIENT", built_client(run)?.into()),
        ("TMPDIR", folder.path().into()),
    ];
    let variables = variables.map(|(name, value): (&str, OsString)| (name.to_owned(), value));
    let program = |words: &[String]| {
        run.repository
            .cargo(&["test", "--release", "--workspace", "--test", "it", "--"])
            .args(words)
            .envs(services)
            .envs(&variables)
            .envs(&parts)
    };
    let purpose = format!("pass the integration tests on {engine}");
    let (passed, heard) = program(&run.test_words).run_and_hear(&purpose)?;
    if passed {
        return Ok(());
    }
    let failed = failed_tests(&heard);
    if failed.is_empty() || failed.len() > MOST_AGAIN {
        bail!("failed to {purpose}: {} tests failed", failed.len());
    }
    announce(&format!("once more: {}", failed.join(", ")));
    let words = [vec!["--exact".to_owned()], failed.clone()].concat();
    program(&words).run(&purpose)?;
    run.unsteady = failed;
    Ok(())
}

/// How many tests that failed are run once more, alone. More than these did
/// not fail by chance.
const MOST_AGAIN: usize = 3;

/// The tests that a test program said to have failed.
fn failed_tests(heard: &[String]) -> Vec<String> {
    let names = heard.iter().filter_map(|line| {
        line.strip_prefix("test ")?
            .strip_suffix(" ... FAILED")
            .map(str::to_owned)
    });
    names.collect()
}

/// The number of tests at once that `RUST_TEST_THREADS` names, or as many as
/// fit this machine.
fn threads() -> Result<OsString> {
    if let Some(chosen) = std::env::var_os("RUST_TEST_THREADS") {
        return Ok(chosen);
    }
    let processors = std::thread::available_parallelism()?.get();
    Ok((processors * TESTS_A_PROCESSOR).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::failed_tests;

    #[test]
    fn only_the_tests_that_failed_are_run_again() {
        let heard = [
            "test files::a_file_is_kept ... ok",
            "test nodes::a_key_is_refused ... FAILED",
            "test races::one_gets_it has been running for over 60 seconds",
            "---- nodes::a_key_is_refused stdout ----",
            "    nodes::a_key_is_refused",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored",
        ];
        let heard = heard.map(str::to_owned);
        assert_eq!(failed_tests(&heard), ["nodes::a_key_is_refused"]);
    }
}
