//! The chores of this repository: `cargo xtask <chore>`.
//!
//! It runs other programs (cargo, Postgres, an S3 server) and owns those that
//! it starts: they end with it, however it ends. What the product itself can
//! do belongs to the `atlashub` binary, not here.

use anyhow::{Result, bail};
use std::{path::PathBuf, process::ExitCode};

mod bench;
mod dashboard;
mod dev;
mod drive;
mod http;
mod pages;
mod plugins;
mod process;
mod services;
mod setup;
mod test;
mod workspace;

const USAGE: &str = "\
The chores of this repository.

cargo xtask dev               build all, start the server with a demo project
cargo xtask test [step…]      run the tests; without a step, all of them
cargo xtask build             make the binary to ship, plugins and dashboard inside
            [--target <triple>]   for another machine, with a C compiler for it
cargo xtask bench [--quick]   measure beside the baselines, into docs/BENCHMARKS.md
cargo xtask plugins           build the built-in plugins and the fixtures
cargo xtask dashboard         build the dashboard
cargo xtask services          start the tests' Postgres and S3 server, print
                              their variables, run until Ctrl-C
cargo xtask setup             fetch what the tests need, without running them

Steps of `test`: fmt clippy deny doc unit client sqlite postgres
                 dashboard drive
Words after `--` go to the test programs: cargo xtask test sqlite -- key
";

fn main() -> ExitCode {
    process::end_children_on_signal();
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let chore = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let repository = workspace::Workspace::find()?;
    match chore.as_str() {
        "dev" => dev::run(&repository)?,
        "test" => return test::run(&repository, &rest),
        "build" => println!("{}", build(&repository, target(&rest)?)?.display()),
        "bench" => bench::run(&repository, &rest)?,
        "plugins" => plugins::build(&repository)?,
        "dashboard" => dashboard::DASHBOARD.build(&repository)?,
        "services" => services::run()?,
        "setup" => setup::for_tests(&repository)?,
        "" | "help" | "-h" | "--help" => print!("{USAGE}"),
        other => bail!("there is no chore `{other}`\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The machine that `build` is for, if not this one.
fn target(words: &[String]) -> Result<Option<&str>> {
    match words {
        [] => Ok(None),
        [flag, triple] if flag == "--target" => Ok(Some(triple)),
        _ => bail!("`cargo xtask build` takes `--target <triple>`, and nothing else"),
    }
}

/// Builds the binary that is shipped, with the plugins and the dashboard
/// inside; where it lies.
fn build(repository: &workspace::Workspace, target: Option<&str>) -> Result<PathBuf> {
    plugins::build(repository)?;
    dashboard::DASHBOARD.build(repository)?;
    let target_words = target.map(|triple| format!("--target={triple}"));
    server(repository, "dist", target_words)?;
    Ok(repository.shipped(target))
}

/// Builds the server's binary with what is in `plugins/dist` and
/// `host/dashboard/dist`.
fn server(
    repository: &workspace::Workspace,
    profile: &str,
    more: impl IntoIterator<Item = String>,
) -> Result<()> {
    let profile = format!("--profile={profile}");
    repository
        .cargo(&["build", &profile, "--workspace", "--bin=atlashub"])
        .args(more)
        .run("build the server")
}
