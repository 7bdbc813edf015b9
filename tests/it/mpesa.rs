//! The plugin `mpesa`: customers are asked to pay and pay, once each, whoever
//! asks, however often.

use crate::mpesa_world::{Shop, account, has_no_secret, second_account};
use atlashub_tests::Reply;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_push_is_paid_written_down_and_told_once() {
    let shop = Shop::open().await;
    shop.faults(|faults| faults.callback_ms = 300);
    let begun = shop.push("0712 345-678", 100).await.expect(201).json();
    assert_eq!(begun["status"], "pending", "{begun}");
    let id = begun["transaction_id"].as_str().unwrap();
    let paid = shop.until_status(id, "succeeded").await;
    let payment = shop.sim.payments()[0].clone();
    assert_eq!(begun["checkout_request_id"], payment.checkout_request_id);
    assert_eq!(begun["merchant_request_id"], payment.merchant_request_id);
    assert_eq!(paid["receipt_number"], payment.receipt);
    assert_eq!(
        (&paid["amount"], &paid["phone_number"], &paid["result_code"]),
        (&json!(100), &json!("254712345678"), &json!("0"))
    );
    assert_eq!(paid["account_reference"], "INV-1");
    assert_eq!(payment.phone, "254712345678");
    assert_eq!(shop.states(id).await, ["created", "pending", "succeeded"]);
    assert_eq!(shop.until_told(id).await, ["mpesa.succeeded"]);
    let list = shop
        .project
        .get("/mpesa/transactions?status=succeeded")
        .await;
    let list = list.expect(200).json();
    assert_eq!(list["items"][0]["id"], id);
    // Nothing of the word is where others look.
    let word = payment.callback_url.rsplit('/').next().unwrap();
    assert_eq!(word.len(), 64);
    assert!(!list.to_string().contains(word));
}

