//! Signing in with issuers that lie, and with those whose ways differ: a
//! stand-in says what a test wants it to say.

use crate::{
    oauth::{Place, told},
    signer::Signer,
};
use atlashub_tests::{Browser, Reply, TestServer, shared, unique};
use axum::{
    Form, Json, Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Url;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::SystemTime,
};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// What a stand-in says.
#[derive(Default)]
struct Says {
    document: Value,
    keys: Vec<Value>,
    given: Value,
    userinfo: Value,
    emails: Value,
    /// The forms and credentials that codes came with.
    asked: Vec<(HashMap<String, String>, Option<String>)>,
}

/// An issuer that says what it is told to.
struct StandIn {
    address: String,
    signer: Signer,
    says: Arc<Mutex<Says>>,
}

type Shared = State<Arc<Mutex<Says>>>;

async fn give(
    State(says): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Json<Value> {
    let credentials = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    let mut says = says.lock().unwrap();
    says.asked.push((form, credentials));
    Json(says.given.clone())
}

async fn user(State(says): Shared, headers: HeaderMap) -> Json<Value> {
    assert_eq!(headers["authorization"], "Bearer an-access-token");
    assert!(headers.contains_key("user-agent"));
    Json(says.lock().unwrap().userinfo.clone())
}

impl StandIn {
    async fn start() -> Self {
        let says = Arc::new(Mutex::new(Says::default()));
        let said = |pick: fn(&Says) -> Value| {
            get(move |State(says): Shared| async move { Json(pick(&says.lock().unwrap())) })
        };
        let app = Router::new()
            .route(
                "/.well-known/openid-configuration",
                said(|says| says.document.clone()),
            )
            .route(
                "/common/v2.0/.well-known/openid-configuration",
                said(|says| says.document.clone()),
            )
            .route("/keys", said(|says| json!({"keys": says.keys})))
            .route("/token", post(give))
            .route("/userinfo", get(user))
            .route("/login/oauth/access_token", post(give))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", said(|says| says.emails.clone()))
            .with_state(Arc::clone(&says));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(tokio::spawn(
            async move { axum::serve(listener, app).await },
        ));
        let signer = Signer::new("one");
        {
            let mut says = says.lock().unwrap();
            says.keys = vec![signer.jwk.clone()];
            says.document = json!({
                "issuer": address,
                "authorization_endpoint": format!("{address}/authorize"),
                "token_endpoint": format!("{address}/token"),
                "jwks_uri": format!("{address}/keys"),
            });
        }
        Self {
            address,
            signer,
            says,
        }
    }

    fn describe(&self, member: &str, value: Value) {
        self.says.lock().unwrap().document[member] = value;
    }

    /// Sets it up as the provider `id`.
    async fn set_up(&self, place: &Place, kind: &str, issuer: &str) {
        let body = json!({
            "kind": kind, "issuer": issuer, "client_id": "a client", "client_secret": "a secret",
        });
        let _ = place.put("id", body).await.expect(200);
    }

    /// An honest answer to the sign-in with this nonce.
    fn claims(&self, nonce: &str, email: &str) -> Value {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({
            "iss": self.address, "aud": "a client", "sub": email, "nonce": nonce, "iat": now,
            "exp": now + 300, "email": email, "email_verified": true, "name": "Ada L.",
        })
    }

    fn give_token(&self, token: &str) {
        self.says.lock().unwrap().given =
            json!({"access_token": "an-access-token", "token_type": "Bearer", "id_token": token});
    }
}

/// A sign-in that has come as far as the provider.
struct Asked {
    browser: Browser,
    query: HashMap<String, String>,
}

impl Asked {
    async fn begin(place: &Place) -> Self {
        let mut browser = Browser::default();
        let begun = browser.get(&place.start("id")).await.expect(302);
        let to = Url::parse(begun.header("location")).unwrap();
        let query = to.query_pairs().into_owned().collect();
        Self { browser, query }
    }

    async fn back(&mut self, place: &Place, more: &str) -> Reply {
        let state = &self.query["state"];
        let back = format!("{}?code=a-code&state={state}{more}", place.callback("id"));
        self.browser.get(&back).await.expect(302)
    }
}

fn someone() -> String {
    format!("{}@example.com", unique("s"))
}

async fn place() -> Place {
    Place::at(shared().await).await
}

#[tokio::test]
async fn an_id_token_that_does_not_hold_lets_nobody_in() {
    let (place, issuer) = (place().await, StandIn::start().await);
    issuer.set_up(&place, "oidc", &issuer.address).await;
    let forger = Signer::new("one");
    let stranger = Signer::new("two");
    type Lie = Box<dyn Fn(Value) -> String>;
    let sign = |key: &EncodingKey, claims: &Value| {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some("one".into());
        encode(&header, claims, key).unwrap()
    };
    let own = issuer.signer.key.clone();
    let with = move |name: &'static str, value: Value| -> Lie {
        let own = own.clone();
        Box::new(move |mut claims| {
            match value.clone() {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value,
            }
            sign(&own, &claims)
        })
    };
    let secret = EncodingKey::from_secret(issuer.signer.jwk["n"].as_str().unwrap().as_bytes());
    let mut lies: Vec<(&str, Lie)> = vec![
        ("forged", Box::new(move |claims| forger.sign(&claims))),
        (
            "of an unknown key",
            Box::new(move |claims| stranger.sign(&claims)),
        ),
        (
            "of another issuer",
            with("iss", json!("https://evil.example")),
        ),
        ("for another client", with("aud", json!("another"))),
        (
            "shared without a party",
            with("aud", json!(["a client", "another"])),
        ),
        ("of another party", with("azp", json!("another"))),
        ("of another sign-in", with("nonce", json!("another"))),
        ("over", with("exp", json!(1_700_000_000))),
        ("of the future", with("iat", json!(9_999_999_999i64))),
        ("nobody's", with("sub", json!(""))),
        (
            "signed with a shared secret",
            Box::new(move |claims| {
                let mut header = Header::new(Algorithm::HS256);
                header.kid = Some("one".into());
                encode(&header, &claims, &secret).unwrap()
            }),
        ),
        (
            "unsigned",
            Box::new(|claims| {
                let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
                format!(
                    "{}.{}.",
                    part(json!({"alg": "none", "kid": "one"})),
                    part(claims)
                )
            }),
        ),
    ];
    for claim in ["iss", "aud", "exp", "iat", "sub", "nonce"] {
        lies.push((claim, with(claim, Value::Null)));
    }
    for (what, lie) in lies {
        let mut asked = Asked::begin(&place).await;
        let claims = issuer.claims(&asked.query["nonce"], &someone());
        issuer.give_token(&lie(claims));
        let told = told(&asked.back(&place, "").await);
        assert_eq!(
            told.get("error_code").map(String::as_str),
            Some("provider_not_believed"),
            "a token that is {what}: {told:?}"
        );
    }
    let mut asked = Asked::begin(&place).await;
    let claims = issuer.claims(&asked.query["nonce"], &someone());
    issuer.give_token(&issuer.signer.sign(&claims));
    let told = told(&asked.back(&place, "").await);
    let _ = place.redeem(&told["code"]).await.expect(200);
    let says = issuer.says.lock().unwrap();
    let (form, credentials) = says.asked.last().unwrap();
    assert_eq!(form["code"], "a-code");
    assert_eq!(form["redirect_uri"], place.callback("id"));
    // "a client" and "a secret", each as a form would have it.
    assert_eq!(
        credentials.as_deref(),
        Some("Basic YStjbGllbnQ6YStzZWNyZXQ=")
    );
    assert!(!form.contains_key("client_secret"));
}

