//! The plugin `mpesa` and an other side that does everything wrong: callbacks
//! of every shape, early, late, twice, in any order and from two nodes; errors
//! of every kind; and what customers pay from the menu, and are paid.

use crate::mpesa_world::{Shop, has_no_secret};
use atlashub_daraja_sim::Shape;
use atlashub_tests::{DEADLINE, Engine, Project, Reply, until};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn callbacks_of_every_shape_lead_to_the_same() {
    let shop = Shop::open().await;
    for (number, (shape, receipt)) in [
        (Shape::Usual, true),
        (Shape::NoBalance, true),
        (Shape::BalanceText, true),
        (Shape::Texts, true),
        (Shape::MoreItems, true),
        (Shape::MaskedPhone, true),
        // Those the other side has to be asked about.
        (Shape::NoMetadata, false),
        (Shape::NoReceipt, false),
        (Shape::Malformed, false),
    ]
    .into_iter()
    .enumerate()
    {
        shop.faults(|faults| faults.callback_shape = shape);
        let id = shop.pushed(&format!("07200000{number:02}"), 250).await;
        let row = shop.until_status(&id, "succeeded").await;
        assert_eq!(
            row["receipt_number"].is_string(),
            receipt,
            "{shape:?} {row}"
        );
        assert_eq!(row["amount"], 250);
        assert_eq!(shop.until_told(&id).await, ["mpesa.succeeded"], "{shape:?}");
    }
}

#[tokio::test]
async fn more_pushes_than_connections_wait_for_their_turn_or_are_not_sent() {
    let shop = Shop::open().await;
    // Questions would take connections, too.
    shop.configure(json!({"query_after_seconds": 600})).await;
    let push = |number: usize| {
        let phone = format!("07220000{number:02}");
        let shop = &shop;
        async move { shop.push(&phone, 10).await }
    };
    shop.faults(|faults| faults.answer_ms = 300);
    for reply in join_all((0..40).map(push)).await {
        let _ = reply.expect(201);
    }
    assert_eq!(shop.sim.payments().len(), 40);

    // Who cannot be sent in time is told so, and nobody is asked to pay.
    shop.faults(|faults| faults.answer_ms = 7_000);
    let replies = join_all((40..58).map(push)).await;
    let (sent, not): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((sent.len(), not.len()), (16, 2));
    assert_eq!(shop.sim.payments().len(), 56);
    for reply in not {
        assert_eq!(reply.expect_problem(503), "upstream_busy");
        let id = reply.json()["transaction_id"].as_str().unwrap().to_owned();
        assert_eq!(shop.transaction(&id).await["status"], "failed");
    }
}

#[tokio::test]
async fn a_callback_may_come_before_the_answer_and_long_after_the_end() {
    let shop = Shop::open().await;
    shop.faults(|faults| {
        faults.callback_first = true;
        faults.callback_copies = 3;
    });
    let begun = shop.push("0721000001", 10).await.expect(201).json();
    assert_eq!(begun["status"], "succeeded");
    assert_eq!(
        begun["checkout_request_id"],
        shop.sim.payments()[0].checkout_request_id
    );
    let id = begun["transaction_id"].as_str().unwrap();
    assert_eq!(shop.states(id).await, ["created", "succeeded"]);

    // Who pays after the prompt was given up has paid.
    shop.faults(|faults| {
        *faults = atlashub_daraja_sim::Faults::default();
        faults.outcome = "1037".to_owned();
        faults.callback_then = vec!["0".to_owned(), "1032".to_owned()];
    });
    let id = shop.pushed("0721000002", 10).await;
    shop.until_status(&id, "succeeded").await;
    until("both to be told", DEADLINE, || async {
        (shop.told(&id).await.len() == 2).then_some(())
    })
    .await;
    let states = shop.states(&id).await;
    assert_eq!(states.last().unwrap(), "succeeded");
    assert_eq!(shop.told(&id).await, ["mpesa.timed_out", "mpesa.succeeded"]);

    // So has who pays late and is told of by half: the other side is asked.
    shop.faults(|faults| {
        faults.outcome = "1037".to_owned();
        faults.callback_then = vec!["0".to_owned()];
        faults.callback_shape = Shape::NoReceipt;
        faults.query_outcome = Some("0".to_owned());
    });
    let id = shop.pushed("0721000003", 10).await;
    shop.until_status(&id, "succeeded").await;
    let states = shop.states(&id).await;
    assert!(states.contains(&"timed_out".to_owned()), "{states:?}");
}

