//! Rows of a project's own table on Postgres: `GET /v1/db/items` of 50 rows
//! by a range of the primary key, against plain axum that asks the same of
//! the same server and writes the same JSON.

use super::{
    Bench,
    peers::{Node, control_with},
    report::{Goal, Report},
    speed::{Contender, compete},
};
use crate::services::Postgres;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// How many rows there are, and how many are read at once.
const ROWS: i64 = 10_000;
const PAGE: i64 = 50;
/// Where the page begins.
const FIRST: i64 = 5_000;
/// Rows of one insert.
const BATCH: i64 = 1_000;

/// Rows through the `db` plugin against plain axum with sqlx.
pub(super) fn rows(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    report.part("tables");
    let postgres = Postgres::start()?;
    let plain = control_with(bench.repository, &bench.folder, &[postgres.url()])?;
    let variables = [
        ("ATLASHUB_DATABASE_URL", postgres.url()),
        ("ATLASHUB_MASTER_KEY", MASTER_KEY),
    ];
    let node = Node::start_on(bench.repository, &bench.folder, "tables", &variables)?;
    let key = node.project("tables", &["db"])?;
    fill(&node)?;
    let last = FIRST + PAGE;
    let own = format!("/v1/db/items?gte.id={FIRST}&lt.id={last}&order=id");
    let samples = compete(
        bench,
        report,
        vec![
            Contender::new(
                "plain axum with sqlx",
                &plain,
                &format!("/items?first={FIRST}&last={last}"),
                None,
            ),
            Contender::new("AtlasHub", &node.server, &own, Some(&key)),
        ],
    )?;
    let [axum, ours] = *samples else {
        anyhow::bail!("a contender is missing")
    };
    report.ratio(
        "50 rows of a table on Postgres",
        "plain axum with sqlx",
        ours.rate / axum.rate,
        Goal::AtLeast(0.6),
    );
    Ok(())
}

/// Seals what is gone after the run.
const MASTER_KEY: &str = "dGhlIGtleSBvZiBhIGJlbmNoLCBmb3Igb25lIHJ1bi4=";

/// Makes the table that the control server makes for itself.
fn fill(node: &Node) -> Result<()> {
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
        let rows: Vec<Value> = (first..first + BATCH)
            .map(|id| {
                let weight = f64::from(i32::try_from(id).unwrap_or_default()) / 8.0;
                json!({"id": id, "title": format!("item number {id}"), "done": id % 3 == 0, "weight": weight})
            })
            .collect();
        node.admin
            .call(
                "POST",
                "/p/tables/v1/db/items?returning=false",
                Some(&json!({ "rows": rows })),
            )?
            .expect_success("fill a table")?;
    }
    Ok(())
}