#[tokio::test]
async fn who_answers_has_to_be_who_was_asked() {
    let (place, issuer) = (place().await, StandIn::start().await);
    issuer.describe(
        "authorization_response_iss_parameter_supported",
        json!(true),
    );
    issuer.set_up(&place, "oidc", &issuer.address).await;
    let own = format!("&iss={}", issuer.address);
    for (more, code) in [
        ("&iss=https://evil.example", "provider_not_believed"),
        ("", "provider_not_believed"),
        (own.as_str(), ""),
    ] {
        let mut asked = Asked::begin(&place).await;
        let claims = issuer.claims(&asked.query["nonce"], &someone());
        issuer.give_token(&issuer.signer.sign(&claims));
        let told = told(&asked.back(&place, more).await);
        let error = told.get("error_code").map_or("", String::as_str);
        assert_eq!(error, code, "{more}");
    }
}

#[tokio::test]
async fn a_document_of_another_issuer_is_not_believed() {
    let (place, issuer) = (place().await, StandIn::start().await);
    issuer.describe("issuer", json!("https://accounts.google.com"));
    issuer.set_up(&place, "oidc", &issuer.address).await;
    let reply = Browser::default().get(&place.start("id")).await;
    assert_eq!(
        told(&reply.expect(302))["error_code"],
        "provider_unavailable"
    );
}

