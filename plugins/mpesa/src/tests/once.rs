//! Money counts once, and all of it does, whichever way it is told.

use super::*;

/// Where payments from the menu are told.
fn registered(host: &TestHost, other: &Other) -> String {
    server(host);
    other.answers(200, json!({"ResponseCode": "0"}));
    let (status, _) = send(host, "/mpesa/c2b/register", &json!({}), "203.0.113.1");
    assert_eq!(status, 201);
    let seen = other.seen.borrow();
    let url = seen.last().unwrap().1["ConfirmationURL"].as_str().unwrap();
    url[url.find("/lipa/").unwrap()..].to_owned()
}

fn menu(receipt: &str, reference: &str, phone: &str) -> Value {
    json!({
        "TransID": receipt, "TransAmount": "10.00", "BusinessShortCode": "174379",
        "BillRefNumber": reference, "MSISDN": phone, "TransTime": eat_compact(moment::now_ms()),
    })
}

const MASKED: &str = "2547 ***** 678";

/// Lines of the ledger: kind, receipt, cents.
fn ledger() -> Vec<(String, Option<String>, i64)> {
    sql::query(
        "SELECT kind, receipt, cents FROM mpesa.ledger ORDER BY receipt",
        params![],
    )
    .unwrap()
}

fn line(kind: &str, receipt: &str) -> (String, Option<String>, i64) {
    (kind.to_owned(), Some(receipt.to_owned()), 1_000)
}

/// A push that is paid, which a question tells.
fn found_paid(host: &TestHost, other: &Other) -> Value {
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(host);
    other.answers(200, json!({"ResultCode": 0, "ResultDesc": "paid"}));
    let id = begun["transaction_id"].clone();
    let path = format!("/mpesa/transactions/{}/query", id.as_str().unwrap());
    assert_eq!(send(host, &path, &json!({}), "203.0.113.1").0, 200);
    assert_eq!(row(host, &id)["status"], "succeeded");
    id
}

/// All timers that were ever set, some time later.
fn all_due(host: &TestHost) {
    host.advance(Duration::from_secs(20));
    for event in host.events().iter().filter(|one| one.name == "mpesa.due") {
        host.deliver(&subscriptions(), event.clone()).unwrap();
    }
}

#[test]
fn a_second_payment_hours_later_is_another_one() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    let id = found_paid(&host, &other);
    host.advance(Duration::from_secs(2 * 3_600));
    let again = menu("SECOND0001", "A1", MASKED);
    assert_eq!(send(&host, &confirm, &again, "192.0.2.1").0, 200);
    assert_eq!(row(&host, &id)["receipt_number"], Value::Null);
    assert_eq!(
        ledger(),
        [("push".to_owned(), None, 1_000), line("c2b", "SECOND0001")]
    );
    assert_eq!(told(&host), ["mpesa.succeeded", "mpesa.received"]);
}

#[test]
fn payments_that_are_pulled_are_told_apart_by_their_time() {
    let (host, other) = host();
    server(&host);
    other.answers(200, json!({"ResponseStatus": "1000"}));
    let body = json!({"nominated_number": "0722000000"});
    assert_eq!(
        send(&host, "/mpesa/pull/register", &body, "203.0.113.1").0,
        201
    );
    let id = found_paid(&host, &other);
    let paid = moment::now_ms();
    host.advance(Duration::from_secs(5 * 3_600));
    let line_of = |receipt: &str, at: String| {
        json!({"transactionId": receipt, "trxDate": at, "msisdn": "712345678",
               "billreference": "A1", "amount": "10"})
    };
    let later = crate::eat::written(paid + 2 * 3_600_000);
    // East Africa Time, with a `Z` behind.
    let odd = moment::rfc3339(paid + 3 * 3_600_000);
    let lines = json!([[line_of("PULLED0002", later), line_of("PULLED0001", odd)]]);
    other.answers(200, json!({"ResponseCode": "1000", "Response": lines}));
    other.answers(200, json!({"ResponseCode": "1001"}));
    let (status, pulled) = send(&host, "/mpesa/pull", &json!({}), "203.0.113.1");
    assert_eq!((status, &pulled["seen"]), (200, &json!(2)), "{pulled}");
    assert_eq!(row(&host, &id)["receipt_number"], "PULLED0001");
    assert_eq!(
        ledger(),
        [line("push", "PULLED0001"), line("c2b", "PULLED0002")]
    );
}

