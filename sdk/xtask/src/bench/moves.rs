//! A table as CSV, out of a project on Postgres and into one, against
//! `psql \copy` of a table with the same rows in the same cluster, and the
//! server's memory meanwhile.

use super::{
    Bench,
    peers::Node,
    report::{Goal, Report},
};
use crate::{
    http::Client,
    process::{Program, pause},
    services::Postgres,
    setup,
};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How many rows there are, filled in by so many at once.
const ROWS: u64 = 1_000_000;
const BATCH: u64 = 200_000;
/// How often each is done; the middle one counts.
const TURNS: usize = 3;
const COLUMNS: &str = "n, 'item number ' || n, n % 3 = 0, n / 8.0, now()";

/// Export and import of a large table.
pub(super) fn moves(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("a table of 1,000,000 rows as CSV");
    let postgres = Postgres::start()?;
    let node = Node::on_postgres(bench.repository, &bench.folder, "moves", &postgres)?;
    let keys = node.project("moves", &["transfer"])?;
    let client = Client::with_headers(
        node.server.address,
        &format!("x-api-key: {}\r\n", keys.secret),
    );
    fill(&node)?;
    let psql = Psql {
        postgres: &postgres,
        file: bench.folder.path().join("items.csv").display().to_string(),
    };
    psql.fill()?;
    let before = node.server.own()?;
    let mut most = before;
    let (mut out, mut inward) = (Pair::default(), Pair::default());
    for _ in 0..TURNS {
        let copy = format!("\\copy items to '{}' csv header", psql.file);
        out.theirs.push(psql.run(&copy)?);
        let wishes = json!({"what": "table", "table": "items", "format": "csv"});
        let (took, job) = job(&node, &client, "/transfer/export", &wishes, &mut most)?;
        out.ours.push(took);
        psql.run("TRUNCATE copies")?;
        let copy = format!("\\copy copies from '{}' csv header", psql.file);
        inward.theirs.push(psql.run(&copy)?);
        empty(&node)?;
        let wishes = json!({"source": job.get("id"), "table": "copies"});
        let (took, _) = self::job(&node, &client, "/transfer/import", &wishes, &mut most)?;
        inward.ours.push(took);
    }
    for (what, pair) in [("CSV export", out), ("CSV import", inward)] {
        let (ours, theirs) = (middle(pair.ours), middle(pair.theirs));
        report.note(&format!(
            "{what}: {:.2} s, `psql \\copy` {:.2} s",
            ours.as_secs_f64(),
            theirs.as_secs_f64()
        ));
        report.ratio(
            &format!("{what} of a million rows on Postgres"),
            "`psql \\copy`",
            theirs.as_secs_f64() / ours.as_secs_f64(),
            Goal::AtLeast(0.5),
        );
    }
    report.mebibytes(
        "resident memory more while a table moves",
        most.saturating_sub(before),
        Goal::AtMost(64.0),
    );
    Ok(())
}

#[derive(Default)]
struct Pair {
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Runs a job to its end: how long that took, and what it says of itself.
/// `most` is raised to the most memory that the server had meanwhile, bytes.
pub(super) fn job(
    node: &Node,
    client: &Client,
    path: &str,
    wishes: &Value,
    most: &mut u64,
) -> Result<(Duration, Value)> {
    let began = Instant::now();
    let job = client.call("POST", path, Some(wishes))?;
    let job = job.expect_success("begin a job")?;
    let id = word(&job, "id").context("the job has no id")?.to_owned();
    loop {
        let job = client.call("GET", &format!("/transfer/jobs/{id}"), None)?;
        let job = job.expect_success("look at a job")?;
        *most = (*most).max(node.server.own()?);
        match word(&job, "status") {
            Some("done") => return Ok((began.elapsed(), job)),
            Some("queued" | "running") => pause(),
            _ => bail!("the job ended otherwise: {job}"),
        }
    }
}

fn word<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Runs a statement in the project.
pub(super) fn sql(node: &Node, sql: &str) -> Result<()> {
    let body = json!({"sql": sql, "mode": "write"});
    let path = "/admin/v1/projects/moves/sql";
    let answer = node.admin.call("POST", path, Some(&body))?;
    answer.expect_success("run a statement").map(drop)
}

fn fill(node: &Node) -> Result<()> {
    for name in ["items", "copies"] {
        let table = json!({"name": name, "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "title", "type": "text", "nullable": false},
            {"name": "done", "type": "boolean"},
            {"name": "weight", "type": "real"},
            {"name": "made", "type": "timestamp"},
        ]});
        let path = "/admin/v1/projects/moves/tables";
        let answer = node.admin.call("POST", path, Some(&table))?;
        let _ = answer.expect_success("make a table")?;
    }
    for first in (0..ROWS / BATCH).map(|batch| batch * BATCH + 1) {
        let last = first + BATCH - 1;
        let series = format!("generate_series({first}, {last}) AS s (n)");
        sql(
            node,
            &format!("INSERT INTO items SELECT {COLUMNS} FROM {series}"),
        )?;
    }
    sql(node, "ANALYZE items")
}

fn empty(node: &Node) -> Result<()> {
    sql(node, "TRUNCATE copies")
}

/// The program of Postgres' own.
struct Psql<'a> {
    postgres: &'a Postgres,
    file: String,
}

impl Psql<'_> {
    /// Runs a command: how long that took.
    fn run(&self, command: &str) -> Result<Duration> {
        let program = setup::postgres()?.join("psql");
        let began = Instant::now();
        let _ = Program::new(program)
            .args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                self.postgres.url(),
                "-c",
                command,
            ])
            .output("run psql")?;
        Ok(began.elapsed())
    }

    fn fill(&self) -> Result<()> {
        let columns = "id bigint PRIMARY KEY, title text NOT NULL, done boolean, \
             weight double precision, made timestamptz";
        for name in ["items", "copies"] {
            let _ = self.run(&format!("CREATE TABLE {name} ({columns})"))?;
        }
        let series = format!("generate_series(1, {ROWS}) AS s (n)");
        let _ = self.run(&format!("INSERT INTO items SELECT {COLUMNS} FROM {series}"))?;
        self.run("ANALYZE items").map(drop)
    }
}