#[tokio::test]
async fn an_address_that_only_the_user_info_has_is_asked_for() {
    let (place, issuer) = (place().await, StandIn::start().await);
    let userinfo = format!("{}/userinfo", issuer.address);
    issuer.describe("userinfo_endpoint", json!(userinfo));
    issuer.describe(
        "token_endpoint_auth_methods_supported",
        json!(["client_secret_post"]),
    );
    issuer.set_up(&place, "oidc", &issuer.address).await;
    let email = someone();
    for (subject, accepted) in [("somebody else", false), (email.as_str(), true)] {
        let mut asked = Asked::begin(&place).await;
        let mut claims = issuer.claims(&asked.query["nonce"], &email);
        let _ = claims.as_object_mut().unwrap().remove("email");
        issuer.give_token(&issuer.signer.sign(&claims));
        issuer.says.lock().unwrap().userinfo =
            json!({"sub": subject, "email": email, "email_verified": "true"});
        let told = told(&asked.back(&place, "").await);
        assert_eq!(told.contains_key("code"), accepted, "{told:?}");
        if accepted {
            let tokens = place.redeem(&told["code"]).await.expect(200).json();
            let user = place.known(&tokens).await;
            let me = user.get("/v1/auth/me").await.expect(200).json();
            assert_eq!(
                (&me["email"], &me["email_verified"]),
                (&json!(email), &json!(true))
            );
        }
    }
    let says = issuer.says.lock().unwrap();
    let (form, credentials) = says.asked.last().unwrap();
    assert_eq!(
        (form["client_secret"].as_str(), credentials),
        ("a secret", &None)
    );
}

#[tokio::test]
async fn github_is_asked_who_it_is_and_known_by_number() {
    let (place, github) = (place().await, StandIn::start().await);
    github.set_up(&place, "github", &github.address).await;
    let email = someone();
    let address = |verified: bool| {
        json!([
            {"email": "second@example.com", "primary": false, "verified": true},
            {"email": email, "primary": true, "verified": verified},
        ])
    };
    let given = json!({"access_token": "an-access-token", "token_type": "bearer"});
    github.says.lock().unwrap().given = given;
    let number = u32::from_str_radix(&unique("n")[2..9], 16).unwrap();
    let enter = async |login: &str, verified: bool| {
        let mut says = github.says.lock().unwrap();
        says.userinfo = json!({"id": number, "login": login, "name": null});
        says.emails = address(verified);
        drop(says);
        let mut asked = Asked::begin(&place).await;
        assert_eq!(asked.query["scope"], "read:user user:email");
        told(&asked.back(&place, "").await)
    };
    let told_once = enter("octocat", true).await;
    let tokens = place.redeem(&told_once["code"]).await.expect(200).json();
    let user = place.known(&tokens).await;
    let me = user.get("/v1/auth/me").await.expect(200).json();
    assert_eq!(
        (&me["email"], &me["name"]),
        (&json!(email), &json!("octocat"))
    );
    // Another name, and the address lost: still the same account.
    let told_again = enter("renamed", false).await;
    let tokens = place.redeem(&told_again["code"]).await.expect(200).json();
    assert_eq!(place.known(&tokens).await.id, user.id);
    // GitHub says so with the status 200.
    github.says.lock().unwrap().given = json!({"error": "bad_verification_code"});
    let refused = enter("octocat", true).await;
    assert_eq!(refused["error_code"], "provider_not_believed");
    let says = github.says.lock().unwrap();
    let (form, _) = says.asked.last().unwrap();
    assert_eq!(form["client_secret"], "a secret");
    assert!(form["code_verifier"].len() >= 43);
}