#[tokio::test]
async fn in_all_orders_the_end_is_the_same() {
    let shop = Shop::open().await;
    shop.faults(|faults| faults.callback_lost = true);
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let id = shop.pushed(&format!("07220000{number:02}"), 10).await;
        let bodies = [
            shop.success(number),
            shop.failure(number, &json!(1037)),
            shop.failure(number, &json!("1019")),
        ];
        for at in order {
            let reply = shop.call_back(&shop.project, number, &bodies[at]).await;
            assert_eq!(reply.expect(200).json()["ResultCode"], 0);
        }
        let row = shop.transaction(&id).await;
        assert_eq!(row["status"], "succeeded", "{order:?}");
        assert_eq!(row["receipt_number"], shop.sim.payments()[number].receipt);
        let told = shop.told(&id).await;
        let paid = told.iter().filter(|name| *name == "mpesa.succeeded");
        assert!(paid.count() <= 1);
    }
    let report = shop.project.get("/mpesa/reconciliation").await.expect(200);
    let report = report.json();
    assert_eq!(report["money_in"], json!({"count": 6, "amount": "60.00"}));
}

#[tokio::test]
async fn fifty_copies_at_once_are_one_payment_and_one_event() {
    let (server, shop) = Shop::with_server().await;
    let second = match Engine::of_this_run().serves_many_nodes() {
        true => Some(server.second_node().await),
        false => None,
    };
    let other = second.as_ref().map(|node| shop.project.on(node));
    let nodes: Vec<&Project> = std::iter::once(&shop.project).chain(&other).collect();
    if let Some(other) = &other {
        until("the second node to know the plugin", DEADLINE, || async {
            (other.get("/mpesa/transactions").await.status == 200).then_some(())
        })
        .await;
    }
    shop.faults(|faults| {
        faults.callback_lost = true;
        faults.prompt_ms = 3_600_000;
    });
    for number in 0..3 {
        let id = shop.pushed(&format!("07230000{number:02}"), 10).await;
        let good = shop.success(number);
        let bad = shop.failure(number, &json!(1037));
        let copies = (0..50).map(|copy| {
            let node = nodes[copy % nodes.len()];
            // A failure among them, now and then.
            let body = if copy % 10 == 9 { &bad } else { &good };
            shop.call_back(node, number, body)
        });
        for reply in join_all(copies).await {
            assert_eq!(reply.expect(200).json()["ResultCode"], 0);
        }
        let row = shop.transaction(&id).await;
        assert_eq!(row["status"], "succeeded");
        let paid = until("the event", DEADLINE, || async {
            let told = shop.told_with_ids(&id).await;
            let paid: Vec<_> = told
                .into_iter()
                .filter(|(name, _)| name == "mpesa.succeeded")
                .collect();
            (!paid.is_empty()).then_some(paid)
        })
        .await;
        assert_eq!(paid.len(), 1, "{paid:?}");
    }
    let report = shop.project.get("/mpesa/reconciliation").await.expect(200);
    let report = report.json();
    assert_eq!(report["money_in"], json!({"count": 3, "amount": "30.00"}));
    for number in 0..3 {
        let told = shop.sim.payments()[number].clone();
        let path = format!("/mpesa/transactions?receipt_number={}", told.receipt);
        let found = shop.project.get(&path).await.expect(200).json();
        let id = found["items"][0]["id"].as_str().unwrap();
        let told = shop.told(id).await;
        let paid = told.iter().filter(|name| *name == "mpesa.succeeded");
        assert_eq!(paid.count(), 1);
    }
}

