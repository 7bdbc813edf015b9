//! What tests of the plugin `mpesa` have in common: a project whose other side
//! is the stand-in for Daraja, and a listener for what is told.

use atlashub_daraja_sim::{Account, Faults, Simulator};
use atlashub_tests::{
    Admin, DEADLINE, Project, Reply, ServerBuilder, TestServer, User, fixture, free_address, until,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::sync::OnceCell;

/// Stand-ins that the shared server may call.
const STANDS: usize = 96;
const SECRETS: [&str; 3] = [
    "s3cret-of-app",
    "p4sskey-of-shop",
    "cr3dential-of-initiator",
];

/// A server that may call stand-ins at these addresses.
struct World {
    server: TestServer,
    addresses: Vec<SocketAddr>,
    next: AtomicUsize,
}

async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD
        .get_or_init(|| async {
            let addresses: Vec<SocketAddr> = (0..STANDS).map(|_| free_address()).collect();
            let server = ServerBuilder::default()
                .env("ATLASHUB_EGRESS_ALLOW", allowed(&addresses))
                .start()
                .await;
            let admin = server.admin();
            let listener = admin.upload(fixture("listener"), None).await;
            let _ = listener.expect_success();
            World {
                server,
                addresses,
                next: AtomicUsize::new(0),
            }
        })
        .await
}

fn allowed(addresses: &[SocketAddr]) -> String {
    let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    all.join(",")
}

/// The account that stand-ins know.
pub(crate) fn account() -> Account {
    Account {
        consumer_key: "key-of-app".to_owned(),
        consumer_secret: SECRETS[0].to_owned(),
        shortcode: "174379".to_owned(),
        passkey: SECRETS[1].to_owned(),
        till: None,
        initiator: "payer".to_owned(),
        security_credential: SECRETS[2].to_owned(),
    }
}

/// A second one, of another application.
pub(crate) fn second_account() -> Account {
    Account {
        consumer_key: "key-of-second".to_owned(),
        consumer_secret: "second-s3cret".to_owned(),
        shortcode: "600984".to_owned(),
        passkey: "second-p4sskey".to_owned(),
        till: Some("5550001".to_owned()),
        initiator: "payer".to_owned(),
        security_credential: "second-cr3dential".to_owned(),
    }
}

async fn stand_in(address: SocketAddr) -> std::io::Result<Simulator> {
    let accounts = vec![account(), second_account()];
    Simulator::start(address, accounts, u64::from(address.port())).await
}

/// A project with its stand-in.
pub(crate) struct Shop {
    pub(crate) sim: Simulator,
    pub(crate) project: Project,
    pub(crate) admin: Admin,
    config: Value,
}

impl Shop {
    /// On the shared server.
    pub(crate) async fn open() -> Self {
        let world = world().await;
        loop {
            let at = world.next.fetch_add(1, Ordering::Relaxed);
            let address = *world.addresses.get(at).expect("an address for a stand-in");
            // Somebody may have taken it since.
            if let Ok(sim) = stand_in(address).await {
                return Self::with(&world.server, sim).await;
            }
        }
    }

    /// On a server of its own.
    pub(crate) async fn with_server() -> (TestServer, Self) {
        let address = free_address();
        let server = ServerBuilder::default()
            .env("ATLASHUB_EGRESS_ALLOW", address.to_string())
            .start()
            .await;
        let listener = server.admin().upload(fixture("listener"), None).await;
        let _ = listener.expect_success();
        let sim = stand_in(address).await.expect("a stand-in");
        let shop = Self::with(&server, sim).await;
        (server, shop)
    }

    async fn with(server: &TestServer, sim: Simulator) -> Self {
        let admin = server.admin();
        let project = admin.project_with(&["listener"]).await;
        let config = json!({
            "environment": "custom",
            "base_url": sim.url(),
            "consumer_key": account().consumer_key,
            "consumer_secret": SECRETS[0],
            "shortcode": account().shortcode,
            "passkey": SECRETS[1],
            "initiator_name": "payer",
            "security_credential": SECRETS[2],
            "accounts": {"second": {
                "consumer_key": second_account().consumer_key,
                "consumer_secret": second_account().consumer_secret,
                "shortcode": second_account().shortcode,
                "passkey": second_account().passkey,
                "till": second_account().till,
                "transaction_type": "CustomerBuyGoodsOnline",
                "security_credential": second_account().security_credential,
            }},
            "allowed_origins": ["127.0.0.1"],
            "query_after_seconds": 1,
            // Tests ask for themselves; the clock would find some of it before.
            "pull_minutes": 0,
        });
        let shop = Self {
            sim,
            project,
            admin,
            config,
        };
        shop.configure(json!({})).await;
        shop
    }

    /// Changes the configuration; null takes out.
    pub(crate) async fn configure(&self, changes: Value) {
        let mut config = self.config.clone();
        for (key, value) in changes.as_object().expect("an object") {
            config[key] = value.clone();
        }
        let config = config.as_object_mut().expect("an object");
        config.retain(|_, value| !value.is_null());
        let body = json!({"enabled": true, "grants": "requested", "config": config});
        let done = self.admin.install(&self.project, "mpesa", body).await;
        let _ = done.expect_success();
    }

