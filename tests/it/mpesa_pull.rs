//! The plugin `mpesa` and payments that nobody told it of: it asks for them,
//! and writes each down once.

use crate::mpesa_world::Shop;
use atlashub_tests::{DEADLINE, Engine, Project, Reply, until};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Shop {
    /// Has the shortcode's payments told and kept.
    async fn register(&self) {
        let c2b = self.project.post("/mpesa/c2b/register", json!({})).await;
        let _ = c2b.expect(201);
        let body = json!({"nominated_number": "0722 000 000"});
        let pull = self.project.post("/mpesa/pull/register", body).await;
        assert_eq!(pull.expect(201).json()["shortcode"], "174379");
    }

    async fn pull(&self) -> Value {
        let pulled = self.project.post("/mpesa/pull", json!({})).await;
        pulled.expect(200).json()
    }

    /// A customer pays from the menu; the receipt.
    async fn menu(&self, amount: &str, reference: &str) -> String {
        let paid = self.sim.pay("174379", "254708374149", amount, reference);
        paid.await.unwrap().unwrap()
    }

    async fn by_receipt(&self, receipt: &str) -> Vec<Value> {
        let path = format!("/mpesa/transactions?receipt_number={receipt}");
        let found = self.project.get(&path).await.expect(200).json();
        found["items"].as_array().unwrap().clone()
    }

    /// What was told of a transaction: one change, once or, where the machine was
    /// so busy that another took it for lost, again under the same id.
    async fn told_of_one(&self, id: &str) -> String {
        let _ = self.until_told(id).await;
        let told: BTreeSet<(String, String)> = self.told_with_ids(id).await.into_iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
        told.into_iter().next().unwrap().0
    }

    async fn money_in(&self) -> Value {
        let report = self.project.get("/mpesa/reconciliation").await;
        report.expect(200).json()["money_in"].clone()
    }
}

