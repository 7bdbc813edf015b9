//! Who somebody is: signing in with a password beside the hash function alone,
//! and what a key or a token adds to a request once it is known.

use super::{
    Bench,
    load::{self, Load, Sample, Turns, median, middle},
    peers::Node,
    report::{Goal, Report},
    speed::{Contender, compete},
};
use crate::process::Program;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";
/// Tries that an account has before they are spread over time.
const TRIES: u64 = 20;
/// Logins a second that there are users for; more than any machine of ours
/// makes.
const MOST_LOGINS: u64 = 100;
/// What a known key or token may add to a request, microseconds.
const MOST_ADDED: f64 = 20.0;

/// Logins a second through the whole road, and argon2 with the same
/// parameters on all processors, with nothing around it.
pub(super) fn login(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("signing in with a password");
    // Tries are counted by address: each request brings its own.
    let variables = [
        ("ATLASHUB_TRUSTED_PROXIES", "127.0.0.1"),
        ("ATLASHUB_AUTH_REQUESTS_PER_SECOND", "100000"),
    ];
    let node = Node::start_on(bench.repository, &bench.folder, "login", &variables)?;
    node.project("login", &[])?;
    let rounds = u64::try_from(bench.plan.rounds).context("few rounds")? + 1;
    let users = bench.plan.time.as_secs() * rounds * MOST_LOGINS / TRIES;
    let mut bodies = String::new();
    for number in 0..users {
        let email = format!("user{number}@example.com");
        let body = json!({"email": email, "password": PASSWORD});
        let path = "/admin/v1/projects/login/users";
        node.admin
            .call("POST", path, Some(&body))?
            .expect_success("add a user")?;
        bodies.push_str(&format!("{body}\n"));
    }
    let file = bench.folder.path().join("logins");
    std::fs::write(&file, bodies).context("write the logins")?;
    let load = Load {
        url: node.server.url("/p/login/v1/auth/login"),
        key: None,
        token: None,
        turns: Some(Turns::Bodies(file)),
    };
    let alone = bench.repository.example("argon2_alone");
    let (mut plain, mut ours): (Vec<f64>, Vec<Sample>) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.rounds {
        let seconds = bench.plan.time.as_secs().to_string();
        let text = Program::new(&alone).args([&seconds]);
        let text = text.output("run argon2 alone")?;
        plain.push(text.trim().parse().context("argon2 alone gave no number")?);
        let (pid, folder) = (node.server.pid(), bench.folder.path());
        ours.push(load::run(&load, pid, bench.plan.time, folder)?);
    }
    let (plain, ours) = (middle(plain), median(&ours));
    report.sample("AtlasHub, POST /v1/auth/login", &ours);
    report.note(&format!(
        "argon2 alone, all processors: {plain:.1} a second"
    ));
    report.ratio(
        "logins a second",
        "argon2 alone on all processors",
        ours.rate / plain,
        Goal::AtLeast(0.8),
    );
    Ok(())
}

/// The processor time of a request with nothing, with a key, and with a key
/// and an access token, all of them known.
pub(super) fn checks(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("what a known key or token adds");
    let node = Node::start(bench.repository, &bench.folder, "checks")?;
    let key = node.project("checks", &["hello"])?.secret;
    let user = json!({"email": "user@example.com", "password": PASSWORD});
    let path = "/p/checks/v1/auth/signup";
    let signed_up = node.admin.call("POST", path, Some(&user))?;
    let signed_up = signed_up.expect_success("sign up")?;
    let token = signed_up.get("access_token").and_then(Value::as_str);
    let token = token.context("no access token came")?;
    let path = "/p/checks/hello";
    let contender = |name, key| Contender::new(name, &node.server, path, key);
    let samples = compete(
        bench,
        report,
        vec![
            contender("nobody", None),
            contender("a key", Some(key.as_str())),
            contender("an access token", None).with_token(token),
        ],
    )?;
    let [nobody, with_key, with_token] = *samples else {
        anyhow::bail!("a contender is missing")
    };
    for (what, sample) in [
        ("a known key adds to a request", with_key),
        ("a known access token adds to a request", with_token),
    ] {
        let added = sample.cpu - nobody.cpu;
        report.figure(
            what,
            added,
            "µs of processor time",
            Goal::AtMost(MOST_ADDED),
        );
    }
    Ok(())
}