    pub(crate) fn faults(&self, change: impl FnOnce(&mut Faults)) {
        self.sim.faults(change);
    }

    /// Asks a customer to pay.
    pub(crate) async fn push(&self, phone: &str, amount: u64) -> Reply {
        let body = json!({"phone": phone, "amount": amount, "account_reference": "INV-1"});
        self.project.post("/mpesa/stkpush", body).await
    }

    /// The same, which has to be taken; its id.
    pub(crate) async fn pushed(&self, phone: &str, amount: u64) -> String {
        let begun = self.push(phone, amount).await.expect_success().json();
        begun["transaction_id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn transaction(&self, id: &str) -> Value {
        let path = format!("/mpesa/transactions/{id}");
        self.project.get(&path).await.expect(200).json()
    }

    /// The transaction, once it stands so.
    pub(crate) async fn until_status(&self, id: &str, status: &str) -> Value {
        until(&format!("{id} to be {status}"), DEADLINE, || async {
            let row = self.transaction(id).await;
            (row["status"] == status).then_some(row)
        })
        .await
    }

    /// The states that it went through.
    pub(crate) async fn states(&self, id: &str) -> Vec<String> {
        let path = format!("/mpesa/transactions/{id}/history");
        let history = self.project.get(&path).await.expect(200).json();
        let items = history["items"].as_array().expect("items").iter();
        items
            .map(|item| item["to"].as_str().expect("a state").to_owned())
            .collect()
    }

    /// What was told of a transaction: the names of the events.
    pub(crate) async fn told(&self, id: &str) -> Vec<String> {
        self.told_with_ids(id)
            .await
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    /// The same with the ids of the changes.
    pub(crate) async fn told_with_ids(&self, id: &str) -> Vec<(String, String)> {
        let taken = self.project.get("/listener/taken").await;
        let taken = taken.expect(200).json();
        let mut told = Vec::new();
        for event in taken["items"].as_array().expect("items") {
            let payload = event["payload"].as_str().expect("a payload");
            let payload: Value = serde_json::from_str(payload).expect("JSON");
            if payload["transaction_id"] == id {
                let text = |value: &Value| value.as_str().expect("a text").to_owned();
                told.push((text(&event["name"]), text(&payload["id"])));
            }
        }
        told
    }

    /// What was told of it, once there is something.
    pub(crate) async fn until_told(&self, id: &str) -> Vec<String> {
        until("something to be told", DEADLINE, || async {
            Some(self.told(id).await).filter(|told| !told.is_empty())
        })
        .await
    }

    /// Sends a callback by hand, to where the payment number `at` is told.
    pub(crate) async fn call_back(&self, project: &Project, at: usize, body: &Value) -> Reply {
        let payment = self.sim.payments()[at].clone();
        let (_, path) = payment
            .callback_url
            .split_once("/mpesa/")
            .expect("the plugin's path");
        let path = format!("/p/{}/mpesa/{path}", self.project.slug);
        // What is not acknowledged is sent again.
        let request = project.bare_request(Method::POST, &path).json(body);
        Reply::try_patiently(request).await.expect("an answer")
    }

    /// A success of the payment number `at`, as it is told.
    pub(crate) fn success(&self, at: usize) -> Value {
        let payment = self.sim.payments()[at].clone();
        json!({"Body": {"stkCallback": {
            "MerchantRequestID": payment.merchant_request_id,
            "CheckoutRequestID": payment.checkout_request_id,
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": {"Item": [
                {"Name": "Amount", "Value": payment.amount},
                {"Name": "MpesaReceiptNumber", "Value": payment.receipt},
                {"Name": "TransactionDate", "Value": 20_261_122_120_000_u64},
            ]},
        }}})
    }

    /// The same with another code, which is no success.
    pub(crate) fn failure(&self, at: usize, code: &Value) -> Value {
        let payment = self.sim.payments()[at].clone();
        json!({"Body": {"stkCallback": {
            "MerchantRequestID": payment.merchant_request_id,
            "CheckoutRequestID": payment.checkout_request_id,
            "ResultCode": code,
            "ResultDesc": "No.",
        }}})
    }

    /// How often a customer was asked to pay.
    pub(crate) fn asked_to_pay(&self) -> usize {
        self.sim.asked("/mpesa/stkpush/v1/processrequest")
    }

    /// A user who may ask others to pay.
    pub(crate) async fn user(&self) -> User {
        self.project.sign_up().await
    }
}

/// No secret of the configuration is in a text.
#[track_caller]
pub(crate) fn has_no_secret(text: &str) {
    for secret in SECRETS.iter().chain(&["second-s3cret", "second-p4sskey"]) {
        assert!(!text.contains(secret), "a secret is in {text}");
    }
}