#[test]
fn the_own_receipt_of_a_push_parts_it_from_the_payment_that_it_was_taken_for() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    let id = found_paid(&host, &other);
    let again = menu("MENU000001", "A1", MASKED);
    assert_eq!(send(&host, &confirm, &again, "192.0.2.1").0, 200);
    assert_eq!(row(&host, &id)["receipt_number"], "MENU000001");
    let own = success("ws_1", json!(10), "OWN0000001");
    let path = callback_path(&other, 1);
    for _ in 0..2 {
        assert_eq!(send(&host, &path, &own, "192.0.2.1").0, 200);
    }
    assert_eq!(row(&host, &id)["receipt_number"], "OWN0000001");
    let lines = [line("c2b", "MENU000001"), line("push", "OWN0000001")];
    assert_eq!(ledger(), lines);
    all_due(&host);
    assert_eq!(told(&host), ["mpesa.succeeded", "mpesa.received"]);
    // Both are whose they are: a copy of the other changes nothing.
    assert_eq!(send(&host, &confirm, &again, "192.0.2.1").0, 200);
    assert_eq!(ledger(), lines);
    let report = host.call(&routes(), Request::get("/mpesa/reconciliation"));
    let report: Value = report.into_json().unwrap();
    assert_eq!(report["money_in"], json!({"count": 2, "amount": "20.00"}));
    assert_eq!(report["balanced"], true, "{report}");
}

#[test]
fn a_push_whose_confirmation_did_not_seem_to_be_its_own_is_booked_once() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    let id = found_paid(&host, &other);
    let elsewhere = menu("ODD0000001", "other", MASKED);
    assert_eq!(send(&host, &confirm, &elsewhere, "192.0.2.1").0, 200);
    assert_eq!(ledger().len(), 2);
    let own = success("ws_1", json!(10), "ODD0000001");
    assert_eq!(
        send(&host, &callback_path(&other, 1), &own, "192.0.2.1").0,
        200
    );
    assert_eq!(row(&host, &id)["receipt_number"], "ODD0000001");
    assert_eq!(ledger(), [line("push", "ODD0000001")]);
}

#[test]
fn a_payment_that_is_told_as_both_is_told_to_others_once() {
    for (reference, phone) in [
        ("a-1", MASKED),
        // Tills have none.
        ("", "0712***678"),
        // It may be it, and what comes of the push is awaited a little.
        ("other", MASKED),
    ] {
        let (host, other) = host();
        let confirm = registered(&host, &other);
        other.answers(200, accepted("ws_1"));
        let (_, begun) = push(&host);
        let id = &begun["transaction_id"];
        let first = menu("BOTH000001", reference, phone);
        assert_eq!(send(&host, &confirm, &first, "192.0.2.1").0, 200);
        assert!(!told(&host).contains(&"mpesa.received".to_owned()));
        let own = success("ws_1", json!(10), "BOTH000001");
        assert_eq!(
            send(&host, &callback_path(&other, 1), &own, "192.0.2.1").0,
            200
        );
        assert_eq!(send(&host, &confirm, &first, "192.0.2.1").0, 200);
        all_due(&host);
        assert_eq!(told(&host), ["mpesa.succeeded"], "{reference}");
        assert_eq!(row(&host, id)["receipt_number"], "BOTH000001");
        assert_eq!(ledger(), [line("push", "BOTH000001")]);
        let get = |path: &str| host.call(&routes(), Request::get(path));
        let report: Value = get("/mpesa/reconciliation").into_json().unwrap();
        let push = json!([{"kind": "push", "status": "succeeded", "count": 1, "amount": "10.00"}]);
        assert_eq!(report["transactions"], push, "{reference}");
        assert_eq!(report["balanced"], true, "{report}");
        let csv = get("/mpesa/export").into_text().unwrap();
        assert_eq!(csv.lines().count(), 2, "{csv}");
    }
}

#[test]
fn one_that_waits_for_a_push_is_told_when_it_is_not_that() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    other.answers(200, accepted("ws_1"));
    assert_eq!(push(&host).0, 201);
    let another = menu("WAITS00001", "other", MASKED);
    assert_eq!(send(&host, &confirm, &another, "192.0.2.1").0, 200);
    assert_eq!(told(&host), [""; 0]);
    let refused = json!({"Body": {"stkCallback": {
        "CheckoutRequestID": "ws_1", "ResultCode": 1032, "ResultDesc": "no",
    }}});
    assert_eq!(
        send(&host, &callback_path(&other, 1), &refused, "192.0.2.1").0,
        200
    );
    all_due(&host);
    assert_eq!(told(&host), ["mpesa.cancelled", "mpesa.received"]);
    // Another phone's payment waits for nothing.
    other.answers(200, accepted("ws_2"));
    assert_eq!(push(&host).0, 201);
    let stranger = menu("WAITS00002", "other", "2547 ***** 999");
    assert_eq!(send(&host, &confirm, &stranger, "192.0.2.1").0, 200);
    assert_eq!(told(&host).last().unwrap(), "mpesa.received");
    assert_eq!(told(&host).len(), 3);
}

