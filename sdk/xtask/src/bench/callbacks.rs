//! Callbacks of payments, each for a payment of its own, as fast as they are
//! taken, on both engines: how many a second, and that none is lost. The other
//! side is the stand-in of the binary.

use super::{
    Bench,
    peers::{MASTER_KEY, Node, Server, free_address},
    report::{Goal, Report},
};
use crate::{http::Client, process::Program, services::Postgres};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

/// The project.
const PROJECT: &str = "callbacks";
/// Clients at once.
const CLIENTS: usize = 32;

/// On SQLite, then on Postgres.
pub(super) fn callbacks(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let address = free_address()?;
    let binary = bench.repository.shipped(None);
    let program = Program::new(binary).args(["daraja-sim", "--listen", &address.to_string()]);
    let log = bench.folder.path().join("daraja.log");
    let other = Server::start(program, address, "run Daraja's stand-in", &log)?;
    let allowed = [("ATLASHUB_EGRESS_ALLOW", address.to_string())];
    let variables: Vec<(&str, &str)> = allowed
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let node = Node::start_on(bench.repository, &bench.folder, "callbacks", &variables)?;
    on(bench, report, &node, &other, "SQLite")?;
    drop(node);
    let postgres = Postgres::start()?;
    let url = postgres.url().to_owned();
    let mut variables = variables;
    variables.push(("ATLASHUB_DATABASE_URL", &url));
    variables.push(("ATLASHUB_MASTER_KEY", MASTER_KEY));
    let node = Node::start_on(
        bench.repository,
        &bench.folder,
        "postgres-callbacks",
        &variables,
    )?;
    on(bench, report, &node, &other, "Postgres")
}

fn on(
    bench: &Bench<'_>,
    report: &mut Report,
    node: &Node,
    other: &Server,
    engine: &str,
) -> Result<()> {
    let count = bench.plan.payments;
    report.part(&format!("callbacks of {count} payments on {engine}"));
    let sim = Client::with_headers(other.address, "");
    sim.call("POST", "/_sim/reset", None)?
        .expect_success("reset the stand-in")?;
    let faults = json!({"callback_lost": true});
    sim.call("PUT", "/_sim/faults", Some(&faults))?
        .expect_success("set up the stand-in")?;
    let key = node.project(PROJECT, &["mpesa"])?.secret;
    let config = json!({
        "environment": "custom", "base_url": other.url(""),
        "consumer_key": "sim-key", "consumer_secret": "sim-secret",
        "shortcode": "174379", "passkey": "sim-passkey",
        "allowed_origins": ["127.0.0.1"], "query_after_seconds": 600,
    });
    let wish = json!({"enabled": true, "grants": "requested", "config": config});
    let path = format!("/admin/v1/projects/{PROJECT}/plugins/mpesa");
    node.admin
        .call("PUT", &path, Some(&wish))?
        .expect_success("configure the plugin")?;
    let address = node.server.address;
    let headers = format!("x-api-key: {key}\r\n");
    let pushes = (0..count)
        .map(|number| {
            let body = json!({
                "phone": format!("07{number:08}"), "amount": 10, "account_reference": "bench",
            });
            ("/mpesa/stkpush".to_owned(), body)
        })
        .collect::<Vec<_>>();
    let pushed = all(address, &headers, &pushes)?;
    report.note(&format!("{pushed:.0} pushes a second"));
    let payments = sim.call("GET", "/_sim/payments", None)?;
    let payments = payments.expect_success("list the payments")?;
    let payments = payments.as_array().context("payments")?;
    let told = payments.iter().map(callback).collect::<Result<Vec<_>>>()?;
    if told.len() != pushes.len() {
        let path = format!("/admin/v1/projects/{PROJECT}/logs?level=warn&limit=1");
        let lines = node.admin.call("GET", &path, None)?;
        bail!(
            "the stand-in was asked for {} of {count} payments: {}",
            told.len(),
            lines.expect_success("read the log")?
        );
    }
    let rate = all(address, "", &told)?;
    let client = Client::with_headers(address, &headers);
    let day = client.call("GET", "/mpesa/reconciliation", None)?;
    let day = day.expect_success("reconcile")?;
    let kept = day.pointer("/money_in/count").and_then(Value::as_u64);
    if kept != Some(u64::from(count)) {
        let of_day = |part: &str| day.get(part).map(ToString::to_string);
        bail!(
            "{kept:?} of {count} payments are in the ledger of {:?}: {:?}, {:?}",
            of_day("day"),
            of_day("transactions"),
            of_day("differences")
        );
    }
    report.figure(
        &format!("callbacks taken on {engine}, none lost"),
        rate,
        "/s",
        Goal::AtLeast(1_000.0),
    );
    Ok(())
}

/// Where a payment is told, and what.
fn callback(payment: &Value) -> Result<(String, Value)> {
    let text = |name: &str| {
        let value = payment.get(name).and_then(Value::as_str);
        value.with_context(|| format!("the payment has no {name}"))
    };
    let url = text("callback_url")?;
    let at = url.find("/p/").context("the project's path")?;
    let body = json!({"Body": {"stkCallback": {
        "MerchantRequestID": text("merchant_request_id")?,
        "CheckoutRequestID": text("checkout_request_id")?,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": [
            {"Name": "Amount", "Value": 10.0},
            {"Name": "MpesaReceiptNumber", "Value": text("receipt")?},
        ]},
    }}});
    Ok((url.get(at..).unwrap_or_default().to_owned(), body))
}

/// Sends all of them, and answers how many a second were taken.
fn all(address: SocketAddr, headers: &str, calls: &[(String, Value)]) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let work = || -> Result<()> {
        let client = Client::with_headers(address, headers);
        while let Some((path, body)) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
            client
                .call("POST", path, Some(body))?
                .expect_success("send it")?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => done?,
                Err(_) => bail!("a client broke"),
            }
        }
        Ok(())
    })?;
    #[expect(clippy::cast_precision_loss, reason = "far from where it would show")]
    let count = calls.len() as f64;
    Ok(count / began.elapsed().as_secs_f64())
}
