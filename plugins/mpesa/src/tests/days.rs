//! Payments stand on the day on which they were made, whoever tells of it and
//! whenever.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn dated(checkout: &str, receipt: &str, at: i64) -> Value {
    let mut body = success(checkout, json!(10), receipt);
    let date: i64 = eat_compact(at).parse().unwrap();
    let items = &mut body["Body"]["stkCallback"]["CallbackMetadata"]["Item"];
    let items = items.as_array_mut().unwrap();
    items.push(json!({"Name": "TransactionDate", "Value": date}));
    body
}

fn day_of(id: &Value) -> String {
    sql::query_one(
        "SELECT day FROM mpesa.ledger WHERE transaction_id = $1",
        params![id.as_str().unwrap()],
    )
    .unwrap()
}

/// A push that is paid at once, and asked about on the next day; when it was
/// paid.
fn asked_about_later(host: &TestHost, other: &Other, before: impl Fn(i64)) -> (Value, i64) {
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(host);
    let paid = moment::now_ms() + 1_000;
    host.advance(DAY);
    other.answers(
        500,
        json!({"errorCode": "500.001.1001", "errorMessage": ""}),
    );
    before(paid);
    other
        .answers
        .borrow_mut()
        .retain(|(_, body)| body["errorCode"].is_null());
    other.answers(200, json!({"ResultCode": 0, "ResultDesc": "paid"}));
    let id = begun["transaction_id"].clone();
    let path = format!("/mpesa/transactions/{}/query", id.as_str().unwrap());
    assert_eq!(send(host, &path, &json!({}), "203.0.113.1").0, 200);
    assert_eq!(row(host, &id)["status"], "succeeded");
    (id, paid)
}

#[test]
fn a_question_believes_the_time_that_a_stranger_told() {
    let (host, other) = host();
    let tell = |paid| {
        let body = dated("ws_1", "STRANGE001", paid);
        let path = callback_path(&other, 0);
        assert_eq!(send(&host, &path, &body, "203.0.113.9").0, 200);
    };
    let (id, paid) = asked_about_later(&host, &other, tell);
    assert_eq!(row(&host, &id)["receipt_number"], "STRANGE001");
    assert_eq!(day_of(&id), eat_day(paid));
}

#[test]
fn a_receipt_that_comes_later_brings_the_day() {
    let (host, other) = host();
    let (id, paid) = asked_about_later(&host, &other, |_| ());
    assert_eq!(day_of(&id), eat_day(moment::now_ms()));
    let path = callback_path(&other, 0);
    let body = dated("ws_1", "LATE000001", paid);
    assert_eq!(send(&host, &path, &body, "192.0.2.1").0, 200);
    assert_eq!(row(&host, &id)["receipt_number"], "LATE000001");
    assert_eq!(day_of(&id), eat_day(paid));
    server(&host);
    let day = eat_day(paid);
    let statement = json!([{"receipt_number": "LATE000001", "amount": 10}]);
    let body = json!({"day": day, "statement": statement});
    let (_, report) = send(&host, "/mpesa/reconciliation", &body, "203.0.113.1");
    assert_eq!(report["balanced"], true, "{report}");
    let csv = host.call(
        &routes(),
        Request::get(format!("/mpesa/export?from={day}&to={day}")),
    );
    let csv = csv.into_text().unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains(&format!(",{day},")), "{csv}");
}

#[test]
fn the_same_receipt_again_with_its_time_brings_the_day() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let paid = moment::now_ms() + 1_000;
    host.advance(DAY);
    let path = callback_path(&other, 0);
    let undated = success("ws_1", json!(10), "TWICE00001");
    for body in [&undated, &dated("ws_1", "TWICE00001", paid), &undated] {
        assert_eq!(send(&host, &path, body, "192.0.2.1").0, 200);
    }
    assert_eq!(day_of(&begun["transaction_id"]), eat_day(paid));
    assert_eq!(told(&host), ["mpesa.succeeded", "mpesa.notice"]);
}

/// A payout that is sent, and its answer lost.
fn paid_out(host: &TestHost, other: &Other) -> Value {
    other.answers(
        200,
        json!({"ConversationID": "AG_1", "OriginatorConversationID": "o", "ResponseCode": "0"}),
    );
    let body = json!({"phone": "0712345678", "amount": 50}).to_string();
    let request = Request::post("/mpesa/b2c", body)
        .with_header("content-type", "application/json")
        .with_header("idempotency-key", "k");
    let begun: Value = host.call(&routes(), request).into_json().unwrap();
    begun["transaction_id"].clone()
}

