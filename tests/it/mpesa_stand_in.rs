//! The stand-in for Daraja is as strict as the gateway, and says so in the
//! same words: what passes here passes there.

use crate::mpesa_world::{account, second_account};
use atlashub_daraja_sim::Simulator;
use atlashub_tests::Reply;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const PUSH: &str = "/mpesa/stkpush/v1/processrequest";
const QUERY: &str = "/mpesa/stkpushquery/v1/query";
const TIMESTAMP: &str = "20260102153045";

struct Gateway {
    sim: Simulator,
    http: reqwest::Client,
}

impl Gateway {
    async fn open() -> Self {
        let accounts = vec![account(), second_account()];
        let any = "127.0.0.1:0".parse().unwrap();
        Self {
            sim: Simulator::start(any, accounts, 1).await.unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn token(&self) -> String {
        let url = format!("{}/oauth/v1/generate", self.sim.url());
        let request = self
            .http
            .get(url)
            .query(&[("grant_type", "client_credentials")])
            .basic_auth(account().consumer_key, Some(account().consumer_secret));
        let told = Reply::to(request).await.expect(200).json();
        told["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, path: &str, token: &str, body: &Value) -> Reply {
        let request = self.http.post(format!("{}{path}", self.sim.url()));
        Reply::to(request.bearer_auth(token).json(body)).await
    }
}

fn password(passkey: &str) -> String {
    let shortcode = account().shortcode;
    STANDARD.encode(format!("{shortcode}{passkey}{TIMESTAMP}"))
}

fn push() -> Value {
    json!({
        "BusinessShortCode": 174_379, "Password": password(&account().passkey),
        "Timestamp": TIMESTAMP, "TransactionType": "CustomerPayBillOnline", "Amount": "1",
        "PartyA": "254708374149", "PartyB": "174379", "PhoneNumber": 254_708_374_149_u64,
        "CallBackURL": "http://127.0.0.1:9/cb/x", "AccountReference": "A",
        "TransactionDesc": "B",
    })
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, text: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    let told = reply.json();
    assert_eq!(
        (&told["errorCode"], &told["errorMessage"]),
        (&json!(code), &json!(text))
    );
    assert!(told["requestId"].is_string());
}

#[tokio::test]
async fn a_new_token_ends_the_one_before() {
    let gateway = Gateway::open().await;
    let first = gateway.token().await;
    let second = gateway.token().await;
    let reply = gateway.ask(PUSH, &first, &push()).await;
    refused(&reply, 404, "404.001.03", "Invalid Access Token");
    let _ = gateway.ask(PUSH, &second, &push()).await.expect(200);
    let url = format!("{}/oauth/v1/generate", gateway.sim.url());
    let reply = Reply::to(gateway.http.get(&url).bearer_auth("x")).await;
    refused(&reply, 400, "400.008.01", "Invalid Authentication passed");
    let reply = Reply::to(gateway.http.get(format!("{}{PUSH}", gateway.sim.url()))).await;
    refused(&reply, 405, "405.001", "Method Not Allowed");
}

#[tokio::test]
async fn every_field_is_checked_and_named() {
    let gateway = Gateway::open().await;
    let token = gateway.token().await;
    for (field, value, named) in [
        ("BusinessShortCode", json!("x"), "BusinessShortCode"),
        ("Timestamp", json!("2026-01-02"), "Timestamp"),
        ("Timestamp", json!("20261302153045"), "Timestamp"),
        (
            "TransactionType",
            json!("BusinessBuyGoods"),
            "TransactionType",
        ),
        ("Amount", json!(0), "Amount"),
        ("Amount", json!(1.5), "Amount"),
        ("Amount", json!("-1"), "Amount"),
        ("PartyA", json!("0708374149"), "PartyA"),
        ("PhoneNumber", json!(254_208_374_149_u64), "PhoneNumber"),
        ("CallBackURL", json!("<your url>"), "CallBackURL"),
        (
            "CallBackURL",
            json!("https://Shop.example/x"),
            "CallBackURL",
        ),
        ("CallBackURL", json!("shop.example/x"), "CallBackURL"),
        (
            "AccountReference",
            json!("thirteen char"),
            "AccountReference",
        ),
        ("TransactionDesc", Value::Null, "Remarks"),
    ] {
        let mut body = push();
        body[field] = value;
        let reply = gateway.ask(PUSH, &token, &body).await;
        let text = format!("Bad Request - Invalid {named}");
        refused(&reply, 400, "400.002.02", &text);
    }
    let mut body = push();
    body["Password"] = json!(password("another"));
    let reply = gateway.ask(PUSH, &token, &body).await;
    let text = "[MerchantValidate] - Wrong credentials";
    refused(&reply, 500, "500.001.1001", text);
    body["BusinessShortCode"] = json!(second_account().shortcode);
    let reply = gateway.ask(PUSH, &token, &body).await;
    refused(&reply, 500, "500.001.1001", "Merchant does not exist");
    assert!(gateway.sim.payments().is_empty());
}

#[tokio::test]
async fn one_prompt_a_subscriber_and_one_id_a_push() {
    let gateway = Gateway::open().await;
    let token = gateway.token().await;
    gateway.sim.faults(|faults| {
        faults.prompt_ms = 3_600_000;
        faults.callback_lost = true;
    });
    let told = gateway.ask(PUSH, &token, &push()).await.expect(200).json();
    assert_eq!(told["ResponseCode"], "0");
    let reply = gateway.ask(PUSH, &token, &push()).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("Unable to lock subscriber"));
    gateway.sim.faults(|faults| faults.lock_subscribers = false);
    let again = gateway.ask(PUSH, &token, &push()).await.expect(200).json();
    assert_ne!(told["CheckoutRequestID"], again["CheckoutRequestID"]);
    let ask = |id: &Value| {
        json!({
            "BusinessShortCode": "174379", "Password": password(&account().passkey),
            "Timestamp": TIMESTAMP, "CheckoutRequestID": id,
        })
    };
    let reply = gateway
        .ask(QUERY, &token, &ask(&told["CheckoutRequestID"]))
        .await;
    refused(
        &reply,
        500,
        "500.001.1001",
        "The transaction is being processed",
    );
    let reply = gateway.ask(QUERY, &token, &ask(&json!("ws_CO_0"))).await;
    refused(
        &reply,
        500,
        "500.001.1001",
        "The transaction does not Exist",
    );
}