#[tokio::test]
async fn refusals_are_told_as_what_they_are_and_are_not_payments() {
    let shop = Shop::open().await;
    let refused = async |status: u16, code: &str| {
        let body = json!({"phone": "0724000001", "amount": 5, "account_reference": "A"});
        let request = shop.project.request(Method::POST, "/mpesa/stkpush");
        let request = request.header("idempotency-key", "again").json(&body);
        let reply = Reply::to(request).await;
        assert_eq!(reply.expect_problem(status), code);
        has_no_secret(&reply.text());
        let id = reply.json()["transaction_id"].as_str().unwrap().to_owned();
        assert_eq!(shop.transaction(&id).await["status"], "failed");
    };
    shop.faults(|faults| faults.busy = 1);
    refused(503, "mpesa_busy").await;
    shop.faults(|faults| faults.quota = 1);
    refused(503, "mpesa_busy").await;
    // The same key may be used again after a refusal: nothing was asked for.
    shop.faults(|faults| faults.prompt_ms = 60_000);
    let _ = shop.push("0724000001", 5).await.expect(201);
    refused(409, "prompt_open").await;
    assert_eq!(shop.sim.payments().len(), 1);

    // The edge says nothing that could be relied on.
    shop.faults(|faults| faults.html = 1);
    let begun = shop.push("0724000002", 5).await.expect(202).json();
    assert_eq!(begun["checkout_request_id"], Value::Null);
}

#[tokio::test]
async fn questions_that_lie_do_not_undo_what_was_paid() {
    let shop = Shop::open().await;
    shop.faults(|faults| faults.query_outcome = Some("1".to_owned()));
    let id = shop.pushed("0725000001", 5).await;
    shop.until_status(&id, "succeeded").await;
    let path = format!("/mpesa/transactions/{id}/query");
    let asked = shop.project.post(&path, json!({})).await;
    assert_eq!(asked.expect(200).json()["status"], "succeeded");
    // The other way round a person looks.
    shop.faults(|faults| faults.callback_lost = true);
    let id = shop.pushed("0725000002", 5).await;
    shop.until_status(&id, "failed").await;
    let late = shop.success(1);
    let _ = shop.call_back(&shop.project, 1, &late).await.expect(200);
    let row = shop.transaction(&id).await;
    assert_eq!(
        (&row["status"], &row["review_reason"]),
        (&json!("needs_review"), &json!("contradiction"))
    );
}