fn result_path(other: &Other, at: usize) -> String {
    let seen = other.seen.borrow();
    let url = seen[at].1["ResultURL"].as_str().unwrap().to_owned();
    url[url.find("/lipa/").unwrap()..].to_owned()
}

fn result(conversation: &str, receipt: &str, parameters: Value) -> Value {
    json!({"Result": {
        "ResultType": 0, "ResultCode": 0, "ResultDesc": "ok", "ConversationID": conversation,
        "TransactionID": receipt, "ResultParameters": {"ResultParameter": parameters},
    }})
}

/// An account that pays out, and the id of what it has paid out.
fn with_a_payout() -> (TestHost, Other, Value) {
    let (host, other) = host();
    let host = host
        .with_config("initiator_name", "payer")
        .with_secret("security_credential", "cr3d");
    server(&host);
    let id = paid_out(&host, &other);
    (host, other, id)
}

#[test]
fn results_name_the_time() {
    let (host, other, id) = with_a_payout();
    let done = moment::now_ms() + 1_000;
    let compact = eat_compact(done);
    let part = |range: std::ops::Range<usize>| compact[range].to_owned();
    let dotted = format!(
        "{}.{}.{} {}:{}:{}",
        part(6..8),
        part(4..6),
        part(0..4),
        part(8..10),
        part(10..12),
        part(12..14)
    );
    host.advance(DAY);
    let told = result(
        "AG_1",
        "PAYOUT0001",
        json!([
            {"Key": "TransactionAmount", "Value": 50},
            {"Key": "TransactionCompletedDateTime", "Value": dotted},
        ]),
    );
    assert_eq!(
        send(&host, &result_path(&other, 0), &told, "192.0.2.1").0,
        200
    );
    assert_eq!(row(&host, &id)["status"], "succeeded");
    assert_eq!(day_of(&id), eat_day(done));
}

#[test]
fn an_answer_about_a_payout_names_the_time() {
    let (host, other, id) = with_a_payout();
    let done = moment::now_ms() + 1_000;
    host.advance(DAY);
    other.answers(
        200,
        json!({"ConversationID": "AG_2", "OriginatorConversationID": "o", "ResponseCode": "0"}),
    );
    due(&host);
    let date: i64 = eat_compact(done).parse().unwrap();
    let told = result(
        "AG_2",
        "STATUS0001",
        json!([
            {"Key": "ReceiptNo", "Value": "PAYOUT0002"}, {"Key": "Amount", "Value": "50.00"},
            {"Key": "TransactionStatus", "Value": "Completed"},
            {"Key": "FinalisedTime", "Value": date},
        ]),
    );
    assert_eq!(
        send(&host, &result_path(&other, 1), &told, "192.0.2.1").0,
        200
    );
    assert_eq!(row(&host, &id)["receipt_number"], "PAYOUT0002");
    assert_eq!(day_of(&id), eat_day(done));
}

#[test]
fn a_person_says_when_it_was_paid_or_leaves_it_as_it_was_told() {
    for named in [true, false] {
        let (host, other) = host();
        other.answers(200, accepted("ws_1"));
        let (_, begun) = push(&host);
        let id = &begun["transaction_id"];
        let paid = moment::now_ms() + 1_000;
        host.advance(DAY);
        let mut less = dated("ws_1", "LESS000001", paid);
        less["Body"]["stkCallback"]["CallbackMetadata"]["Item"][0]["Value"] = json!(3);
        if named {
            less = success("ws_1", json!(3), "LESS000001");
        }
        let path = callback_path(&other, 0);
        assert_eq!(send(&host, &path, &less, "192.0.2.1").0, 200);
        assert_eq!(row(&host, id)["status"], "needs_review");
        server(&host);
        let path = format!("/mpesa/transactions/{}/review", id.as_str().unwrap());
        let mut finding = json!({"status": "succeeded", "receipt_number": "LESS000001"});
        if named {
            for wrong in ["yesterday", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
                finding["paid_at"] = json!(wrong);
                let (status, problem) = send(&host, &path, &finding, "203.0.113.1");
                assert_eq!((status, &problem["code"]), (422, &json!("invalid_time")));
            }
            finding["paid_at"] = json!(moment::rfc3339(paid));
        }
        let (status, answer) = send(&host, &path, &finding, "203.0.113.1");
        assert_eq!(status, 200, "{answer}");
        assert_eq!(day_of(id), eat_day(paid), "{named}");
    }
}