#[test]
fn a_push_that_was_told_as_a_payment_from_the_menu_says_so() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    other.answers(200, accepted("ws_1"));
    assert_eq!(push(&host).0, 201);
    let first = menu("LATER00001", "other", MASKED);
    assert_eq!(send(&host, &confirm, &first, "192.0.2.1").0, 200);
    // Its callback takes its time.
    host.advance(Duration::from_secs(20));
    due(&host);
    assert_eq!(told(&host), ["mpesa.received"]);
    let own = success("ws_1", json!(10), "LATER00001");
    assert_eq!(
        send(&host, &callback_path(&other, 1), &own, "192.0.2.1").0,
        200
    );
    assert_eq!(told(&host), ["mpesa.received", "mpesa.succeeded"]);
    let payload = |name: &str| -> Value {
        let events = host.events();
        let event = events.iter().find(|event| event.name == name).unwrap();
        serde_json::from_str(&event.payload).unwrap()
    };
    assert_eq!(
        payload("mpesa.succeeded")["replaces"],
        payload("mpesa.received")["transaction_id"]
    );
    assert_eq!(payload("mpesa.received").get("replaces"), None);
}

#[test]
fn a_payment_that_a_stranger_told_before_is_no_payment_of_its_own() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    other.answers(200, accepted("ws_1"));
    assert_eq!(push(&host).0, 201);
    let first = menu("STRANGE001", "A1", MASKED);
    assert_eq!(send(&host, &confirm, &first, "203.0.113.9").0, 200);
    let own = success("ws_1", json!(10), "STRANGE001");
    assert_eq!(
        send(&host, &callback_path(&other, 1), &own, "192.0.2.1").0,
        200
    );
    all_due(&host);
    assert_eq!(told(&host), ["mpesa.succeeded"]);
    let open = host.call(
        &routes(),
        Request::get("/mpesa/transactions?status=needs_review"),
    );
    let open: Value = open.into_json().unwrap();
    assert_eq!(open["items"], json!([]));
}

#[test]
fn one_that_a_stranger_told_and_a_push_was_taken_for_is_its_own_again() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let first = menu("AGAIN00001", "A1", MASKED);
    for from in ["203.0.113.9", "192.0.2.1"] {
        assert_eq!(send(&host, &confirm, &first, from).0, 200);
    }
    let id = &begun["transaction_id"];
    assert_eq!(row(&host, id)["receipt_number"], "AGAIN00001");
    let own = success("ws_1", json!(10), "OWN0000001");
    let path = callback_path(&other, 1);
    assert_eq!(send(&host, &path, &own, "192.0.2.1").0, 200);
    all_due(&host);
    assert_eq!(told(&host), ["mpesa.succeeded", "mpesa.received"]);
    assert_eq!(
        ledger(),
        [line("c2b", "AGAIN00001"), line("push", "OWN0000001")]
    );
    let csv = host.call(&routes(), Request::get("/mpesa/export"));
    assert_eq!(csv.into_text().unwrap().lines().count(), 3);
}

#[test]
fn what_cannot_be_read_is_kept_and_shown_for_its_shortcode() {
    let (host, other) = host();
    let confirm = registered(&host, &other);
    for number in 0..150 {
        let body = json!({"TransID": number});
        assert_eq!(send(&host, &confirm, &body, "192.0.2.1").0, 200, "{number}");
    }
    for number in 0..101 {
        let body = json!({"TransID": number});
        let wanted = if number < 100 { 200 } else { 429 };
        assert_eq!(
            send(&host, &confirm, &body, "203.0.113.9").0,
            wanted,
            "{number}"
        );
    }
    let report = |account: &str| -> Value {
        let path = format!("/mpesa/reconciliation?account={account}");
        host.call(&routes(), Request::get(path))
            .into_json()
            .unwrap()
    };
    let own = report("default");
    assert_eq!(own["balanced"], false);
    assert_eq!(own["differences"].as_array().unwrap().len(), 250);
    assert_eq!(own["differences"][0]["detail"], "unreadable");
    assert_eq!(report("another")["balanced"], true);
}

