//! A server that is killed while customers pay: what was acknowledged is there,
//! what was not is found out, and nothing is there twice.

use crate::mpesa_world::Shop;
use atlashub_tests::{DEADLINE, Reply, until};
use reqwest::Method;
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// How often the server is killed, and pushes of a round.
const KILLS: usize = 3;
const PUSHES: usize = 12;
/// Timers that a killed server held are free again after its lease.
const SETTLED: Duration = Duration::from_secs(240);

#[tokio::test]
async fn a_kill_at_any_time_loses_no_payment_and_doubles_none() {
    let (mut server, shop) = Shop::with_server().await;
    shop.faults(|faults| {
        faults.callback_copies = 3;
        faults.callback_ms = 30;
    });
    let acknowledged = AtomicUsize::new(0);
    for round in 0..KILLS {
        let goal = acknowledged.load(Ordering::Relaxed) + 3 + round;
        let pushes = (0..PUSHES).map(|number| {
            let body = json!({
                "phone": format!("07300{round:02}{number:03}"), "amount": 10 + number,
                "account_reference": format!("{round}-{number}"),
            });
            let request = shop.project.request(Method::POST, "/mpesa/stkpush");
            let request = request.header("idempotency-key", format!("{round}-{number}"));
            let request = request.json(&body);
            let acknowledged = &acknowledged;
            async move {
                if let Ok(reply) = Reply::try_to(request).await {
                    assert!(
                        reply.status < 500 || reply.status == 503,
                        "{}",
                        reply.text()
                    );
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let kill = async {
            until("pushes", DEADLINE, || {
                std::future::ready((acknowledged.load(Ordering::Relaxed) >= goal).then_some(()))
            })
            .await;
            server.kill();
        };
        tokio::join!(futures::future::join_all(pushes), kill);
        server.start_again().await;
    }
    // Callbacks that met no server are told by nobody; those whose push was
    // answered are asked about.
    let settled = until("all that is known to be settled", SETTLED, || async {
        let list = shop.project.get("/mpesa/transactions?limit=200").await;
        if list.status != 200 {
            return None;
        }
        let items = list.json()["items"].as_array().unwrap().clone();
        let open = items.iter().any(|row| {
            row["checkout_request_id"].is_string()
                && matches!(row["status"].as_str(), Some("created" | "pending"))
        });
        (!open).then_some(items)
    })
    .await;
    let receipts: Vec<&str> = settled
        .iter()
        .filter_map(|row| row["receipt_number"].as_str())
        .collect();
    let different: BTreeSet<&str> = receipts.iter().copied().collect();
    assert_eq!(receipts.len(), different.len());
    // Nobody was asked to pay twice for one wish.
    let references: Vec<String> = shop
        .sim
        .payments()
        .into_iter()
        .map(|one| one.reference)
        .collect();
    let wishes: BTreeSet<&String> = references.iter().collect();
    assert_eq!(wishes.len(), references.len());
    let paid: Vec<&str> = settled
        .iter()
        .filter(|row| row["status"] == "succeeded")
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    assert!(paid.len() > KILLS, "{settled:?}");
    let report = shop
        .project
        .get("/mpesa/reconciliation")
        .await
        .expect(200)
        .json();
    assert_eq!(report["money_in"]["count"], paid.len(), "{report}");
    // All are told of; should a kill have come between telling and noting it,
    // again under the same id.
    until("all to be told", SETTLED, || async {
        for id in &paid {
            let told = shop.told_with_ids(id).await;
            let ids: BTreeSet<&String> = told
                .iter()
                .filter(|(name, _)| name == "mpesa.succeeded")
                .map(|(_, id)| id)
                .collect();
            assert!(ids.len() <= 1, "{told:?}");
            if ids.is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn a_kill_between_keeping_and_acknowledging_is_one_payment() {
    let (mut server, shop) = Shop::with_server().await;
    shop.faults(|faults| {
        faults.callback_lost = true;
        faults.prompt_ms = 3_600_000;
    });
    for number in 0..3 {
        let id = shop.pushed(&format!("07310000{number:02}"), 10).await;
        let good = shop.success(number);
        // Many copies are on their way when the server dies; whoever sends them
        // hears nothing, and sends again.
        let copies = (0..20).map(|_| {
            let payment = shop.sim.payments()[number].clone();
            let (_, path) = payment.callback_url.split_once("/p/").unwrap();
            let request = shop
                .project
                .bare_request(Method::POST, &format!("/p/{path}"));
            let request = request.json(&good);
            async move {
                Reply::try_to(request)
                    .await
                    .is_ok_and(|reply| reply.status == 200)
            }
        });
        let mut copies: futures::stream::FuturesUnordered<_> = copies.collect();
        use futures::StreamExt as _;
        let heard = copies.next().await.unwrap();
        server.kill();
        while copies.next().await.is_some() {}
        server.start_again().await;
        if heard {
            assert_eq!(shop.transaction(&id).await["status"], "succeeded");
        }
        let _ = shop
            .call_back(&shop.project, number, &good)
            .await
            .expect(200);
        assert_eq!(shop.transaction(&id).await["status"], "succeeded");
        let told = until("it to be told", SETTLED, || async {
            let told = shop.told_with_ids(&id).await;
            (!told.is_empty()).then_some(told)
        })
        .await;
        let ids: BTreeSet<&String> = told.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), 1, "{told:?}");
        let report = shop.project.get("/mpesa/reconciliation").await.expect(200);
        assert_eq!(report.json()["money_in"]["count"], number + 1);
    }
}