#[tokio::test]
async fn payments_from_the_menu_are_asked_about_and_written_down_once() {
    let shop = Shop::open().await;
    shop.configure(json!({"c2b_references": ["INV"], "c2b_least": 5}))
        .await;
    let user = shop.user().await;
    let refused = user.post("/mpesa/c2b/register", json!({})).await;
    assert_eq!(refused.expect_problem(403), "permission_needed");
    let registered = shop.project.post("/mpesa/c2b/register", json!({})).await;
    assert_eq!(registered.expect(201).json()["shortcode"], "174379");
    let pay = async |amount: &str, reference: &str| {
        let paid = shop
            .sim
            .pay("174379", "254708374149", amount, reference)
            .await;
        paid.unwrap()
    };
    assert_eq!(pay("100", "ORDER 1").await, None);
    assert_eq!(pay("4", "INV 1").await, None);
    shop.faults(|faults| faults.callback_copies = 5);
    let receipt = pay("100", "inv-77").await.unwrap();
    let path = format!("/mpesa/transactions?receipt_number={receipt}");
    let found = shop.project.get(&path).await.expect(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let row = found["items"][0].clone();
    assert_eq!(
        (&row["kind"], &row["status"], &row["amount"]),
        (&json!("c2b"), &json!("succeeded"), &json!(100))
    );
    assert_eq!(row["account_reference"], "inv-77");
    let id = row["id"].as_str().unwrap();
    assert_eq!(shop.until_told(id).await, ["mpesa.received"]);

    // Fifty copies at once, and a stranger's word.
    let entries = shop.sim.journal();
    let told = entries
        .iter()
        .rfind(|entry| entry.sent && entry.path.contains("/lipa/confirmation/"))
        .unwrap();
    let mut body = told.body.clone();
    body["TransID"] = json!("COPIES0001");
    let url = told.path[told.path.find("/p/").unwrap()..].to_owned();
    let copies = (0..50).map(|_| {
        let request = shop.project.bare_request(Method::POST, &url);
        Reply::try_patiently(request.json(&body))
    });
    for reply in join_all(copies).await {
        assert_eq!(reply.unwrap().expect(200).json()["ResultCode"], 0);
    }
    let forged = format!(
        "/p/{}/lipa/confirmation/{}",
        shop.project.slug,
        "0".repeat(64)
    );
    let request = shop.project.bare_request(Method::POST, &forged).json(&body);
    assert_eq!(Reply::to(request).await.expect_problem(404), "not_found");
    let report = shop.project.get("/mpesa/reconciliation").await.expect(200);
    let report = report.json();
    assert_eq!(report["money_in"], json!({"count": 2, "amount": "200.00"}));
    assert_eq!(report["balanced"], true, "{report}");
}

#[tokio::test]
async fn payouts_stand_behind_a_permission_of_their_own_and_happen_once() {
    let shop = Shop::open().await;
    let body = json!({"phone": "0726000001", "amount": 100, "remarks": "Thanks"});
    let user = shop.user().await;
    for (path, body) in [
        ("/mpesa/b2c", &body),
        ("/mpesa/reversals", &json!({"transaction_id": "x"})),
        ("/mpesa/status", &json!({"receipt_number": "X"})),
        ("/mpesa/balance", &json!({})),
    ] {
        let refused = user.post(path, body.clone()).await;
        assert_eq!(refused.expect_problem(403), "permission_needed", "{path}");
    }
    let bare = shop.project.post("/mpesa/b2c", body.clone()).await;
    assert_eq!(bare.expect_problem(400), "idempotency_key_needed");
    let pay = |key: &str| {
        let request = shop.project.request(Method::POST, "/mpesa/b2c");
        Reply::to(request.header("idempotency-key", key).json(&body))
    };
    let begun = pay("salary-1").await.expect(201).json();
    let id = begun["transaction_id"].as_str().unwrap();
    let row = shop.until_status(id, "succeeded").await;
    assert!(row["receipt_number"].is_string(), "{row}");
    assert_eq!(shop.until_told(id).await, ["mpesa.paid_out"]);
    let again = pay("salary-1").await.expect_success().json();
    assert_eq!(again["transaction_id"], id);
    assert_eq!(shop.sim.asked("/mpesa/b2c/v3/paymentrequest"), 1);

    // The answer and the result are lost: it is found out, not sent again.
    shop.faults(|faults| {
        faults.answer_lost = 1;
        faults.result_lost = true;
    });
    let begun = pay("salary-2").await.expect(202).json();
    let id = begun["transaction_id"].as_str().unwrap();
    shop.faults(|faults| faults.result_lost = false);
    shop.until_status(id, "succeeded").await;
    assert_eq!(shop.sim.asked("/mpesa/b2c/v3/paymentrequest"), 2);
    // One that waits too long in the queue has not failed for that.
    shop.faults(|faults| faults.result_timeout = true);
    let begun = pay("salary-3").await.expect(201).json();
    let id = begun["transaction_id"].as_str().unwrap();
    shop.faults(|faults| faults.result_timeout = false);
    shop.until_status(id, "succeeded").await;
    shop.faults(|faults| faults.result = "1".to_owned());
    let begun = pay("salary-4").await.expect(201).json();
    let id = begun["transaction_id"].as_str().unwrap();
    shop.until_status(id, "failed").await;
    assert_eq!(shop.until_told(id).await, ["mpesa.payout_failed"]);
    let report = shop.project.get("/mpesa/reconciliation").await.expect(200);
    assert_eq!(
        report.json()["money_out"],
        json!({"count": 3, "amount": "300.00"})
    );
}

#[tokio::test]
async fn payments_are_taken_back_once_and_balances_are_read() {
    let shop = Shop::open().await;
    let id = shop.pushed("0727000001", 40).await;
    shop.until_status(&id, "succeeded").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let body = json!({"transaction_id": id});
        let begun = shop.project.post("/mpesa/reversals", body).await;
        let begun = begun.expect_success().json();
        ids.push(begun["transaction_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[1]);
    let row = shop.until_status(&ids[0], "succeeded").await;
    assert_eq!(row["about"], id.as_str());
    assert_eq!(shop.sim.asked("/mpesa/reversal/v1/request"), 1);

    let begun = shop
        .project
        .post("/mpesa/balance", json!({"account": "second"}))
        .await;
    let id = begun.expect(201).json()["transaction_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let row = shop.until_status(&id, "succeeded").await;
    assert_eq!(row["details"]["accounts"][1]["name"], "Utility Account");
    assert_eq!(row["details"]["accounts"][1]["current"], "228037.00");
    let receipt = shop.sim.payments()[0].receipt.clone();
    let begun = shop
        .project
        .post("/mpesa/status", json!({"receipt_number": receipt}))
        .await;
    let id = begun.expect(201).json()["transaction_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let row = shop.until_status(&id, "succeeded").await;
    assert_eq!(row["details"]["TransactionStatus"], "Completed");
    let report = shop.project.get("/mpesa/reconciliation").await.expect(200);
    assert_eq!(report.json()["net"], "0.00");
}

#[tokio::test]
async fn copies_of_strangers_at_once_are_one_doubtful_payment() {
    let shop = Shop::open().await;
    shop.configure(json!({"allowed_origins": ["196.201.214.200"]}))
        .await;
    let registered = shop.project.post("/mpesa/c2b/register", json!({})).await;
    let _ = registered.expect(201);
    let paid = shop.sim.pay("174379", "254708374149", "100", "first");
    let _ = paid.await.unwrap().unwrap();
    let entries = shop.sim.journal();
    let told = entries
        .iter()
        .rfind(|entry| entry.sent && entry.path.contains("/lipa/confirmation/"))
        .unwrap();
    let path = told.path[told.path.find("/p/").unwrap()..].to_owned();
    let copies = (0..30).map(|number| {
        let mut body = told.body.clone();
        body["TransID"] = json!("STRANGER01");
        body["Copy"] = json!(number);
        let request = shop.project.bare_request(Method::POST, &path).json(&body);
        Reply::try_patiently(request)
    });
    for reply in join_all(copies).await {
        let _ = reply.unwrap().expect(200);
    }
    let path = "/mpesa/transactions?receipt_number=STRANGER01";
    let found = shop.project.get(path).await.expect(200).json();
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{found}");
    assert_eq!(items[0]["status"], "needs_review", "{found}");
}

#[tokio::test]
async fn a_day_is_compared_with_a_statement_and_exported() {
    let shop = Shop::open().await;
    for number in 0..3 {
        let body = json!({
            "phone": format!("07280000{number:02}"), "amount": 10, "account_reference": "=1+1",
        });
        let begun = shop
            .project
            .post("/mpesa/stkpush", body)
            .await
            .expect(201)
            .json();
        let id = begun["transaction_id"].as_str().unwrap().to_owned();
        shop.until_status(&id, "succeeded").await;
    }
    let receipts: Vec<String> = shop
        .sim
        .payments()
        .into_iter()
        .map(|one| one.receipt)
        .collect();
    let line = |receipt: &str, amount: &str| json!({"receipt_number": receipt, "amount": amount});
    let good: Vec<Value> = receipts.iter().map(|one| line(one, "10.00")).collect();
    let report = shop
        .project
        .post("/mpesa/reconciliation", json!({"statement": good}))
        .await;
    assert_eq!(report.expect(200).json()["balanced"], true);
    let bad = json!({"statement": [
        line(&receipts[0], "10"), line(&receipts[1], "11"), line("NOTOURS001", "5"),
    ]});
    let report = shop
        .project
        .post("/mpesa/reconciliation", bad)
        .await
        .expect(200)
        .json();
    let mut problems: Vec<&str> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["problem"].as_str().unwrap())
        .collect();
    problems.sort_unstable();
    assert_eq!(
        problems,
        ["amount_differs", "missing_here", "missing_there"]
    );
    let day = report["day"].as_str().unwrap();
    let path = format!("/mpesa/export?from={day}&to={day}");
    let csv = shop.project.get(&path).await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let text = csv.text();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains(",'=1+1,"), "{text}");
    assert!(!text.contains(",=1+1,"));
    let user = shop.user().await;
    for path in ["/mpesa/export", "/mpesa/reconciliation"] {
        let refused = user.get(path).await;
        assert_eq!(refused.expect_problem(403), "permission_needed", "{path}");
    }
}

#[tokio::test]
async fn a_payment_reaches_the_users_notifications() {
    let shop = Shop::open().await;
    shop.admin.enable(&shop.project, "notifications").await;
    let user = shop.user().await;
    let body = json!({"phone": "0729000001", "amount": 15, "account_reference": "A"});
    let begun = user.post("/mpesa/stkpush", body).await.expect(201).json();
    let id = begun["transaction_id"].as_str().unwrap();
    shop.until_status(id, "succeeded").await;
    let notice = until("a notification", DEADLINE, || async {
        let page = user.get("/notifications").await.expect(200).json();
        page["items"].get(0).cloned()
    })
    .await;
    let receipt = &shop.sim.payments()[0].receipt;
    assert_eq!(
        notice["title"],
        format!("KES 15.00 paid by M-Pesa, receipt {receipt}")
    );
    assert_eq!(notice["subject"], json!({"type": "payment", "id": id}));
}