#[test]
fn changes_that_nobody_was_told_of_are_looked_for() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let path = callback_path(&other, 0);
    let late = json!({"Body": {"stkCallback": {
        "CheckoutRequestID": "ws_1", "ResultCode": 1037, "ResultDesc": "late",
    }}});
    assert_eq!(send(&host, &path, &late, "192.0.2.1").0, 200);
    let before = host.events().len();
    let paid = success("ws_1", json!(10), "KILLED0001");
    assert_eq!(send(&host, &path, &paid, "192.0.2.1").0, 200);
    let first = host.events()[before].clone();
    assert_eq!(first.name, "mpesa.due");
    let about: Value = serde_json::from_str(&first.payload).unwrap();
    assert_eq!(about["id"], begun["transaction_id"]);
    let succeeded = || {
        told(&host)
            .iter()
            .filter(|name| *name == "mpesa.succeeded")
            .count()
    };
    assert_eq!(succeeded(), 1);
    // As after a kill: it is written down and nobody was told.
    let forget = || {
        let sql = "UPDATE mpesa.transitions SET told = 0 WHERE to_state = 'succeeded'";
        assert_eq!(sql::execute(sql, params![]).unwrap(), 1);
    };
    forget();
    host.advance(Duration::from_secs(20));
    host.deliver(&subscriptions(), first).unwrap();
    assert_eq!(succeeded(), 2);
    // Nothing is open, and what is not told yet keeps the sweep going.
    let sweeps = || -> Vec<_> {
        let events = host.events().into_iter();
        events.filter(|event| event.name == "mpesa.sweep").collect()
    };
    let sweep = sweeps().last().unwrap().clone();
    for (young, further) in [(true, 1), (false, 0)] {
        if young {
            forget();
            let sql = "UPDATE mpesa.transitions SET at = $1 WHERE told = 0";
            sql::execute(sql, params![moment::now_ms()]).unwrap();
        } else {
            host.advance(Duration::from_secs(20));
        }
        let count = sweeps().len();
        host.deliver(&subscriptions(), sweep.clone()).unwrap();
        assert_eq!(sweeps().len(), count + further, "{young}");
    }
    assert_eq!(succeeded(), 3);
}

#[test]
fn a_statement_has_charges_in_lines_of_their_own() {
    let (host, other) = host();
    for (number, receipt) in [(0, "CHARGED001"), (1, "CHARGED002")] {
        let checkout = format!("ws_{number}");
        other.answers(200, accepted(&checkout));
        assert_eq!(push(&host).0, 201);
        let body = success(&checkout, json!(10), receipt);
        let path = callback_path(&other, number);
        assert_eq!(send(&host, &path, &body, "192.0.2.1").0, 200);
    }
    server(&host);
    let problems = |lines: &[(&str, &str)]| -> Vec<(String, String)> {
        let lines = lines.iter();
        let lines =
            lines.map(|(receipt, amount)| json!({"receipt_number": receipt, "amount": amount}));
        let body = json!({"statement": lines.collect::<Vec<Value>>()});
        let (status, report) = send(&host, "/mpesa/reconciliation", &body, "203.0.113.1");
        assert_eq!(status, 200, "{report}");
        let differences = report["differences"].as_array().unwrap().clone();
        assert_eq!(report["balanced"], differences.is_empty());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        differences
            .iter()
            .map(|one| (text(&one["problem"]), text(&one["detail"])))
            .collect()
    };
    let good = [
        ("CHARGED001", "10.00"),
        ("CHARGED001", "-0.05"),
        ("CHARGED002", "-0.05"),
        ("CHARGED002", "10.00"),
    ];
    assert_eq!(problems(&good), []);
    let difference = |problem: &str, detail: &str| (problem.to_owned(), detail.to_owned());
    // The same money twice is no charge.
    let twice = [good[0], good[0], good[2], good[3]];
    assert_eq!(problems(&twice), [difference("amount_differs", "10.00")]);
    // A charge alone is no payment, and the payment of another is none of ours.
    let lacks = [
        good[0],
        good[2],
        ("NOTOURS001", "-0.05"),
        ("NOTOURS001", "7"),
    ];
    assert_eq!(
        problems(&lacks),
        [
            difference("amount_differs", "-0.05"),
            difference("missing_here", "7.00")
        ]
    );
}

#[test]
fn the_export_has_what_moved() {
    let (host, other) = host();
    other.answers(200, accepted("ws_1"));
    let (_, begun) = push(&host);
    let wrong = success("ws_1", json!(3), "LESS000001");
    assert_eq!(
        send(&host, &callback_path(&other, 0), &wrong, "192.0.2.1").0,
        200
    );
    server(&host);
    let export = || {
        let csv = host.call(&routes(), Request::get("/mpesa/export"));
        csv.into_text().unwrap().lines().last().unwrap().to_owned()
    };
    assert!(
        export().contains(",174379,10.00,,254712345678,"),
        "{}",
        export()
    );
    let id = begun["transaction_id"].as_str().unwrap();
    let path = format!("/mpesa/transactions/{id}/review");
    let finding = json!({"status": "succeeded", "receipt_number": "LESS000001"});
    assert_eq!(send(&host, &path, &finding, "203.0.113.1").0, 200);
    assert!(
        export().contains(",174379,10.00,3.00,254712345678,"),
        "{}",
        export()
    );
}
