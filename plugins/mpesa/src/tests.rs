//! Payments against a host in memory, with an other side that says what the
//! test wants.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::{cents, eat_compact, eat_day, normalised_phone, routes, shillings, subscriptions};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc, time::Duration};

mod days;
mod once;

/// Calls that the other side got: path and body; and what it answers next.
#[derive(Clone, Default)]
struct Other {
    seen: Rc<RefCell<Vec<(String, Value)>>>,
    answers: Rc<RefCell<Vec<(u16, Value)>>>,
}

impl Other {
    fn answers(&self, status: u16, body: Value) {
        self.answers.borrow_mut().push((status, body));
    }

    fn called(&self, path: &str) -> usize {
        let seen = self.seen.borrow();
        seen.iter().filter(|(seen, _)| seen.ends_with(path)).count()
    }

    fn answer(&self, mut request: Request) -> Response {
        let path = request.path().to_owned();
        let body = request.take_body().text(1 << 16).unwrap();
        if path == "/oauth/v1/generate" {
            // `key:s3cret`
            assert_eq!(
                request.header("authorization"),
                Some("Basic a2V5OnMzY3JldA==")
            );
            return Json(json!({"access_token": "t0ken", "expires_in": "3599"})).into_response();
        }
        assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
        let body: Value = serde_json::from_str(&body).unwrap();
        self.seen.borrow_mut().push((path, body));
        let (status, body) = self.answers.borrow_mut().remove(0);
        (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
    }
}

fn host() -> (TestHost, Other) {
    let other = Other::default();
    let answering = other.clone();
    let host = TestHost::new("mpesa")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_permissions(["mpesa:read", "mpesa:pay"])
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_config("consumer_key", "key")
        .with_secret("consumer_secret", "s3cret")
        .with_config("shortcode", "174379")
        .with_secret("passkey", "passkey")
        .with_config("allowed_origins", json!(["192.0.2.1"]))
        .with_service("sandbox.safaricom.co.ke", move |request| {
            answering.answer(request)
        });
    (host, other)
}

fn accepted(checkout: &str) -> Value {
    json!({
        "MerchantRequestID": "m1", "CheckoutRequestID": checkout, "ResponseCode": "0",
        "ResponseDescription": "Success", "CustomerMessage": "Success",
    })
}

fn send(host: &TestHost, target: &str, body: &Value, from: &str) -> (u16, Value) {
    let request = Request::post(target, body.to_string())
        .with_header("content-type", "application/json")
        .with_header("x-forwarded-for", from);
    let response = host.call(&routes(), request);
    let status = response.status().as_u16();
    (status, response.into_json().unwrap())
}

fn push(host: &TestHost) -> (u16, Value) {
    let body = json!({"phone": "0712345678", "amount": 10, "account_reference": "A1"});
    send(host, "/mpesa/stkpush", &body, "203.0.113.1")
}

fn row(host: &TestHost, id: &Value) -> Value {
    let path = format!("/mpesa/transactions/{}", id.as_str().unwrap());
    let response = host.call(&routes(), Request::get(path));
    assert_eq!(response.status(), 200);
    response.into_json().unwrap()
}

/// Where the push number `at` is told.
fn callback_path(other: &Other, at: usize) -> String {
    let seen = other.seen.borrow();
    let url = seen[at].1["CallBackURL"].as_str().unwrap().to_owned();
    url[url.find("/mpesa/").unwrap()..].to_owned()
}

fn success(checkout: &str, amount: Value, receipt: &str) -> Value {
    json!({"Body": {"stkCallback": {
        "MerchantRequestID": "m1", "CheckoutRequestID": checkout, "ResultCode": 0,
        "ResultDesc": "ok", "CallbackMetadata": {"Item": [
            {"Name": "Amount", "Value": amount}, {"Name": "MpesaReceiptNumber", "Value": receipt},
            {"Name": "Balance"},
        ]},
    }}})
}

fn told(host: &TestHost) -> Vec<String> {
    let events = host.events().into_iter().map(|event| event.name);
    events
        .filter(|name| !name.ends_with(".due") && !name.ends_with(".sweep"))
        .collect()
}

/// The timers that are set, told now.
fn due(host: &TestHost) {
    let events = host.events();
    let last = events.iter().rfind(|event| event.name == "mpesa.due");
    host.deliver(&subscriptions(), last.unwrap().clone())
        .unwrap();
}

#[test]
fn a_push_carries_one_clock_and_no_secret_is_in_the_plugin() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (status, begun) = push(&host);
    assert_eq!(status, 201, "{begun}");
    let (path, sent) = other.seen.borrow()[0].clone();
    assert_eq!(path, "/mpesa/stkpush/v1/processrequest");
    let timestamp = sent["Timestamp"].as_str().unwrap();
    assert_eq!(timestamp.len(), 14);
    // What the host made of the stand-in: base64 of all three.
    let password = sent["Password"].as_str().unwrap();
    assert!(password.starts_with("MTc0Mzc5cGFzc2tleT"), "{password}");
    assert_eq!(
        (&sent["Amount"], &sent["PartyA"]),
        (&json!("10"), &json!("254712345678"))
    );
    assert_eq!(sent["TransactionDesc"], "Payment");
    assert!(
        !sent["CallBackURL"]
            .as_str()
            .unwrap()
            .contains(begun["transaction_id"].as_str().unwrap())
    );
    for line in host.logs() {
        assert!(
            !line.contains("s3cret") && !line.contains("passkey"),
            "{line}"
        );
    }
}

