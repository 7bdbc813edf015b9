//! Developing against the stand-in for Daraja, as docs/USAGE.md has it: the
//! command, its own calls, and a project that is configured as printed there.

use atlashub_tests::{
    DEADLINE, Project, Reply, RunningCommand, ServerBuilder, TestServer, free_address, until,
};
use serde_json::{Value, json};

/// A running stand-in, and a project on a server that may call it.
struct Development {
    server: TestServer,
    project: Project,
    /// Ends with the test.
    _command: RunningCommand,
    url: String,
    http: reqwest::Client,
}

/// The configuration that the documentation prints, for a stand-in at `url`.
fn as_printed(url: &str) -> Value {
    let docs = include_str!("../../docs/USAGE.md");
    let (_, section) = docs
        .split_once("### Without Safaricom")
        .expect("the section");
    let start = section.find('{').expect("a configuration");
    let (text, _) = section[start..]
        .split_once('`')
        .expect("an end of the configuration");
    let mut config: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(config["base_url"], "http://127.0.0.1:9899");
    config["base_url"] = json!(url);
    config
}

impl Development {
    async fn begin() -> Self {
        let address = free_address().to_string();
        let server = ServerBuilder::default()
            .env("ATLASHUB_EGRESS_ALLOW", address.clone())
            .start()
            .await;
        let mut command = server.start_command(&["daraja-sim", "--listen", &address]);
        let line = command.line_with("listens at").await;
        let url = line.rsplit(' ').next().expect("an address").to_owned();
        assert_eq!(url, format!("http://{address}"));
        let project = server.admin().project_with(&[]).await;
        let body = json!({"enabled": true, "grants": "requested", "config": as_printed(&url)});
        let done = server.admin().install(&project, "mpesa", body).await;
        let _ = done.expect_success();
        Self {
            server,
            project,
            _command: command,
            url,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
        }
    }

    /// A call of the stand-in's own.
    async fn sim(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Reply::to(request).await
    }

    async fn faults(&self, faults: Value) {
        let set = self.sim("PUT", "/_sim/faults", Some(faults.clone())).await;
        let set = set.expect(200).json();
        for (name, value) in faults.as_object().expect("an object") {
            assert_eq!(&set[name], value, "{name}");
        }
    }

    /// Asks a customer to pay; the transaction.
    async fn push(&self, phone: &str, amount: u64) -> String {
        let body = json!({"phone": phone, "amount": amount, "account_reference": "A-1"});
        let begun = self.project.post("/mpesa/stkpush", body).await;
        let begun = begun.expect_success().json();
        begun["transaction_id"].as_str().expect("an id").to_owned()
    }

    async fn status(&self, id: &str) -> Value {
        let path = format!("/mpesa/transactions/{id}");
        self.project.get(&path).await.expect(200).json()["status"].clone()
    }

    async fn until_status(&self, id: &str, wanted: &str) {
        until(&format!("{id} to be {wanted}"), DEADLINE, || async {
            (self.status(id).await == wanted).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_application_is_developed_without_safaricom() {
    let own = Development::begin().await;
    let good_day = own
        .sim("GET", "/_sim/faults", None)
        .await
        .expect(200)
        .json();
    assert_eq!(good_day["outcome"], "0");
    let check = own.project.post("/mpesa/check", json!({})).await;
    assert_eq!(check.expect(200).json()["ok"], true);

    let paid = own.push("0712 345 678", 100).await;
    own.until_status(&paid, "succeeded").await;
    let payments = own.sim("GET", "/_sim/payments", None).await;
    let payments = payments.expect(200).json();
    assert_eq!(payments.as_array().map(Vec::len), Some(1), "{payments}");
    assert_eq!(payments[0]["phone"], "254712345678");
    assert_eq!(payments[0]["amount"], 100);
    // It writes down that it told once that was answered, which is after the
    // payment is known.
    let journal = until("the callback in the journal", DEADLINE, || async {
        let journal = own.sim("GET", "/_sim/journal", None).await;
        let journal = journal.expect(200).json();
        let mut entries = journal.as_array().expect("entries").iter();
        let told = entries.any(|entry| entry["sent"] == true);
        told.then_some(journal)
    })
    .await;
    let entries = journal.as_array().expect("entries").iter();
    let is_push = |entry: &&Value| entry["path"] == "/mpesa/stkpush/v1/processrequest";
    assert_eq!(entries.clone().filter(is_push).count(), 1, "{journal}");
    let is_callback = |entry: &&Value| entry["sent"] == true && entry["status"] == 200;
    assert_eq!(entries.filter(is_callback).count(), 1, "{journal}");

    // By phone, by amount, and for everybody else.
    own.faults(json!({"outcome": "1", "outcomes": {"254712345678": "1032", "7": "1037"}}))
        .await;
    for (phone, amount, wanted) in [
        ("0712345678", 50, "cancelled"),
        ("0722000001", 7, "timed_out"),
        ("0722000002", 50, "failed"),
    ] {
        let id = own.push(phone, amount).await;
        own.until_status(&id, wanted).await;
    }
    let misspelt = own
        .sim("PUT", "/_sim/faults", Some(json!({"outcom": "1"})))
        .await;
    assert_eq!(misspelt.status, 422);
    assert!(misspelt.text().contains("outcom"), "{}", misspelt.text());

    // What is left out is as on a good day again. Questions help as little as
    // the callback, until that is sent.
    own.faults(json!({"callback_held": true, "query_late": u32::MAX}))
        .await;
    let held = own.push("0712345678", 60).await;
    let released = until("a callback that is held", DEADLINE, || async {
        assert_eq!(own.status(&held).await, "pending");
        let released = own.sim("POST", "/_sim/release", None).await;
        let count = released.expect(200).json()["released"].as_u64();
        count.filter(|count| *count > 0)
    })
    .await;
    assert_eq!(released, 1);
    own.until_status(&held, "succeeded").await;

    // At the menu nobody can pay whom the stand-in was not told of.
    own.faults(json!({})).await;
    let entered = json!({"shortcode": "174379", "phone": "254708374149", "amount": 30,
                         "reference": "MENU 1"});
    let refused = own.sim("POST", "/_sim/pay", Some(entered.clone())).await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    let registered = own
        .project
        .post("/mpesa/c2b/register", json!({"response_type": "Completed"}))
        .await;
    let _ = registered.expect(201);
    let receipt = own.sim("POST", "/_sim/pay", Some(entered)).await;
    let receipt = receipt.expect(200).json()["receipt"].clone();
    let path = format!(
        "/mpesa/transactions?receipt_number={}",
        receipt.as_str().expect("a receipt")
    );
    let found = until("the payment at the menu", DEADLINE, || async {
        let page = own.project.get(&path).await.expect(200).json();
        page["items"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(
        (&found["kind"], &found["amount"]),
        (&json!("c2b"), &json!(30)),
        "{found}"
    );

    assert_eq!(own.sim("POST", "/_sim/reset", None).await.status, 204);
    for (path, empty) in [
        ("/_sim/payments", json!([])),
        ("/_sim/journal", json!([])),
        ("/_sim/faults", good_day),
    ] {
        assert_eq!(own.sim("GET", path, None).await.expect(200).json(), empty);
    }
    // Its tokens are gone, too; the plugin gets a new one by itself.
    let again = own.push("0712345678", 70).await;
    own.until_status(&again, "succeeded").await;
    drop(own.server);
}