#[tokio::test]
async fn an_account_of_any_microsoft_tenant_is_known_by_its_tenant() {
    let (place, issuer) = (place().await, StandIn::start().await);
    let template = format!("{}/{{tenantid}}/v2.0", issuer.address);
    issuer.describe("issuer", json!(template));
    let common = format!("{}/common/v2.0", issuer.address);
    issuer.set_up(&place, "microsoft", &common).await;
    let email = someone();
    let enter = async |tenant: &str, named: &str, verified: Value| {
        let mut asked = Asked::begin(&place).await;
        let mut claims = issuer.claims(&asked.query["nonce"], &email);
        claims["iss"] = json!(format!("{}/{named}/v2.0", issuer.address));
        claims["tid"] = json!(tenant);
        claims["xms_edov"] = verified;
        issuer.give_token(&issuer.signer.sign(&claims));
        told(&asked.back(&place, "").await)
    };
    let other = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let lied = enter(TENANT, other, json!(true)).await;
    assert_eq!(lied["error_code"], "provider_not_believed");
    let entered = enter(TENANT, TENANT, json!(true)).await;
    let tokens = place.redeem(&entered["code"]).await.expect(200).json();
    let me = place.known(&tokens).await.get("/v1/auth/me").await.json();
    assert_eq!(me["email_verified"], true);
    // The same subject of another tenant is somebody else; and a tenant's own
    // word for an address, `email_verified`, is not Microsoft's.
    let stranger = enter(other, other, Value::Null).await;
    assert_eq!(stranger["error_code"], "identity_not_linked");
}

#[tokio::test]
async fn a_provider_is_configured_by_admins_and_its_secret_is_never_shown() {
    let server = TestServer::start().await;
    let (place, issuer) = (Place::at(&server).await, StandIn::start().await);
    let admin = server.admin();
    let all = format!("/admin/v1/projects/{}/auth/providers", place.project.slug);
    let path = format!("{all}/id");
    issuer.set_up(&place, "oidc", &issuer.address).await;
    let shown = admin.get(&path).await.expect(200);
    assert!(!shown.text().contains("a secret"), "{}", shown.text());
    let shown = shown.json();
    assert_eq!(shown["has_client_secret"], true);
    assert_eq!(shown["scopes"], json!(["openid", "email", "profile"]));
    assert_eq!(shown["callback_url"], json!(place.callback("id")));
    // Without the secret the one before stays, but it goes to nobody else.
    let mut body = json!({"kind": "oidc", "issuer": issuer.address, "client_id": "a client"});
    let kept = place.put("id", body.clone()).await.expect(200).json();
    assert_eq!(kept["has_client_secret"], true);
    body["issuer"] = json!("https://elsewhere.example");
    let moved = place.put("id", body).await.expect(200).json();
    assert_eq!(moved["has_client_secret"], false);
    for (body, code) in [
        (
            json!({"kind": "ldap", "client_id": "x"}),
            "invalid_provider",
        ),
        (
            json!({"kind": "oidc", "client_id": "x"}),
            "invalid_provider",
        ),
        (
            json!({"kind": "oidc", "issuer": "ftp://x", "client_id": "x"}),
            "invalid_provider",
        ),
        (
            json!({"kind": "oidc", "issuer": "https://x?a", "client_id": "x"}),
            "invalid_provider",
        ),
        (
            json!({"kind": "google", "client_id": ""}),
            "invalid_provider",
        ),
        (
            json!({"kind": "google", "client_id": "x"}),
            "secret_required",
        ),
        (
            json!({"kind": "google", "issuer": issuer.address, "client_id": "x", "client_secret": "y"}),
            "invalid_provider",
        ),
    ] {
        let reply = place.put("bad", body.clone()).await;
        assert_eq!(reply.expect_problem(422), code, "{body}");
    }
    let google = json!({"kind": "google", "client_id": "x", "client_secret": "y"});
    let google = place.put("google", google).await.expect(200).json();
    assert_eq!(google["issuer"], "https://accounts.google.com");
    let list = admin.get(&all).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let _ = admin.delete(&path).await.expect(204);
    let _ = admin.get(&path).await.expect_problem(404);
    let _ = admin.delete(&path).await.expect_problem(404);
    let audit = admin.get("/admin/v1/audit").await.expect(200).text();
    assert!(audit.contains("auth.put_provider") && audit.contains("auth.delete_provider"));
    assert!(!audit.contains("a secret"), "{audit}");
}
