//! The pages for admins in Chromium: the script that the first one loads, how
//! soon it can be used, and how a table of many rows scrolls, against a blank
//! page of the same height that gets the same wheel.

use super::{
    Bench,
    peers::Node,
    report::{Goal, Report},
};
use crate::dashboard::DASHBOARD;
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;

const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "correct horse battery staple";
const PROJECT: &str = "rows";
const TABLE: &str = "items";

/// What `e2e/measure.js` says.
#[derive(Deserialize)]
struct Measured {
    script_bytes: u64,
    scripts: u64,
    has_editor: bool,
    interactive_ms: f64,
    rows_in_page: u64,
    table: Scroll,
    blank: Scroll,
}

/// Beats while something scrolled: frames that the page had.
#[derive(Deserialize)]
struct Scroll {
    /// A second.
    rate: f64,
    /// Those that came more than 25 ms after the one before.
    dropped: u64,
    longest: f64,
    beats: u64,
}

pub(super) fn dashboard(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("the dashboard");
    let node = Node::start(bench.repository, &bench.folder, "dashboard")?;
    let owner = json!({"email": EMAIL, "password": PASSWORD});
    node.admin
        .call("POST", "/admin/v1/setup", Some(&owner))?
        .expect_success("make an owner")?;
    node.project(PROJECT, &[])?;
    let rows = bench.plan.rows_shown;
    for sql in [
        format!(
            "CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, title TEXT, weight REAL, note TEXT)"
        ),
        format!(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {rows}) \
             INSERT INTO {TABLE} SELECT x, 'item number ' || x, x / 8.0, 'a note on item ' || x FROM n"
        ),
    ] {
        let path = format!("/admin/v1/projects/{PROJECT}/sql");
        let body = json!({"sql": sql, "mode": "write"});
        node.admin
            .call("POST", &path, Some(&body))?
            .expect_success("fill a table")?;
    }

    let rounds = (bench.plan.rounds + 2).to_string();
    let rows = rows.to_string();
    let address = node.server.url("");
    let words = [&address, EMAIL, PASSWORD, PROJECT, TABLE, &rows, &rounds];
    let text = DASHBOARD.measure(bench.repository, &words)?;
    let found: Measured = serde_json::from_str(&text).context("read what the browser measured")?;
    ensure!(!found.has_editor, "the first page loads the editor");
    #[expect(clippy::cast_precision_loss, reason = "far from where it would show")]
    let script = found.script_bytes as f64 / 1024.0;
    report.note(&format!(
        "the first page loads {} files of script; of {rows} rows {} are in the page at once",
        found.scripts, found.rows_in_page
    ));
    for (name, scroll) in [("the table", &found.table), ("a blank page", &found.blank)] {
        report.note(&format!(
            "{name} scrolled with {:.1} beats a second, {} of {} late, the longest wait {:.0} ms",
            scroll.rate, scroll.dropped, scroll.beats, scroll.longest
        ));
    }
    report.figure(
        "script of the dashboard's first page, compressed",
        script,
        "KiB",
        Goal::AtMost(250.0),
    );
    report.figure(
        "the dashboard's first page can be used after",
        found.interactive_ms,
        "ms",
        Goal::AtMost(1_000.0),
    );
    report.ratio(
        &format!("beats while a table of {rows} rows scrolls"),
        "a blank page of that height",
        found.table.rate / found.blank.rate,
        Goal::AtLeast(0.95),
    );
    Ok(())
}