#[test]
fn a_callback_counts_once_in_whatever_order_it_comes() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let id = &begun["transaction_id"];
    let path = callback_path(&other, 0);
    let cancelled = json!({"Body": {"stkCallback": {
        "CheckoutRequestID": "ws_1", "ResultCode": "1037", "ResultDesc": "late",
    }}});
    let paid = success("ws_1", json!(10.0), "NLJ7RT61SV");
    for body in [&cancelled, &paid, &paid, &cancelled, &paid] {
        let (status, heard) = send(&host, &path, body, "192.0.2.1");
        assert_eq!((status, &heard["ResultCode"]), (200, &json!(0)));
    }
    let row = row(&host, id);
    assert_eq!(
        (&row["status"], &row["receipt_number"]),
        (&json!("succeeded"), &json!("NLJ7RT61SV"))
    );
    assert_eq!(
        told(&host),
        [
            "mpesa.timed_out",
            "mpesa.notice",
            "mpesa.succeeded",
            "mpesa.notice"
        ]
    );
    let ledger: Vec<(String, i64)> =
        sql::query("SELECT receipt, cents FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(ledger, [("NLJ7RT61SV".to_owned(), 1_000)]);
    let copies: i64 = sql::query_one("SELECT sum(copies) FROM mpesa.callbacks", params![]).unwrap();
    assert_eq!(copies, 5);
}

