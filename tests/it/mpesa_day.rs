//! A day of payments, from push to notification and then the day's
//! reconciliation, with an other side that does everything wrong.

use crate::mpesa_world::{Shop, has_no_secret};
use atlashub_daraja_sim::{Faults, Processing, Shape};
use atlashub_tests::{DEADLINE, Reply, User, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What goes wrong on this day whatever else does: copies, some of them late,
/// that contradict each other, in odd shapes and words; questions that are
/// answered late; and a gateway that is busy, out of quota, behind an edge that
/// fails, and forgets its tokens.
fn bad_day() -> Faults {
    Faults {
        callback_copies: 3,
        callback_ms: 50,
        callback_then: vec!["1037".to_owned(), "0".to_owned()],
        callback_shape: Shape::MoreItems,
        processing: Processing::Empty,
        query_late: 2,
        token_refused: 1,
        token_text: false,
        result_ms: 50,
        pull_page: 2,
        ..Faults::default()
    }
}

/// One fault more for one payment, and what that comes to.
type More = (&'static str, fn(&mut Faults), &'static str);

const HELD: &str = "held back";
const LIES: &str = "lying questions";

const PUSHES: &[More] = &[
    ("nothing more", |_| (), "succeeded"),
    (
        // Longer than anybody waits for an answer; the token is known.
        "answer late",
        |faults| {
            faults.answer_ms = 21_000;
            (faults.token_refused, faults.busy, faults.quota) = (0, 0, 0);
        },
        "succeeded",
    ),
    (
        "slow customer",
        |faults| faults.prompt_ms = 2_500,
        "succeeded",
    ),
    (
        // Nothing is heard, and questions do not help, until all is sent at
        // once, the last first.
        HELD,
        |faults| {
            faults.callback_held = true;
            faults.query_late = u32::MAX;
        },
        "succeeded",
    ),
    (
        LIES,
        |faults| {
            faults.callback_first = true;
            faults.query_late = 0;
            faults.query_outcome = Some("1".to_owned());
        },
        "succeeded",
    ),
    (
        "short tokens",
        |faults| faults.token_seconds = 5,
        "succeeded",
    ),
    ("first", |faults| faults.callback_first = true, "succeeded"),
    ("lost", |faults| faults.callback_lost = true, "succeeded"),
    (
        "both lost",
        |faults| {
            faults.answer_lost = 1;
            faults.callback_lost = true;
        },
        "pending",
    ),
    ("answer lost", |faults| faults.answer_lost = 1, "succeeded"),
    (
        "texts",
        |faults| faults.callback_shape = Shape::Texts,
        "succeeded",
    ),
    (
        "no receipt",
        |faults| {
            faults.callback_shape = Shape::NoReceipt;
            faults.callback_then.clear();
        },
        "succeeded",
    ),
    (
        "no metadata",
        |faults| {
            faults.callback_shape = Shape::NoMetadata;
            faults.callback_then.clear();
        },
        "succeeded",
    ),
    (
        "malformed",
        |faults| faults.callback_shape = Shape::Malformed,
        "succeeded",
    ),
    (
        "masked",
        |faults| faults.callback_shape = Shape::MaskedPhone,
        "succeeded",
    ),
    (
        "unknown id",
        |faults| {
            faults.callback_unknown = true;
            // After the answer, which says the right one.
            faults.callback_ms = 2_000;
        },
        "succeeded",
    ),
    (
        "still processing",
        |faults| {
            faults.callback_lost = true;
            faults.processing = Processing::Code4999;
        },
        "succeeded",
    ),
    (
        "refused words",
        |faults| {
            faults.callback_lost = true;
            faults.processing = Processing::Refused;
        },
        "succeeded",
    ),
    (
        "cancelled",
        |faults| {
            faults.outcome = "1032".to_owned();
            faults.callback_then.clear();
        },
        "cancelled",
    ),
    (
        "too poor",
        |faults| {
            faults.outcome = "1".to_owned();
            faults.callback_then.clear();
        },
        "failed",
    ),
    (
        "asleep",
        |faults| {
            faults.outcome = "1037".to_owned();
            faults.callback_then.clear();
        },
        "timed_out",
    ),
    (
        "nobody's code",
        |faults| {
            faults.outcome = "7777".to_owned();
            faults.callback_then.clear();
        },
        "needs_review",
    ),
    (
        "wrong amount",
        |faults| faults.callback_amount = -1,
        "needs_review",
    ),
];

/// Asks for money again as long as the gateway refuses before it looks; the
/// transaction.
async fn push(shop: &Shop, user: &User, number: usize) -> String {
    let key = format!("order-{number}");
    let body = json!({
        "phone": format!("07170000{number:02}"), "amount": 100 + number,
        "account_reference": format!("ORD-{number}"), "user_id": user.id,
    });
    loop {
        let request = shop.project.request(Method::POST, "/mpesa/stkpush");
        let request = request.header("idempotency-key", &key).json(&body);
        let reply = Reply::to(request).await;
        has_no_secret(&reply.text());
        if reply.status == 503 {
            assert_eq!(reply.expect_problem(503), "mpesa_busy");
            continue;
        }
        let begun = reply.expect_success().json();
        return begun["transaction_id"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn a_day_with_every_fault_adds_up_in_the_end() {
    let shop = Shop::open().await;
    shop.admin.enable(&shop.project, "notifications").await;
    let user = shop.user().await;
    let body = json!({"response_type": "Completed"});
    let c2b = shop.project.post("/mpesa/c2b/register", body).await;
    let _ = c2b.expect(201);
    let body = json!({"nominated_number": "0722000000"});
    let pull = shop.project.post("/mpesa/pull/register", body).await;
    let _ = pull.expect(201);

    let mut pushed = BTreeMap::new();
    for (number, (name, more, wanted)) in PUSHES.iter().enumerate() {
        shop.faults(|faults| {
            *faults = bad_day();
            (faults.busy, faults.quota) = (1, 1);
            more(faults);
        });
        let id = push(&shop, &user, number).await;
        if *name == HELD {
            assert_eq!(shop.transaction(&id).await["status"], "pending");
            let released = until("callbacks that are held", DEADLINE, || async {
                let released = shop.sim.release().await;
                (released > 0).then_some(released)
            })
            .await;
            assert_eq!(released, 3);
        }
        let row = shop.until_status(&id, wanted).await;
        assert_eq!(row["amount"], 100 + number, "{name}: {row}");
        if *name == LIES {
            let path = format!("/mpesa/transactions/{id}/query");
            let asked = shop.project.post(&path, json!({})).await.expect_success();
            assert_eq!(asked.json()["status"], "succeeded");
        }
        pushed.insert(id, (*name, *wanted));
    }
    // What the edge says is nothing to rely on: this one never left.
    shop.faults(|faults| {
        *faults = bad_day();
        faults.html = 1;
    });
    let nowhere = push(&shop, &user, 90).await;
    assert_eq!(shop.transaction(&nowhere).await["status"], "pending");

    // From the menu: three are told, in copies, and three are not.
    shop.faults(|faults| *faults = bad_day());
    for number in 0..6 {
        if number == 3 {
            shop.faults(|faults| faults.callback_lost = true);
        }
        let reference = format!("MENU {number}");
        let paid = shop.sim.pay("174379", "254708374149", "30", &reference);
        assert!(paid.await.unwrap().is_some());
    }
    // Money goes out: the answer and the result are lost; what waited too long
    // in a queue; what is told three times.
    let pay_out = async |key: &str| {
        let body = json!({"phone": "0726000001", "amount": 50});
        let request = shop.project.request(Method::POST, "/mpesa/b2c");
        let reply = Reply::to(request.header("idempotency-key", key).json(&body)).await;
        let begun = reply.expect_success().json();
        begun["transaction_id"].as_str().unwrap().to_owned()
    };
    shop.faults(|faults| {
        *faults = bad_day();
        (faults.answer_lost, faults.result_lost) = (1, true);
    });
    let lost = pay_out("lost").await;
    shop.faults(|faults| faults.result_lost = false);
    shop.until_status(&lost, "succeeded").await;
    shop.faults(|faults| faults.result_timeout = true);
    let slow = pay_out("slow").await;
    shop.faults(|faults| faults.result_timeout = false);
    shop.until_status(&slow, "succeeded").await;
    let good = pay_out("good").await;
    shop.until_status(&good, "succeeded").await;
    // And what the other side says no to in the end.
    shop.faults(|faults| "2001".clone_into(&mut faults.result));
    let refused = pay_out("refused").await;
    let refused = shop.until_status(&refused, "failed").await;
    assert_eq!(refused["result_code"], "2001", "{refused}");
    shop.faults(|faults| "0".clone_into(&mut faults.result));

    // What nobody told is asked for. Only what is not known is new: the push of
    // which nothing was heard, those without a receipt, and three of the menu.
    let pulled = shop.project.post("/mpesa/pull", json!({})).await;
    let pulled = pulled.expect(200).json();
    let found: BTreeSet<&str> = pulled["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let from_the_menu = found.iter().filter(|id| !pushed.contains_key(**id));
    assert_eq!(from_the_menu.count(), 3, "{pulled}");
    for (id, (name, wanted)) in &pushed {
        let wanted = match *name {
            "both lost" => "succeeded",
            _ => wanted,
        };
        let row = shop.transaction(id).await;
        assert_eq!(row["status"], wanted, "{name}: {row}");
        // Money came where the amount is another, too: its receipt is known.
        assert_eq!(
            row["receipt_number"].is_string(),
            wanted == "succeeded" || *name == "wrong amount",
            "{name}: {row}"
        );
    }

    // The user hears of each payment once, by its outcome.
    let ended = |name: &str, wanted: &str| match (name, wanted) {
        ("both lost", _) | (_, "succeeded") => Some("paid by M-Pesa"),
        (_, "cancelled") => Some("was refused on the phone"),
        (_, "timed_out") => Some("was not confirmed in time"),
        (_, "failed") => Some("failed"),
        _ => None,
    };
    let about = |notices: &[Value], id: &str, words: &str| {
        notices
            .iter()
            .filter(|notice| notice["subject"]["id"] == id)
            .filter(|notice| notice["title"].as_str().unwrap().contains(words))
            .count()
    };
    let notices = until("all notifications", DEADLINE, || async {
        let page = user.get("/notifications?limit=100").await;
        let notices = page.expect(200).json()["items"].as_array()?.clone();
        let all = pushed.iter().all(|(id, (name, wanted))| {
            ended(name, wanted).is_none_or(|words| about(&notices, id, words) > 0)
        });
        all.then_some(notices)
    })
    .await;
    for (id, (name, wanted)) in &pushed {
        let paid = about(&notices, id, "paid by M-Pesa");
        let expected = usize::from(ended(name, wanted) == Some("paid by M-Pesa"));
        assert_eq!(paid, expected, "{name}: {notices:?}");
    }

    the_day_adds_up(&shop, &nowhere).await;
}

/// The report of the day names what a person has to look at and nothing else,
/// and its sums are those of the other side.
async fn the_day_adds_up(shop: &Shop, nowhere: &str) {
    let report = shop.project.get("/mpesa/reconciliation").await;
    let report = report.expect(200).json();
    let problems: BTreeMap<&str, usize> =
        report["differences"]
            .as_array()
            .unwrap()
            .iter()
            .fold(BTreeMap::new(), |mut all, one| {
                *all.entry(one["problem"].as_str().unwrap()).or_default() += 1;
                all
            });
    // The code in no table, the wrong amount, and the one that never left.
    assert_eq!(problems.get("needs_review"), Some(&2), "{report}");
    assert_eq!(problems.get("open"), Some(&1), "{report}");
    assert_eq!(problems.get("receipt_missing"), None, "{report}");
    assert_eq!(problems.get("not_in_ledger"), None, "{report}");
    assert_eq!(
        report["money_out"],
        json!({"count": 3, "amount": "150.00"}),
        "{report}"
    );
    // A person looks at the wrong amount: the customer did pay.
    let doubtful = shop
        .project
        .get("/mpesa/transactions?status=needs_review")
        .await;
    for row in doubtful.expect(200).json()["items"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        let payments = shop.sim.payments();
        let payment = payments
            .iter()
            .find(|one| one.reference == row["account_reference"])
            .unwrap();
        let finding = match payment.outcome.as_str() {
            "0" => json!({"status": "succeeded", "receipt_number": payment.receipt,
                          "amount": payment.amount, "note": "the statement has it"}),
            _ => json!({"status": "failed", "note": "the statement has it not"}),
        };
        let path = format!("/mpesa/transactions/{id}/review");
        let _ = shop.project.post(&path, finding).await.expect(200);
    }
    let finding = json!({"status": "failed", "note": "it never left"});
    shop.configure(json!({"lost_after_seconds": 1})).await;
    let path = format!("/mpesa/transactions/{nowhere}/review");
    shop.until_status(nowhere, "needs_review").await;
    let _ = shop.project.post(&path, finding).await.expect(200);

    // The other side's own statement of the day.
    let line = |receipt: &str, amount: String| json!({"receipt_number": receipt, "amount": amount});
    let mut statement: Vec<Value> = shop
        .sim
        .payments()
        .iter()
        .filter(|payment| payment.outcome == "0")
        .map(|payment| line(&payment.receipt, payment.amount.to_string()))
        .collect();
    let menu = shop
        .project
        .get("/mpesa/transactions?kind=c2b&limit=100")
        .await;
    let paid_out = shop
        .project
        .get("/mpesa/transactions?kind=payout&status=succeeded&limit=100")
        .await;
    for (reply, amount) in [(menu, "30.00"), (paid_out, "-50.00")] {
        for row in reply.expect(200).json()["items"].as_array().unwrap() {
            let receipt = row["receipt_number"].as_str().unwrap();
            statement.push(line(receipt, amount.to_owned()));
        }
    }
    let body = json!({"statement": statement});
    let report = shop.project.post("/mpesa/reconciliation", body).await;
    let report = report.expect(200).json();
    // What could not be read, or was about nothing known, stays to be seen.
    for one in report["differences"].as_array().unwrap() {
        assert_eq!(one["problem"], "callback_not_applied", "{report}");
    }
    let paid = shop.sim.payments();
    let paid = paid.iter().filter(|payment| payment.outcome == "0");
    let (count, sum) = paid.fold((6, 180), |(count, sum), payment| {
        (count + 1, sum + payment.amount)
    });
    assert_eq!(
        report["money_in"],
        json!({"count": count, "amount": format!("{sum}.00")})
    );
}
