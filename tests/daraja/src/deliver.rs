//! Callbacks: what they say, when they are sent, and what goes wrong with them.

use crate::{
    clock,
    fault::{Faults, Shape},
    journal::{self, Entry},
    state::{Payment, Shared},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A callback before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The words that go with a code; they differ between callback and query, and
/// nobody should go by them.
pub(crate) fn description(code: &str) -> &'static str {
    match code {
        "0" => "The service request is processed successfully.",
        "1" => "The balance is insufficient for the transaction.",
        "17" => "Rule limited.",
        "1001" => {
            "Unable to lock subscriber, a transaction is already in process for the current subscriber"
        }
        "1019" => "Transaction expired",
        "1025" | "9999" => "An error occurred while sending a push request",
        "1032" => "Request cancelled by user",
        "1037" => "DS timeout user cannot be reached",
        "2001" => "The initiator information is invalid.",
        "2028" => "The request is not permitted according to product assignment",
        "4999" => "The transaction is still under processing",
        "SFC_IC0003" => "The operator does not exist.",
        _ => "Something happened that is in no table",
    }
}

/// Tells what came of a payment, as the faults have it.
pub(crate) async fn outcome(shared: &Arc<Shared>, payment: &Payment) {
    let faults = shared.state().faults.clone();
    pause(faults.prompt_ms.saturating_add(faults.callback_ms)).await;
    let mut letters = vec![letter(&faults, payment, &payment.outcome)];
    for code in &faults.callback_then {
        letters.push(letter(&faults, payment, code));
    }
    if faults.callback_lost {
        return;
    }
    if faults.callback_held {
        shared.state().held.extend(letters);
        return;
    }
    for letter in letters {
        for _ in 1..faults.callback_copies {
            let (shared_too, copy) = (Arc::clone(shared), letter.clone());
            shared.spawn(async move { drop(send(&shared_too, &copy).await) });
        }
        if faults.callback_copies > 0 {
            let _ = send(shared, &letter).await;
        }
    }
}

pub(crate) async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// Sends what was held back, the last first.
pub(crate) async fn release(shared: &Arc<Shared>) -> usize {
    let held = std::mem::take(&mut shared.state().held);
    for letter in held.iter().rev() {
        let _ = send(shared, letter).await;
    }
    held.len()
}

/// Sends it once, and writes down what came back.
pub(crate) async fn send(shared: &Shared, letter: &Letter) -> Option<Value> {
    let mut request = shared
        .http
        .post(&letter.url)
        .header("content-type", "application/json;charset=UTF-8")
        .body(letter.body.clone());
    for (name, value) in &letter.headers {
        request = request.header(name, value);
    }
    let (status, answer) = match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            let bytes = response.bytes().await.unwrap_or_default();
            (status, journal::body(&bytes))
        }
        Err(error) => (0, Value::from(error.to_string())),
    };
    shared.state().journal.note(Entry {
        sent: true,
        path: letter.url.clone(),
        body: journal::body(&letter.body),
        status,
        answer: answer.clone(),
    });
    (200..300).contains(&status).then_some(answer)
}

fn letter(faults: &Faults, payment: &Payment, code: &str) -> Letter {
    let mut headers = faults.callback_headers.clone();
    headers.insert("BusinessShortCode".to_owned(), payment.shortcode.clone());
    let body = match faults.callback_shape {
        Shape::Malformed => b"{\"Body\": {\"stkCallback\": ".to_vec(),
        _ => told(faults, payment, code).to_string().into_bytes(),
    };
    Letter {
        url: payment.callback_url.clone(),
        headers,
        body,
    }
}

fn told(faults: &Faults, payment: &Payment, code: &str) -> Value {
    let shape = faults.callback_shape;
    let number = match code.parse::<i64>() {
        Ok(number) if shape != Shape::Texts => json!(number),
        _ => json!(code),
    };
    let checkout = if faults.callback_unknown {
        "ws_CO_01012026000000000700000000"
    } else {
        &payment.checkout_request_id
    };
    let mut callback = Map::new();
    callback.insert(
        "MerchantRequestID".to_owned(),
        json!(payment.merchant_request_id),
    );
    callback.insert("CheckoutRequestID".to_owned(), json!(checkout));
    callback.insert("ResultCode".to_owned(), number);
    callback.insert("ResultDesc".to_owned(), json!(description(code)));
    if code == "0" && shape != Shape::NoMetadata {
        let items = items(faults, payment);
        callback.insert("CallbackMetadata".to_owned(), json!({ "Item": items }));
    }
    json!({"Body": {"stkCallback": callback}})
}

fn items(faults: &Faults, payment: &Payment) -> Vec<Value> {
    let shape = faults.callback_shape;
    let amount = i64::try_from(payment.amount).unwrap_or(i64::MAX) + faults.callback_amount;
    let date = clock::compact(clock::now());
    let item = |name: &str, value: Value| json!({"Name": name, "Value": value});
    let (amount, date, phone) = if shape == Shape::Texts {
        let amount = format!("{amount}.00");
        (json!(amount), json!(date), json!(payment.phone))
    } else {
        let whole = |text: &str| json!(text.parse::<u64>().unwrap_or_default());
        #[expect(clippy::cast_precision_loss, reason = "amounts are small")]
        let amount = amount as f64;
        (json!(amount), whole(&date), whole(&payment.phone))
    };
    let phone = match shape {
        Shape::MaskedPhone => json!("2547 ***** 126"),
        _ => phone,
    };
    let mut items = vec![item("Amount", amount)];
    if shape != Shape::NoReceipt {
        items.push(item("MpesaReceiptNumber", json!(payment.receipt)));
    }
    match shape {
        Shape::NoBalance => {}
        Shape::BalanceText => items.push(item(
            "Balance",
            json!("{Amount={CurrencyCode=KES, MinimumAmount=12345, BasicAmount=123.45}}"),
        )),
        _ => items.push(json!({"Name": "Balance"})),
    }
    items.push(item("TransactionDate", date));
    items.push(item("PhoneNumber", phone));
    if shape == Shape::MoreItems {
        items.push(item("LoyaltyPoints", json!({"earned": [1, 2]})));
        items.reverse();
    }
    items
}
