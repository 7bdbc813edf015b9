//! What a table whose CSV has a gibibyte costs the server in memory, out of a
//! project and into one, on both engines.

use super::{
    Bench,
    moves::{job, sql},
    peers::Node,
    report::{Goal, Report},
};
use crate::{http::Client, services::Postgres};
use anyhow::{Result, bail};
use serde_json::{Value, json};

/// Bytes of each row's text: below what Postgres keeps elsewhere or packs.
const TEXT: u64 = 1 << 10;
/// Rows that one statement fills in.
const BATCH: u64 = 1 << 14;

/// On SQLite, then on Postgres.
pub(super) fn large(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let node = Node::start(bench.repository, &bench.folder, "large")?;
    on(bench, report, &node, "SQLite", "hex(randomblob(512))")?;
    drop(node);
    let postgres = Postgres::start()?;
    let node = Node::on_postgres(bench.repository, &bench.folder, "postgres-large", &postgres)?;
    on(bench, report, &node, "Postgres", "repeat(md5(n::text), 32)")
}

fn on(bench: &Bench<'_>, report: &mut Report, node: &Node, engine: &str, text: &str) -> Result<()> {
    let rows = bench.plan.table_bytes / TEXT;
    let size = format!("{} MiB on {engine}", bench.plan.table_bytes >> 20);
    report.part(&format!("a table as CSV of {size}"));
    let keys = node.project("moves", &["transfer"])?;
    let client = Client::with_headers(
        node.server.address,
        &format!("x-api-key: {}\r\n", keys.secret),
    );
    for name in ["notes", "copies"] {
        let table = json!({"name": name, "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "body", "type": "text", "nullable": false},
        ]});
        let path = "/admin/v1/projects/moves/tables";
        let answer = node.admin.call("POST", path, Some(&table))?;
        let _ = answer.expect_success("make a table")?;
    }
    for first in (0..rows / BATCH).map(|batch| batch * BATCH + 1) {
        let last = first + BATCH - 1;
        sql(
            node,
            &format!(
                "INSERT INTO notes WITH RECURSIVE s (n) AS \
                 (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) \
                 SELECT n, {text} FROM s"
            ),
        )?;
    }
    let wishes = json!({"what": "table", "table": "notes", "format": "csv"});
    let exported = moved(report, node, &client, &size, "export", &wishes, rows)?;
    let wishes = json!({"source": exported.get("id"), "table": "copies"});
    moved(report, node, &client, &size, "import", &wishes, rows).map(drop)
}

/// Runs a job and says how much memory the server took meanwhile.
fn moved(
    report: &mut Report,
    node: &Node,
    client: &Client,
    size: &str,
    kind: &str,
    wishes: &Value,
    rows: u64,
) -> Result<Value> {
    let before = node.server.own()?;
    let mut most = before;
    let (took, done) = job(
        node,
        client,
        &format!("/transfer/{kind}"),
        wishes,
        &mut most,
    )?;
    let count = done.pointer("/progress/rows").and_then(Value::as_u64);
    if count != Some(rows) {
        bail!("the {kind} moved {count:?} rows of {rows}: {done}");
    }
    report.note(&format!("{kind}: {:.1} s", took.as_secs_f64()));
    report.mebibytes(
        &format!("resident memory more for an {kind} of {size}"),
        most.saturating_sub(before),
        Goal::AtMost(64.0),
    );
    Ok(done)
}
