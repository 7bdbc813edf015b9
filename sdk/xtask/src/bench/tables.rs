//! Rows of a project's own table: `GET /v1/db/items` of 50 rows by a range of
//! the primary key, on each engine against plain axum that asks the same of
//! the same engine and writes the same JSON, and on SQLite against
//! PocketBase's list of the same rows.

use super::{
    Bench,
    load::Sample,
    peers::{Keys, Node, Server, control_with},
    pocketbase,
    report::{Goal, Report},
    speed::{Contender, compete},
};
use crate::services::Postgres;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// How many rows there are, and how many are read at once.
pub(super) const ROWS: i64 = 10_000;
const PAGE: i64 = 50;
/// Where the page begins.
pub(super) const FIRST: i64 = 5_000;
/// And where the next one would.
pub(super) const LAST: i64 = FIRST + PAGE;
/// Rows of one insert.
pub(super) const BATCH: i64 = 1_000;

/// Rows through the `db` plugin on both engines.
pub(super) fn rows(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    on_postgres(bench, report)?;
    on_sqlite(bench, report)
}

/// Against plain axum with sqlx.
fn on_postgres(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("tables on Postgres");
    let postgres = Postgres::start()?;
    let plain = control_with(bench.repository, &bench.folder, &[postgres.url()])?;
    let node = Node::on_postgres(
        bench.repository,
        &bench.folder,
        "postgres-tables",
        &postgres,
    )?;
    let keys = fill(&node)?;
    let samples = compete(
        bench,
        report,
        vec![
            plain_axum(&plain),
            Contender::new("AtlasHub", &node.server, &page(), Some(&keys.secret)),
        ],
    )?;
    let [axum, ours] = *samples else {
        anyhow::bail!("a contender is missing")
    };
    beside_axum(report, "50 rows of a table on Postgres", axum, ours);
    Ok(())
}

/// Against plain axum with sqlx, and against PocketBase, where everybody may
/// read the rows: so here a publishable key reads them, by a row policy.
fn on_sqlite(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("tables on SQLite");
    let file = format!(
        "sqlite:{}",
        bench.folder.path().join("control.db").display()
    );
    let plain = control_with(bench.repository, &bench.folder, &[&file])?;
    let peer = pocketbase::start(&bench.folder)?;
    let node = Node::start(bench.repository, &bench.folder, "tables")?;
    let keys = fill(&node)?;
    let policy = json!({"actions": ["select"], "roles": ["anon"], "using": true});
    node.admin
        .call(
            "PUT",
            "/admin/v1/projects/tables/tables/items/policies/open",
            Some(&policy),
        )?
        .expect_success("let everybody read a table")?;
    let samples = compete(
        bench,
        report,
        vec![
            plain_axum(&plain),
            Contender::new("PocketBase", &peer, &pocketbase::page(), None),
            Contender::new("AtlasHub", &node.server, &page(), Some(&keys.secret)),
            Contender::new(
                "AtlasHub, a publishable key by a row policy",
                &node.server,
                &page(),
                Some(&keys.publishable),
            ),
        ],
    )?;
    let [axum, peer, ours, public] = *samples else {
        anyhow::bail!("a contender is missing")
    };
    beside_axum(report, "50 rows of a table on SQLite", axum, ours);
    report.ratio(
        "the same by a row policy",
        "PocketBase's list of the same rows",
        public.rate / peer.rate,
        Goal::AtLeast(3.0),
    );
    Ok(())
}

fn plain_axum(server: &Server) -> Contender<'_> {
    let path = format!("/items?first={FIRST}&last={LAST}");
    Contender::new("plain axum with sqlx", server, &path, None)
}

fn beside_axum(report: &mut Report, what: &str, axum: Sample, ours: Sample) {
    report.ratio(
        what,
        "plain axum with sqlx",
        ours.rate / axum.rate,
        Goal::AtLeast(0.6),
    );
}

fn page() -> String {
    format!("/v1/db/items?gte.id={FIRST}&lt.id={LAST}&order=id")
}

/// One row of the table, the same everywhere.
pub(super) fn row(id: i64) -> Value {
    let weight = f64::from(i32::try_from(id).unwrap_or_default()) / 8.0;
    json!({"id": id, "title": format!("item number {id}"), "done": id % 3 == 0, "weight": weight})
}

/// Makes a project with the table that the control server makes for itself.
fn fill(node: &Node) -> Result<Keys> {
    let keys = node.project("tables", &["db"])?;
    let table = json!({
        "name": "items",
        "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "title", "type": "text", "nullable": false},
            {"name": "done", "type": "boolean", "nullable": false},
            {"name": "weight", "type": "real", "nullable": false},
        ],
    });
    node.admin
        .call("POST", "/admin/v1/projects/tables/tables", Some(&table))?
        .expect_success("make a table")?;
    for first in (1..=ROWS).step_by(usize::try_from(BATCH).context("a batch is small")?) {
        let rows: Vec<Value> = (first..first + BATCH).map(row).collect();
        node.admin
            .call(
                "POST",
                "/p/tables/v1/db/items?returning=false",
                Some(&json!({ "rows": rows })),
            )?
            .expect_success("fill a table")?;
    }
    Ok(keys)
}