#[tokio::test]
async fn a_double_click_is_one_payment() {
    let shop = Shop::open().await;
    shop.faults(|faults| faults.callback_ms = 200);
    let click = async |amount: u64| {
        loop {
            let body = json!({"phone": "0712345678", "amount": amount, "account_reference": "A"});
            let request = shop.project.request(Method::POST, "/mpesa/stkpush");
            let request = request.header("idempotency-key", "click-1").json(&body);
            let reply = Reply::to(request).await;
            // The first is still on its way.
            if reply.status != 409 {
                return reply;
            }
        }
    };
    let all = join_all((0..8).map(|_| click(10))).await;
    let ids: Vec<Value> = all
        .into_iter()
        .map(|reply| reply.expect_success().json()["transaction_id"].clone())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(shop.asked_to_pay(), 1);
    shop.until_status(ids[0].as_str().unwrap(), "succeeded")
        .await;
    let again = click(10).await.expect_success().json();
    assert_eq!(again["transaction_id"], ids[0]);
    assert_eq!(
        click(11).await.expect_problem(422),
        "idempotency_key_reused"
    );
    assert_eq!(shop.sim.payments().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_before_anybody_is_called() {
    let shop = Shop::open().await;
    let refused = async |body: Value, code: &str| {
        let reply = shop.project.post("/mpesa/stkpush", body).await;
        assert_eq!(reply.expect_problem(422), code, "{}", reply.text());
    };
    for phone in ["0202345678", "+14155550100", "71234567", "07123456789", "x"] {
        let body = json!({"phone": phone, "amount": 1, "account_reference": "A"});
        refused(body, "invalid_phone").await;
    }
    for amount in [
        json!(0),
        json!(-5),
        json!(1.5),
        json!("ten"),
        json!(250_001),
    ] {
        let body = json!({"phone": "0712345678", "amount": amount, "account_reference": "A"});
        refused(body, "invalid_amount").await;
    }
    for reference in ["", "thirteen char", "ä"] {
        let body = json!({"phone": "0712345678", "amount": 1, "account_reference": reference});
        refused(body, "invalid_account_reference").await;
    }
    let body =
        json!({"phone": "0712345678", "amount": 1, "account_reference": "A", "account": "none"});
    let unknown = shop.project.post("/mpesa/stkpush", body).await;
    assert_eq!(unknown.expect_problem(404), "not_found");
    assert_eq!(shop.asked_to_pay(), 0);
    let none = shop.project.get("/mpesa/transactions").await.expect(200);
    assert_eq!(none.json()["items"], json!([]));
}

#[tokio::test]
async fn every_outcome_has_its_state_and_its_event() {
    let shop = Shop::open().await;
    for (number, (code, status)) in [
        ("1", "failed"),
        ("1032", "cancelled"),
        ("1037", "timed_out"),
        ("2001", "failed"),
        ("1019", "timed_out"),
        ("SFC_IC0003", "failed"),
        ("7777", "needs_review"),
    ]
    .into_iter()
    .enumerate()
    {
        shop.faults(|faults| faults.outcome = code.to_owned());
        let id = shop.pushed(&format!("07000000{number:02}"), 5).await;
        let row = shop.until_status(&id, status).await;
        assert_eq!(row["result_code"], code, "{row}");
        assert_eq!(row["receipt_number"], Value::Null);
        assert_eq!(shop.until_told(&id).await, [format!("mpesa.{status}")]);
    }
}

#[tokio::test]
async fn without_a_callback_the_other_side_is_asked_whatever_it_says_meanwhile() {
    use atlashub_daraja_sim::Processing::{Code4999, Empty, Refused};
    let shop = Shop::open().await;
    for (number, processing) in [Refused, Code4999, Empty].into_iter().enumerate() {
        shop.faults(|faults| {
            faults.callback_lost = true;
            faults.processing = processing;
            faults.query_late = 2;
        });
        let id = shop.pushed(&format!("071100000{number}"), 7).await;
        let row = shop.until_status(&id, "succeeded").await;
        // The question is answered without a receipt.
        assert_eq!(row["receipt_number"], Value::Null);
        assert_eq!(shop.until_told(&id).await, ["mpesa.succeeded"]);
        // One that comes after all brings it.
        let late = shop.success(number);
        let reply = shop.call_back(&shop.project, number, &late).await;
        assert_eq!(reply.expect(200).json()["ResultCode"], 0);
        let row = shop.transaction(&id).await;
        assert_eq!(row["receipt_number"], shop.sim.payments()[number].receipt);
        assert_eq!(shop.told(&id).await, ["mpesa.succeeded"]);
    }
    assert!(shop.sim.asked("/mpesa/stkpushquery/v1/query") >= 9);
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_never_sent_again() {
    let shop = Shop::open().await;
    shop.faults(|faults| {
        faults.answer_lost = 1;
        faults.callback_ms = 500;
    });
    let begun = shop.push("0712000001", 30).await.expect(202).json();
    assert_eq!(begun["status"], "pending");
    let id = begun["transaction_id"].as_str().unwrap();
    let row = shop.until_status(id, "succeeded").await;
    let payment = shop.sim.payments()[0].clone();
    assert_eq!(row["checkout_request_id"], payment.checkout_request_id);
    assert_eq!(row["receipt_number"], payment.receipt);
    assert_eq!(shop.asked_to_pay(), 1);

    // Nobody tells: a person has to look, and can still be told.
    shop.configure(json!({"lost_after_seconds": 1})).await;
    shop.faults(|faults| {
        faults.answer_lost = 1;
        faults.callback_lost = true;
    });
    let begun = shop.push("0712000002", 40).await.expect(202).json();
    let id = begun["transaction_id"].as_str().unwrap();
    let row = shop.until_status(id, "needs_review").await;
    assert_eq!(row["review_reason"], "no_answer");
    assert_eq!(shop.asked_to_pay(), 2);
    let late = shop.success(1);
    let _ = shop.call_back(&shop.project, 1, &late).await.expect(200);
    shop.until_status(id, "succeeded").await;
    assert_eq!(
        shop.states(id).await,
        ["created", "pending", "needs_review", "succeeded"]
    );
}

#[tokio::test]
async fn a_wrong_amount_is_no_payment_until_a_person_says_so() {
    let shop = Shop::open().await;
    shop.faults(|faults| faults.callback_amount = -99);
    let id = shop.pushed("0712000003", 100).await;
    let row = shop.until_status(&id, "needs_review").await;
    assert_eq!(row["review_reason"], "amount_differs");
    // Neither a copy nor another callback settles it.
    let good = shop.success(0);
    let _ = shop.call_back(&shop.project, 0, &good).await.expect(200);
    assert_eq!(shop.transaction(&id).await["status"], "needs_review");
    let path = format!("/mpesa/transactions/{id}/review");
    let user = shop.user().await;
    let finding =
        json!({"status": "succeeded", "receipt_number": "R1", "amount": 1, "note": "seen"});
    assert_eq!(
        user.post(&path, finding.clone()).await.expect_problem(403),
        "permission_needed"
    );
    let settled = shop.project.post(&path, finding.clone()).await;
    assert_eq!(settled.expect(200).json()["status"], "succeeded");
    let again = shop.project.post(&path, finding).await;
    assert_eq!(again.expect_problem(409), "not_under_review");
    // The callback may come before the answer that makes it pending.
    let mut states = shop.states(&id).await;
    states.retain(|state| state != "pending");
    assert_eq!(states, ["created", "needs_review", "succeeded"]);
}

#[tokio::test]
async fn forged_callbacks_move_nothing() {
    let shop = Shop::open().await;
    shop.faults(|faults| {
        faults.callback_lost = true;
        faults.prompt_ms = 3_600_000;
    });
    let id = shop.pushed("0712000004", 50).await;
    let good = shop.success(0);
    // Nobody's word, and none.
    let base = format!("/p/{}/mpesa/callback", shop.project.slug);
    for path in [
        base.clone(),
        format!("{base}/{}", "0".repeat(64)),
        format!("{base}/{id}"),
        format!("{base}/{}", "a".repeat(2_000)),
    ] {
        let request = shop.project.bare_request(Method::POST, &path).json(&good);
        assert_eq!(Reply::to(request).await.expect_problem(404), "not_found");
    }
    // The right word and another payment's id; what is no callback.
    let mut other = good.clone();
    other["Body"]["stkCallback"]["CheckoutRequestID"] = json!("ws_CO_1");
    for body in [other, json!({}), json!([1]), json!({"Body": null})] {
        let _ = shop.call_back(&shop.project, 0, &body).await.expect(200);
    }
    assert_eq!(shop.transaction(&id).await["status"], "pending");
    assert_eq!(shop.told(&id).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_callback_from_elsewhere_is_believed_when_the_other_side_says_so() {
    let shop = Shop::open().await;
    // Loopback is not on the list now, and no header puts it there.
    shop.configure(
        json!({"allowed_origins": ["196.201.214.200"], "allow_callback_without_token": true}),
    )
    .await;
    shop.faults(|faults| {
        faults
            .callback_headers
            .insert("x-forwarded-for".to_owned(), "196.201.214.200".to_owned());
        faults.query_late = 1;
        faults.prompt_ms = 200;
    });
    let id = shop.pushed("0712000005", 60).await;
    let row = shop.until_status(&id, "succeeded").await;
    assert!(shop.sim.asked("/mpesa/stkpushquery/v1/query") >= 1);
    // What the callback said counts once the other side has confirmed it.
    assert_eq!(row["receipt_number"], shop.sim.payments()[0].receipt);

    // One that lies is not believed, with a word or without.
    shop.faults(|faults| {
        faults.outcome = "1032".to_owned();
        faults.callback_lost = true;
        faults.prompt_ms = 0;
    });
    let id = shop.pushed("0712000006", 60).await;
    let lie = shop.success(1);
    let _ = shop.call_back(&shop.project, 1, &lie).await.expect(200);
    let path = format!("/p/{}/mpesa/callback", shop.project.slug);
    let bare = shop.project.bare_request(Method::POST, &path).json(&lie);
    let _ = Reply::to(bare).await.expect(200);
    shop.until_status(&id, "cancelled").await;

    shop.configure(json!({"allowed_origins": ["196.201.214.200"], "unlisted_origin": "refuse"}))
        .await;
    let reply = shop.call_back(&shop.project, 1, &lie).await;
    assert_eq!(reply.expect_problem(403), "origin_refused");
}

#[tokio::test]
async fn one_token_serves_all_and_is_renewed_when_it_does_not_hold() {
    let shop = Shop::open().await;
    let pushes = (0..12).map(|number| shop.pushed_to(number));
    let ids = join_all(pushes).await;
    for id in &ids {
        shop.until_status(id, "succeeded").await;
    }
    assert_eq!(shop.sim.asked("/oauth/v1/generate"), 1);
    shop.faults(|faults| {
        faults.token_refused = 1;
        faults.token_text = false;
    });
    let id = shop.pushed("0713000001", 5).await;
    shop.until_status(&id, "succeeded").await;
    assert_eq!(shop.sim.asked("/oauth/v1/generate"), 2);
    assert_eq!(shop.sim.payments().len(), 13);
}

impl Shop {
    async fn pushed_to(&self, number: usize) -> String {
        self.pushed(&format!("07140000{number:02}"), 5).await
    }
}

#[tokio::test]
async fn each_shortcode_has_credentials_of_its_own() {
    let shop = Shop::open().await;
    let body = json!({
        "phone": "+254 110 000 001", "amount": "20", "account_reference": "B", "account": "second",
    });
    let begun = shop.project.post("/mpesa/stkpush", body).await.expect(201);
    let id = begun.json()["transaction_id"].as_str().unwrap().to_owned();
    let row = shop.until_status(&id, "succeeded").await;
    assert_eq!(row["account"], "second");
    let payment = shop.sim.payments()[0].clone();
    assert_eq!(payment.shortcode, second_account().shortcode);
    assert_eq!(payment.phone, "254110000001");
    let entries = shop.sim.journal();
    let push = entries
        .iter()
        .find(|entry| entry.path.ends_with("processrequest"))
        .unwrap();
    assert_eq!(push.body["TransactionType"], "CustomerBuyGoodsOnline");
    assert_eq!(push.body["PartyB"], "5550001");
}

#[tokio::test]
async fn secrets_reach_safaricom_and_nobody_else() {
    let shop = Shop::open().await;
    let id = shop.pushed("0712000007", 5).await;
    shop.until_status(&id, "succeeded").await;
    let slug = &shop.project.slug;
    for path in ["", "/logs"] {
        let path = format!("/admin/v1/projects/{slug}/plugins/mpesa{path}");
        has_no_secret(&shop.admin.get(&path).await.expect(200).text());
    }
    let shown = shop.admin.installed(&shop.project, "mpesa").await;
    has_no_secret(&shown.to_string());
    // Wrong ones are told as what they are, and nothing is asked for.
    shop.configure(json!({"consumer_secret": "wrong", "consumer_key": "wrong"}))
        .await;
    let reply = shop.push("0712000008", 5).await;
    assert_eq!(reply.expect_problem(502), "mpesa_failed");
    let id = reply.json()["transaction_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.transaction(&id).await["status"], "failed");
    shop.configure(json!({"consumer_key": account().consumer_key, "passkey": "wrong"}))
        .await;
    let reply = shop.push("0712000009", 5).await;
    assert_eq!(reply.expect_problem(502), "mpesa_failed");
    assert_eq!(shop.sim.payments().len(), 1);
}

#[tokio::test]
async fn users_see_their_own_payments_and_ask_so_often() {
    let shop = Shop::open().await;
    let (ada, bob) = (shop.user().await, shop.user().await);
    let body = |number: u32| json!({"phone": format!("071500000{number}"), "amount": 1, "account_reference": "A"});
    let begun = ada.post("/mpesa/stkpush", body(0)).await.expect(201).json();
    let id = begun["transaction_id"].as_str().unwrap().to_owned();
    let row = shop.until_status(&id, "succeeded").await;
    assert_eq!(row["user_id"], ada.id);
    let path = format!("/mpesa/transactions/{id}");
    let _ = ada.get(&path).await.expect(200);
    let _ = bob.get(&path).await.expect(404);
    let theirs = bob.get("/mpesa/transactions").await.expect(200).json();
    assert_eq!(theirs["items"], json!([]));
    for number in 1..5 {
        let _ = ada.post("/mpesa/stkpush", body(number)).await.expect(201);
    }
    let most = ada.post("/mpesa/stkpush", body(5)).await;
    assert_eq!(most.expect_problem(429), "rate_limited");
    assert_eq!(most.header("retry-after"), "60");
    let mut for_bob = body(6);
    for_bob["user_id"] = json!(bob.id);
    let reply = bob.post("/mpesa/stkpush", for_bob.clone()).await;
    let _ = reply.expect(201);
    for_bob["phone"] = json!("0715000007");
    let reply = ada.post("/mpesa/stkpush", for_bob.clone()).await;
    assert_eq!(reply.expect_problem(403), "forbidden");
    let reply = shop
        .project
        .post("/mpesa/stkpush", for_bob)
        .await
        .expect(201);
    let id = reply.json()["transaction_id"].as_str().unwrap().to_owned();
    let _ = bob
        .get(&format!("/mpesa/transactions/{id}"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_connection_test_says_what_is_wrong_in_words() {
    let shop = Shop::open().await;
    let check = |body: Value| shop.project.post("/mpesa/check", body);
    let good = check(json!({})).await.expect(200).json();
    assert_eq!(good["ok"], true, "{good}");
    assert_eq!(good["environment"], "custom");
    assert_eq!(good["shortcode"], "174379");
    assert_eq!(
        (&good["can_push"], &good["can_pay_out"]),
        (&json!(true), &json!(true))
    );
    let second = check(json!({"account": "second"})).await.expect(200).json();
    assert_eq!(
        (&second["ok"], &second["shortcode"]),
        (&json!(true), &json!("600984"))
    );
    // It asks anew, whatever token there is: and what was asked for before goes on.
    let asked = shop.sim.asked("/oauth/v1/generate");
    let _ = check(json!({})).await.expect(200);
    assert_eq!(shop.sim.asked("/oauth/v1/generate"), asked + 1);
    let id = shop.pushed("0712000009", 10).await;
    let _ = shop.until_status(&id, "succeeded").await;

    let unknown = check(json!({"account": "third"})).await;
    assert_eq!(unknown.expect_problem(404), "not_found");
    shop.configure(json!({"consumer_secret": "wrong"})).await;
    let wrong = check(json!({})).await.expect(200).json();
    assert_eq!(
        (&wrong["ok"], &wrong["problem"]),
        (&json!(false), &json!("keys_refused"))
    );
    shop.configure(json!({"consumer_secret": null, "passkey": null}))
        .await;
    let without = check(json!({})).await.expect(200).json();
    assert_eq!(without["problem"], "secret_missing");
    assert_eq!(without["can_push"], false);
    let elsewhere = json!({"base_url": "http://127.0.0.1:9"});
    shop.configure(elsewhere).await;
    let denied = check(json!({})).await.expect(200).json();
    assert_eq!(denied["problem"], "address_not_allowed");
    assert!(
        denied["advice"]
            .as_str()
            .unwrap()
            .contains("ATLASHUB_EGRESS_ALLOW")
    );
    shop.configure(json!({"consumer_key": null})).await;
    assert_eq!(check(json!({})).await.expect_problem(409), "not_set_up");
}

#[tokio::test]
async fn of_many_pushes_at_once_no_more_go_out_than_may() {
    let shop = Shop::open().await;
    shop.configure(json!({"pushes_per_minute": 3})).await;
    let body = |phone: String| json!({"phone": phone, "amount": 1, "account_reference": "A"});
    // One caller, many phones.
    let ada = shop.user().await;
    let all = join_all((0..12).map(|number| {
        let ada = ada.clone();
        let body = body(format!("07160000{number:02}"));
        async move { ada.post("/mpesa/stkpush", body).await.status }
    }))
    .await;
    let taken = |all: &[u16]| all.iter().filter(|status| **status < 300).count();
    assert_eq!(taken(&all), 3, "{all:?}");
    assert_eq!(shop.asked_to_pay(), 3);
    assert!(
        all.iter().all(|status| *status < 300 || *status == 429),
        "{all:?}"
    );
    // Many callers, one phone.
    let mut users = Vec::new();
    for _ in 0..6 {
        users.push(shop.user().await);
    }
    let all = join_all(users.iter().map(|user| {
        let body = body("0717000000".to_owned());
        async move { user.post("/mpesa/stkpush", body).await.status }
    }))
    .await;
    assert_eq!(taken(&all), 3, "{all:?}");
    assert_eq!(shop.asked_to_pay(), 6);
    // Servers are not held to it.
    let _ = shop.push("0717000000", 1).await.expect(201);
    // One address: whoever asks, whichever phone.
    shop.configure(json!({"pushes_per_minute": 100, "pushes_per_minute_by_address": 8}))
        .await;
    let all = join_all(users.iter().enumerate().map(|(number, user)| {
        let body = body(format!("07180000{number:02}"));
        async move { user.post("/mpesa/stkpush", body).await.status }
    }))
    .await;
    assert_eq!(taken(&all), 2, "{all:?}");
    assert_eq!(shop.asked_to_pay(), 9);
}