#[tokio::test]
async fn payments_that_were_never_told_are_found_and_written_down_once() {
    let shop = Shop::open().await;
    let early = shop.project.post("/mpesa/pull", json!({})).await;
    assert_eq!(early.expect_problem(409), "not_registered");
    let user = shop.user().await;
    for (path, body) in [
        (
            "/mpesa/pull/register",
            json!({"nominated_number": "0722000000"}),
        ),
        ("/mpesa/pull", json!({})),
    ] {
        let refused = user.post(path, body).await;
        assert_eq!(refused.expect_problem(403), "permission_needed", "{path}");
    }
    shop.register().await;
    assert_eq!(shop.pull().await["found"], json!([]));

    let told = shop.menu("40", "A-1").await;
    shop.faults(|faults| {
        faults.callback_lost = true;
        // Pages that do not come out even.
        faults.pull_page = 3;
    });
    let mut receipts = vec![told];
    for number in 0..6 {
        receipts.push(shop.menu("10", &format!("B-{number}")).await);
    }
    let pulled = shop.pull().await;
    assert_eq!(
        (&pulled["seen"], &pulled["unreadable"]),
        (&json!(7), &json!(0))
    );
    let found: BTreeSet<&str> = pulled["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(found.len(), 6, "{pulled}");
    for id in &found {
        let row = shop.transaction(id).await;
        assert_eq!(
            (&row["kind"], &row["status"], &row["amount"]),
            (&json!("c2b"), &json!("succeeded"), &json!(10)),
            "{row}"
        );
        assert_eq!(row["phone_number"], "254708374149");
        assert_eq!(shop.told_of_one(id).await, "mpesa.received");
    }
    // Asked again it is the same, and so it is when it is told after all.
    let again = shop.pull().await;
    assert_eq!((&again["seen"], &again["found"]), (&json!(7), &json!([])));
    let entries = shop.sim.journal();
    let confirmation = entries
        .iter()
        .rfind(|entry| entry.sent && entry.path.contains("/lipa/confirmation/"))
        .unwrap();
    let mut late = confirmation.body.clone();
    late["TransID"] = json!(receipts[3]);
    late["TransAmount"] = json!("10.00");
    let path = confirmation.path[confirmation.path.find("/p/").unwrap()..].to_owned();
    let request = shop.project.bare_request(Method::POST, &path).json(&late);
    assert_eq!(Reply::to(request).await.expect(200).json()["ResultCode"], 0);
    for receipt in &receipts {
        assert_eq!(shop.by_receipt(receipt).await.len(), 1);
    }
    assert_eq!(
        shop.money_in().await,
        json!({"count": 7, "amount": "100.00"})
    );
    let state = shop.project.get("/mpesa/pull").await.expect(200).json();
    assert_eq!(
        (&state["items"][0]["found"], &state["items"][0]["error"]),
        (&json!(6), &Value::Null)
    );
    let _ = user.get("/mpesa/pull").await.expect(403);

    // Safaricom keeps no more than two days.
    for body in [
        json!({"from": "2020-01-01T00:00:00Z"}),
        json!({"from": "2999-01-01T00:00:00Z"}),
    ] {
        let refused = shop.project.post("/mpesa/pull", body).await;
        assert_eq!(refused.expect_problem(422), "invalid_window");
    }
}

#[tokio::test]
async fn a_push_of_which_nothing_was_heard_is_found_as_what_it_is() {
    let shop = Shop::open().await;
    shop.register().await;
    // The answer is lost and so is the callback: nobody can be asked about it.
    shop.faults(|faults| {
        faults.answer_lost = 1;
        faults.callback_lost = true;
    });
    let begun = shop.push("0716000001", 70).await.expect(202).json();
    let lost = begun["transaction_id"].as_str().unwrap().to_owned();
    // This one is asked about, and the answer names no receipt.
    let asked = shop.pushed("0716000002", 80).await;
    let row = shop.until_status(&asked, "succeeded").await;
    assert_eq!(row["receipt_number"], Value::Null);
    // This one was refused.
    shop.faults(|faults| {
        faults.outcome = "1032".to_owned();
        faults.callback_lost = false;
    });
    let refused = shop.pushed("0716000003", 90).await;
    shop.until_status(&refused, "cancelled").await;

    let pulled = shop.pull().await;
    let mut found: Vec<&str> = pulled["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    found.sort_unstable();
    let mut wanted = [lost.as_str(), asked.as_str()];
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{pulled}");
    let payments = shop.sim.payments();
    for (id, at) in [(&lost, 0), (&asked, 1)] {
        let row = shop.transaction(id).await;
        assert_eq!(row["status"], "succeeded", "{row}");
        assert_eq!(row["receipt_number"], payments[at].receipt);
        assert_eq!(shop.told_of_one(id).await, "mpesa.succeeded");
    }
    // The callback comes after all.
    let late = shop.success(0);
    let _ = shop.call_back(&shop.project, 0, &late).await.expect(200);
    assert_eq!(shop.pull().await["found"], json!([]));
    assert_eq!(
        shop.money_in().await,
        json!({"count": 2, "amount": "150.00"})
    );
    assert_eq!(shop.told_of_one(&lost).await, "mpesa.succeeded");
}

#[tokio::test]
async fn many_who_ask_and_who_tell_at_once_make_one_payment_each() {
    let (server, shop) = Shop::with_server().await;
    let second = match Engine::of_this_run().serves_many_nodes() {
        true => Some(server.second_node().await),
        false => None,
    };
    let other = second.as_ref().map(|node| shop.project.on(node));
    let nodes: Vec<&Project> = std::iter::once(&shop.project).chain(&other).collect();
    shop.register().await;
    if let Some(other) = &other {
        until("the second node to know the plugin", DEADLINE, || async {
            (other.get("/mpesa/transactions").await.status == 200).then_some(())
        })
        .await;
    }
    let _ = shop.menu("5", "first").await;
    let entries = shop.sim.journal();
    let told = entries
        .iter()
        .rfind(|entry| entry.sent && entry.path.contains("/lipa/confirmation/"))
        .unwrap()
        .clone();
    let path = told.path[told.path.find("/p/").unwrap()..].to_owned();
    shop.faults(|faults| faults.callback_lost = true);
    let mut receipts = Vec::new();
    for number in 0..5 {
        receipts.push(shop.menu("5", &format!("C-{number}")).await);
    }
    let asks = (0..6).map(|at| {
        let node = nodes[at % nodes.len()];
        let request = node.request(Method::POST, "/mpesa/pull").json(&json!({}));
        Reply::try_patiently(request)
    });
    let tells = receipts.iter().cycle().take(50).map(|receipt| {
        let mut body = told.body.clone();
        body["TransID"] = json!(receipt);
        let request = shop.project.bare_request(Method::POST, &path).json(&body);
        Reply::try_patiently(request)
    });
    let (asked, told) = tokio::join!(join_all(asks), join_all(tells));
    for reply in asked.into_iter().chain(told) {
        let _ = reply.unwrap().expect(200);
    }
    assert_eq!(
        shop.money_in().await,
        json!({"count": 6, "amount": "30.00"})
    );
    for receipt in &receipts {
        let rows = shop.by_receipt(receipt).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        let id = rows[0]["id"].as_str().unwrap();
        assert_eq!(shop.told_of_one(id).await, "mpesa.received");
    }
}

#[tokio::test]
async fn the_schedule_asks_by_itself_and_says_why_it_could_not() {
    let shop = Shop::open().await;
    shop.configure(json!({"pull_minutes": null})).await;
    shop.register().await;
    shop.faults(|faults| {
        faults.callback_lost = true;
        faults.busy = 1;
    });
    let receipt = shop.menu("25", "D").await;
    let schedules = format!("/admin/v1/projects/{}/schedules", shop.project.slug);
    let listed = shop.admin.get(&schedules).await.expect(200).json();
    let items = listed["items"].as_array().unwrap();
    let pull = items
        .iter()
        .find(|one| one["plugin"] == "mpesa" && one["name"] == "pull");
    let id = pull.unwrap()["id"].as_str().unwrap().to_owned();
    let run = async || {
        let path = format!("{schedules}/{id}/run");
        let _ = shop.admin.post(&path, json!({})).await.expect_success();
    };
    let state = async || {
        let state = shop.project.get("/mpesa/pull").await.expect(200).json();
        state["items"][0].clone()
    };
    run().await;
    let failed = until("the first question", DEADLINE, || async {
        let state = state().await;
        state["asked_at"].is_string().then_some(state)
    })
    .await;
    assert_eq!(failed["error"], "mpesa_busy", "{failed}");
    assert_eq!(failed["pulled_to"], Value::Null);
    assert_eq!(shop.by_receipt(&receipt).await.len(), 0);
    run().await;
    let good = until("the second question", DEADLINE, || async {
        let state = state().await;
        state["pulled_to"].is_string().then_some(state)
    })
    .await;
    assert_eq!(
        (&good["error"], &good["found"]),
        (&Value::Null, &json!(1)),
        "{good}"
    );
    assert_eq!(shop.by_receipt(&receipt).await.len(), 1);
}