#[test]
fn a_receipt_is_one_payment() {
    let (host, other) = host();
    for (number, wanted) in [(0, "succeeded"), (1, "needs_review")] {
        let checkout = format!("ws_{number}");
        other.answers(200, accepted(&checkout));
        let (_, begun) = push(&host);
        let path = callback_path(&other, number);
        let body = success(&checkout, json!("10.00"), "SAME000001");
        assert_eq!(send(&host, &path, &body, "192.0.2.1").0, 200);
        let row = row(&host, &begun["transaction_id"]);
        assert_eq!(row["status"], wanted, "{row}");
    }
    let rows: i64 = sql::query_one("SELECT count(*) FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(rows, 1);
}

#[test]
fn what_failed_and_is_paid_after_all_a_person_looks_at() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let path = callback_path(&other, 0);
    let refused = json!({"Body": {"stkCallback": {
        "CheckoutRequestID": "ws_1", "ResultCode": 1032, "ResultDesc": "no",
    }}});
    assert_eq!(send(&host, &path, &refused, "192.0.2.1").0, 200);
    let paid = success("ws_1", json!(10), "R1");
    assert_eq!(send(&host, &path, &paid, "192.0.2.1").0, 200);
    let row = row(&host, &begun["transaction_id"]);
    assert_eq!(row["status"], "needs_review");
    assert_eq!(row["review_reason"], "contradiction");
    let rows: i64 = sql::query_one("SELECT count(*) FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn questions_are_asked_until_there_is_an_answer() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let id = &begun["transaction_id"];
    let processing = [
        (
            500,
            json!({"requestId": "r", "errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}),
        ),
        (200, json!({"ResultCode": "4999", "ResultDesc": "still"})),
        (
            200,
            json!({"requestId": "r", "errorCode": "500.001.1001", "errorMessage": ""}),
        ),
        (503, json!("down")),
        (
            500,
            json!({"requestId": "r", "errorCode": "500.001.1001", "errorMessage": "The transaction does not Exist"}),
        ),
    ];
    for (status, body) in processing {
        other.answers(status, body);
        host.advance(Duration::from_secs(3_600));
        due(&host);
        assert_eq!(row(&host, id)["status"], "pending");
    }
    // An event that comes twice, or too early, asks nothing.
    let asked = other.called("/query");
    due(&host);
    assert_eq!(other.called("/query"), asked);
    other.answers(200, json!({"ResultCode": 0, "ResultDesc": "paid"}));
    host.advance(Duration::from_secs(3_600));
    due(&host);
    assert_eq!(row(&host, id)["status"], "succeeded");
    host.advance(Duration::from_secs(3_600));
    due(&host);
    assert_eq!(other.called("/query"), asked + 1);
}

#[test]
fn what_nobody_answers_a_person_looks_at() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    for _ in 0..2 {
        other.answers(
            500,
            json!({"errorCode": "500.003.02", "errorMessage": "busy"}),
        );
        host.advance(Duration::from_secs(13 * 3_600));
        due(&host);
    }
    let row = row(&host, &begun["transaction_id"]);
    assert_eq!(row["status"], "needs_review");
    assert_eq!(row["review_reason"], "no_answer");
}

#[test]
fn refusals_before_anything_was_done_are_failures_and_others_are_not() {
    for (status, code, text, answer, state) in [
        (
            400,
            "400.002.02",
            "Bad Request - Invalid Amount",
            422,
            "failed",
        ),
        (
            500,
            "500.001.1001",
            "Merchant does not exist",
            502,
            "failed",
        ),
        (
            500,
            "500.001.1001",
            "Unable to lock subscriber, a transaction is already in process for the current subscriber",
            409,
            "failed",
        ),
        (
            500,
            "500.003.02",
            "System is busy. Please try again in few minutes.",
            503,
            "failed",
        ),
        (500, "500.003.1001", "Internal Server Error", 202, "pending"),
        (500, "500.001.1001", "", 202, "pending"),
    ] {
        let (host, other) = host();
        other.answers(
            status,
            json!({"requestId": "r", "errorCode": code, "errorMessage": text}),
        );
        let (got, begun) = push(&host);
        assert_eq!(got, answer, "{code} {text}: {begun}");
        assert_eq!(
            row(&host, &begun["transaction_id"])["status"],
            state,
            "{code} {text}"
        );
        assert_eq!(other.called("/processrequest"), 1);
    }
}

#[test]
fn an_invalid_token_is_replaced_once() {
    let (host, other) = host();
    let invalid = json!({"requestId": "r", "errorCode": "404.001.03", "errorMessage": "Invalid Access Token"});
    other.answers(404, invalid.clone());
    other.answers(200, accepted("ws_1"));
    assert_eq!(push(&host).0, 201);
    other.answers(404, invalid.clone());
    other.answers(404, invalid);
    assert_eq!(push(&host).0, 502);
    assert_eq!(other.called("/processrequest"), 4);
}

fn server(host: &TestHost) {
    host.set_caller(Caller::new(CallerKind::SecretKey, "k1"));
    host.set_permissions(["mpesa:read", "mpesa:pay", "mpesa:manage", "mpesa:payout"]);
}

#[test]
fn payments_from_the_menu_are_written_down_once_and_those_from_elsewhere_wait() {
    let (host, other) = host();
    server(&host);
    other.answers(
        200,
        json!({"ResponseCode": "0", "ResponseDescription": "Success"}),
    );
    let (status, made) = send(&host, "/mpesa/c2b/register", &json!({}), "203.0.113.1");
    assert_eq!(status, 201, "{made}");
    let sent = other.seen.borrow()[0].1.clone();
    assert_eq!(sent["ResponseType"], "Completed");
    let path = |member: &str| {
        let url = sent[member].as_str().unwrap().to_owned();
        url[url.find("/lipa/").unwrap()..].to_owned()
    };
    let paid = |receipt: &str, amount: &str| {
        json!({
            "TransactionType": "Pay Bill", "TransID": receipt, "TransTime": "20231121121325",
            "TransAmount": amount, "BusinessShortCode": "174379", "BillRefNumber": "acc 1",
            "OrgAccountBalance": "", "MSISDN": "2547 ***** 126", "FirstName": "A",
        })
    };
    let (_, may) = send(
        &host,
        &path("ValidationURL"),
        &paid("RKL51ZDR4F", "5.00"),
        "192.0.2.1",
    );
    assert_eq!(may["ResultCode"], "0");
    let mut another = paid("RKL51ZDR4F", "5.00");
    another["BusinessShortCode"] = json!("600000");
    let (_, may) = send(&host, &path("ValidationURL"), &another, "192.0.2.1");
    assert_eq!(may["ResultCode"], "C2B00015");
    let confirm = path("ConfirmationURL");
    let mut worded = paid("RKL51ZDR4F", "5.00");
    worded["More"] = json!("x");
    for body in [
        &paid("RKL51ZDR4F", "5.00"),
        &paid("RKL51ZDR4F", "5.00"),
        &worded,
    ] {
        let (status, heard) = send(&host, &confirm, body, "192.0.2.1");
        assert_eq!((status, &heard["ResultCode"]), (200, &json!(0)));
    }
    assert_eq!(told(&host), ["mpesa.received"]);
    // From elsewhere it is nobody's money yet, until it is told from there.
    let odd = paid("OTHER00001", "7.50");
    assert_eq!(send(&host, &confirm, &odd, "203.0.113.9").0, 200);
    assert_eq!(told(&host), ["mpesa.received", "mpesa.needs_review"]);
    assert_eq!(send(&host, &confirm, &odd, "192.0.2.1").0, 200);
    assert_eq!(told(&host).last().unwrap(), "mpesa.received");
    // What cannot be read is kept, too.
    assert_eq!(
        send(&host, &confirm, &json!({"TransID": 1}), "192.0.2.1").0,
        200
    );
    let ledger: Vec<(String, i64)> = sql::query(
        "SELECT receipt, cents FROM mpesa.ledger ORDER BY at, receipt DESC",
        params![],
    )
    .unwrap();
    assert_eq!(
        ledger.into_iter().map(|(_, cents)| cents).sum::<i64>(),
        500 + 750
    );
    let kept: i64 = sql::query_one(
        "SELECT count(*) FROM mpesa.callbacks WHERE outcome = 'unreadable'",
        params![],
    )
    .unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn a_payment_that_is_told_as_both_is_one() {
    let (host, other) = host();
    server(&host);
    other.answers(200, json!({"ResponseCode": "0"}));
    assert_eq!(
        send(&host, "/mpesa/c2b/register", &json!({}), "203.0.113.1").0,
        201
    );
    let url = other.seen.borrow()[0].1["ConfirmationURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let confirm = url[url.find("/lipa/").unwrap()..].to_owned();
    let menu = |receipt: &str| {
        json!({
            "TransID": receipt, "TransAmount": "10.00", "BusinessShortCode": "174379",
            "BillRefNumber": "A1",
        })
    };
    for (number, first) in [(1, true), (2, false)] {
        let checkout = format!("ws_{number}");
        let receipt = format!("BOTH00000{number}");
        other.answers(200, accepted(&checkout));
        let (_, begun) = push(&host);
        let callback = callback_path(&other, number);
        let pushed = success(&checkout, json!(10), &receipt);
        let mut letters = [(callback, pushed), (confirm.clone(), menu(&receipt))];
        if first {
            letters.reverse();
        }
        for (path, body) in &letters {
            assert_eq!(send(&host, path, body, "192.0.2.1").0, 200);
        }
        assert_eq!(row(&host, &begun["transaction_id"])["status"], "succeeded");
        let ledger: Vec<(String, i64)> = sql::query(
            "SELECT kind, cents FROM mpesa.ledger WHERE receipt = $1",
            params![receipt],
        )
        .unwrap();
        assert_eq!(ledger, [("push".to_owned(), 1_000)]);
    }
}

#[test]
fn a_push_that_is_found_paid_by_asking_and_told_from_the_menu_is_one_payment() {
    let (host, other) = host();
    server(&host);
    other.answers(200, json!({"ResponseCode": "0"}));
    assert_eq!(
        send(&host, "/mpesa/c2b/register", &json!({}), "203.0.113.1").0,
        201
    );
    let url = other.seen.borrow()[0].1["ConfirmationURL"]
        .as_str()
        .unwrap()
        .to_owned();
    let confirm = url[url.find("/lipa/").unwrap()..].to_owned();
    let menu = |receipt: &str, reference: &str, time: &str| {
        json!({
            "TransID": receipt, "TransAmount": "10.00", "BusinessShortCode": "174379",
            "BillRefNumber": reference, "MSISDN": "2547 ***** 678", "TransTime": time,
        })
    };
    for (receipt, before) in [("ASKED00001", true), ("ASKED00002", false)] {
        other.answers(200, accepted(&format!("ws_{receipt}")));
        let (_, begun) = push(&host);
        let time = eat_compact(moment::now_ms());
        let tell = |from: &str| {
            let (status, _) = send(&host, &confirm, &menu(receipt, "a1", &time), from);
            assert_eq!(status, 200);
        };
        if before {
            // A person believes what a stranger told.
            tell("203.0.113.9");
            let id: String = sql::query_one(
                "SELECT id FROM mpesa.transactions WHERE receipt = $1",
                params![receipt],
            )
            .unwrap();
            let path = format!("/mpesa/transactions/{id}/review");
            let finding = json!({"status": "succeeded", "receipt_number": receipt});
            assert_eq!(send(&host, &path, &finding, "203.0.113.1").0, 200);
        }
        other.answers(200, json!({"ResultCode": 0, "ResultDesc": "paid"}));
        host.advance(Duration::from_secs(3_600));
        for event in host.events().iter().filter(|one| one.name == "mpesa.due") {
            host.deliver(&subscriptions(), event.clone()).unwrap();
        }
        if !before {
            tell("192.0.2.1");
        }
        let shown = row(&host, &begun["transaction_id"]);
        assert_eq!(shown["status"], "succeeded", "{shown}");
        assert_eq!(shown["receipt_number"], receipt, "{shown}");
        let ledger: Vec<(String, String)> = sql::query(
            "SELECT kind, receipt FROM mpesa.ledger WHERE transaction_id = $1",
            params![begun["transaction_id"].as_str().unwrap()],
        )
        .unwrap();
        assert_eq!(ledger, [("push".to_owned(), receipt.to_owned())]);
    }
    let lines: i64 = sql::query_one("SELECT count(*) FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(lines, 2);
    // Another payment of the same amount is another one.
    let now = eat_compact(moment::now_ms());
    for (receipt, reference) in [("ASKED00003", "B7"), ("ASKED00004", "A1")] {
        let body = menu(receipt, reference, &now);
        assert_eq!(send(&host, &confirm, &body, "192.0.2.1").0, 200);
    }
    let lines: i64 = sql::query_one("SELECT count(*) FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(lines, 4);
}

#[test]
fn a_payout_is_sent_once_and_asked_about_by_its_own_id() {
    let (host, other) = host();
    let host = host
        .with_config("initiator_name", "payer")
        .with_secret("security_credential", "cr3d");
    let pay = |key: Option<&str>| {
        let body = json!({"phone": "0712345678", "amount": 50}).to_string();
        let mut request =
            Request::post("/mpesa/b2c", body).with_header("content-type", "application/json");
        if let Some(key) = key {
            request = request.with_header("idempotency-key", key);
        }
        let response = host.call(&routes(), request);
        (
            response.status().as_u16(),
            response.into_json::<Value>().unwrap(),
        )
    };
    assert_eq!(pay(Some("k")).1["code"], "permission_needed");
    server(&host);
    assert_eq!(pay(None).1["code"], "idempotency_key_needed");
    other.answers(
        500,
        json!({"errorCode": "500.003.1001", "errorMessage": "Internal Server Error"}),
    );
    let (status, begun) = pay(Some("k"));
    assert_eq!(status, 202, "{begun}");
    let id = begun["transaction_id"].clone();
    assert_eq!(pay(Some("k")).1["transaction_id"], id);
    assert_eq!(other.called("/paymentrequest"), 1);
    let sent = other.seen.borrow()[0].1.clone();
    assert_eq!(sent["OriginatorConversationID"], id);
    assert_eq!(
        (&sent["SecurityCredential"], &sent["InitiatorName"]),
        (&json!("cr3d"), &json!("payer"))
    );
    other.answers(
        200,
        json!({"ConversationID": "AG_1", "OriginatorConversationID": "o", "ResponseCode": "0"}),
    );
    host.advance(Duration::from_secs(3_600));
    due(&host);
    let asked = other.seen.borrow()[1].1.clone();
    assert_eq!(asked["OriginalConversationID"], id);
    let url = asked["ResultURL"].as_str().unwrap().to_owned();
    let path = url[url.find("/lipa/").unwrap()..].to_owned();
    let result = json!({"Result": {
        "ResultType": "0", "ResultCode": "0", "ResultDesc": "ok", "ConversationID": "AG_1",
        "TransactionID": "STATUS0001",
        "ResultParameters": {"ResultParameter": [
            {"Key": "ReceiptNo", "Value": "SG632NMUAB"}, {"Key": "TransactionStatus", "Value": "Completed"},
            {"Key": "Amount", "Value": "50.0"}, {"Key": "DebitPartyCharges"},
        ]},
    }});
    assert_eq!(send(&host, &path, &result, "192.0.2.1").0, 200);
    let row = row(&host, &id);
    assert_eq!(
        (&row["status"], &row["receipt_number"]),
        (&json!("succeeded"), &json!("SG632NMUAB"))
    );
    let ledger: Vec<i64> = sql::query("SELECT cents FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(ledger, [-5_000]);
    assert_eq!(told(&host), ["mpesa.paid_out"]);
}

#[test]
fn a_payment_belongs_to_the_day_on_which_it_was_made() {
    let (host, other) = host();
    let long = Duration::from_secs(86_400);
    for (number, receipt, wrong) in [(0, "DAY0000001", false), (1, "DAY0000002", true)] {
        let checkout = format!("ws_{number}");
        other.answers(200, accepted(&checkout));
        assert_eq!(push(&host).0, 201);
        let paid = moment::now_ms() + 1_000;
        host.advance(long);
        let now = moment::now_ms();
        let mut body = success(&checkout, json!(10), receipt);
        // A clock that goes wrong moves nothing into another day.
        let said = if wrong { paid - 2 * 86_400_000 } else { paid };
        let date: i64 = crate::eat::compact(said).parse().unwrap();
        let items = &mut body["Body"]["stkCallback"]["CallbackMetadata"]["Item"];
        let items = items.as_array_mut().unwrap();
        items.push(json!({"Name": "TransactionDate", "Value": date}));
        let path = callback_path(&other, number);
        assert_eq!(send(&host, &path, &body, "192.0.2.1").0, 200);
        let day: String = sql::query_one(
            "SELECT day FROM mpesa.ledger WHERE receipt = $1",
            params![receipt],
        )
        .unwrap();
        let wanted = crate::eat::day(if wrong { now } else { paid });
        assert_eq!(day, wanted, "{receipt}");
    }
}

#[test]
fn a_day_says_what_does_not_fit() {
    let (host, other) = host();
    for (number, receipt) in [(0, "R0"), (1, "R1")] {
        let checkout = format!("ws_{number}");
        other.answers(200, accepted(&checkout));
        let (status, _) = push(&host);
        assert_eq!(status, 201);
        let body = success(&checkout, json!(10), receipt);
        assert_eq!(
            send(&host, &callback_path(&other, number), &body, "192.0.2.1").0,
            200
        );
    }
    server(&host);
    let get = |path: &str| host.call(&routes(), Request::get(path));
    let report: Value = get("/mpesa/reconciliation").into_json().unwrap();
    assert_eq!(report["money_in"], json!({"count": 2, "amount": "20.00"}));
    assert_eq!(report["balanced"], true, "{report}");
    let body = json!({"statement": [
        {"receipt_number": "R0", "amount": "10.00"}, {"receipt_number": "R9", "amount": 5},
    ]});
    let (_, compared) = send(&host, "/mpesa/reconciliation", &body, "203.0.113.1");
    assert_eq!(
        compared["differences"].as_array().unwrap().len(),
        2,
        "{compared}"
    );
    other.answers(200, accepted("ws_2"));
    assert_eq!(push(&host).0, 201);
    let wrong = success("ws_2", json!(11), "R2");
    assert_eq!(
        send(&host, &callback_path(&other, 2), &wrong, "192.0.2.1").0,
        200
    );
    let report: Value = get("/mpesa/reconciliation").into_json().unwrap();
    assert_eq!(report["differences"][0]["problem"], "needs_review");
    assert_eq!(report["differences"][0]["detail"], "amount_differs");
    let csv = get("/mpesa/export").into_text().unwrap();
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert_eq!(get("/mpesa/reconciliation?day=2026-02-30").status(), 422);
    let none: Value = get("/mpesa/reconciliation?day=2020-01-01")
        .into_json()
        .unwrap();
    assert_eq!(none["money_in"]["count"], 0);
}

#[test]
fn a_person_settles_what_needs_a_review() {
    let (host, other) = host();
    other.answers(200, accepted("ws_0"));
    let (_, begun) = push(&host);
    let wrong = success("ws_0", json!(3), "R0");
    assert_eq!(
        send(&host, &callback_path(&other, 0), &wrong, "192.0.2.1").0,
        200
    );
    let id = begun["transaction_id"].as_str().unwrap();
    let path = format!("/mpesa/transactions/{id}/review");
    let finding = json!({"status": "succeeded", "receipt_number": "R0", "note": "less was paid"});
    assert_eq!(
        send(&host, &path, &finding, "203.0.113.1").1["code"],
        "permission_needed"
    );
    server(&host);
    let (status, row) = send(&host, &path, &finding, "203.0.113.1");
    assert_eq!(
        (status, &row["status"]),
        (200, &json!("succeeded")),
        "{row}"
    );
    let ledger: Vec<i64> = sql::query("SELECT cents FROM mpesa.ledger", params![]).unwrap();
    assert_eq!(ledger, [300]);
    assert_eq!(host.audit().len(), 1);
    assert_eq!(
        send(&host, &path, &finding, "203.0.113.1").1["code"],
        "not_under_review"
    );
    let missing = "/mpesa/transactions/none/review";
    assert_eq!(send(&host, missing, &finding, "203.0.113.1").0, 404);
}

#[test]
fn a_shortcode_may_have_an_environment_of_its_own() {
    let (host, _) = host();
    let host = host
        .with_config(
            "accounts",
            json!({
                "live": {"consumer_key": "k", "shortcode": "600123", "environment": "production"},
                "own": {"consumer_key": "k", "shortcode": "600124", "environment": "custom"},
                "same": {"consumer_key": "k", "shortcode": "600125"},
            }),
        )
        .with_config("base_url", "http://192.0.2.7:9899/");
    server(&host);
    for (account, environment, address) in [
        ("default", "sandbox", "https://sandbox.safaricom.co.ke"),
        ("live", "production", "https://api.safaricom.co.ke"),
        ("own", "custom", "http://192.0.2.7:9899"),
        ("same", "sandbox", "https://sandbox.safaricom.co.ke"),
    ] {
        let body = json!({"account": account});
        let (status, found) = send(&host, "/mpesa/check", &body, "203.0.113.1");
        assert_eq!(status, 200, "{found}");
        assert_eq!(found["environment"], environment, "{found}");
        assert_eq!(found["address"], address, "{found}");
    }
}

#[test]
fn phone_numbers_are_read_in_every_customary_form_and_no_other() {
    for (text, wanted) in [
        ("0712345678", "254712345678"),
        ("0112345678", "254112345678"),
        ("712345678", "254712345678"),
        ("112 345 678", "254112345678"),
        ("254712345678", "254712345678"),
        ("+254712345678", "254712345678"),
        ("+254 (0)712-345.678", "254712345678"),
        ("00254712345678", "254712345678"),
        ("2540712345678", "254712345678"),
        ("07\u{a0}12\u{a0}345\u{a0}678", "254712345678"),
    ] {
        assert_eq!(normalised_phone(text).as_deref(), Some(wanted), "{text}");
    }
    for text in [
        "",
        "+",
        "0202345678",
        "254202345678",
        "+14155550100",
        "+255712345678",
        "255712345678",
        "07123456789",
        "071234567",
        "0812345678",
        "٠٧١٢٣٤٥٦٧٨",
        "0712345678x",
        "+0712345678",
        "07123+45678",
        "1234567890123",
        "++254712345678",
        "254254712345678",
    ] {
        assert_eq!(normalised_phone(text), None, "{text}");
    }
}

#[test]
fn amounts_are_exact() {
    for (value, wanted) in [
        (json!(1), Some(100)),
        (json!(1.0), Some(100)),
        (json!("1.00"), Some(100)),
        (json!("250000"), Some(25_000_000)),
        (json!(0.1), Some(10)),
        (json!(1.29), Some(129)),
        (json!("1.290"), Some(129)),
        (json!("1.291"), None),
        (json!("1."), None),
        (json!(""), None),
        (json!("1e3"), None),
        (json!(1e300), None),
        (json!("0x10"), None),
        (json!(null), None),
        (json!("-1980.00"), Some(-198_000)),
    ] {
        assert_eq!(cents(&value), wanted, "{value}");
    }
    assert_eq!(shillings(&json!("10")), Some(10));
    for value in [json!(0), json!(1.5), json!(-1), json!("0.5")] {
        assert_eq!(shillings(&value), None, "{value}");
    }
}

#[test]
fn times_are_those_of_nairobi() {
    // 2024-02-29T21:00:00Z is the first of March there.
    assert_eq!(eat_compact(1_709_240_400_000), "20240301000000");
    assert_eq!(eat_day(1_709_240_399_999), "2024-02-29");
    assert_eq!(eat_day(1_709_240_400_000), "2024-03-01");
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
