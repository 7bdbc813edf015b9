//! Entry through Cloudflare Access, with a stand-in for the team's key
//! server.

use crate::signer::Signer;
use atlashub_tests::{Admin, Reply, TestServer};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

const AUDIENCE: &str = "a-tag-of-the-application";
const OWNER: &str = "owner@example.com";

/// The team's key server: answers `keys`, or nothing useful without any.
struct Team {
    address: String,
    state: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    keys: Vec<Value>,
    asked: usize,
}

impl Team {
    async fn start(signer: &Signer) -> Self {
        let state = Arc::new(Mutex::new(Said {
            keys: vec![signer.jwk.clone()],
            asked: 0,
        }));
        let app = Router::new()
            .route("/cdn-cgi/access/certs", get(certs))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(tokio::spawn(
            async move { axum::serve(listener, app).await },
        ));
        Self { address, state }
    }

    /// A server behind this team, with its first owner.
    async fn server(&self, default_role: &str) -> TestServer {
        let server = TestServer::builder()
            .env("ATLASHUB_ENV", "development")
            .env("ATLASHUB_ACCESS_TEAM", &self.address)
            .env("ATLASHUB_ACCESS_AUDIENCE", AUDIENCE)
            .env("ATLASHUB_ACCESS_DEFAULT_ROLE", default_role)
            .start()
            .await;
        let body = json!({"email": OWNER, "password": "a long and honest pass phrase"});
        let admin = server.admin().anonymous();
        let _ = admin.post("/admin/v1/setup", body).await.expect(201);
        server
    }

    /// What Access says of somebody who has just signed in.
    fn claims(&self, email: &str) -> Value {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({
            "iss": self.address, "aud": [AUDIENCE], "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
            "email": email, "iat": now, "nbf": now, "exp": now + 600, "type": "app",
        })
    }
}

async fn certs(State(state): State<Arc<Mutex<Said>>>) -> Result<Json<Value>, StatusCode> {
    let mut said = state.lock().unwrap();
    said.asked += 1;
    if said.keys.is_empty() {
        return Err(StatusCode::BAD_GATEWAY);
    }
    Ok(Json(json!({"keys": said.keys, "public_certs": []})))
}

async fn get_with(admin: &Admin, assertion: &str, path: &str) -> Reply {
    let request = admin.anonymous().request(Method::GET, path);
    Reply::to(request.header("cf-access-jwt-assertion", assertion)).await
}

#[tokio::test]
async fn an_admin_comes_in_with_an_assertion() {
    let signer = Signer::new("one");
    let team = Team::start(&signer).await;
    let server = team.server("").await;
    let admin = server.admin();
    let good = signer.sign(&team.claims("Owner@Example.com"));
    for _ in 0..3 {
        let reply = get_with(&admin, &good, "/admin/v1/session").await;
        assert_eq!(reply.expect(200).json()["admin"]["role"], "owner");
    }
    assert_eq!(team.state.lock().unwrap().asked, 1);
    let stranger = signer.sign(&team.claims("stranger@example.com"));
    let reply = get_with(&admin, &stranger, "/admin/v1/session").await;
    assert_eq!(reply.expect_problem(403), "not_an_admin");
}

#[tokio::test]
async fn an_assertion_that_does_not_hold_lets_nobody_in() {
    let (signer, forger) = (Signer::new("one"), Signer::new("one"));
    let team = Team::start(&signer).await;
    let server = team.server("").await;
    let admin = server.admin();
    let good = team.claims(OWNER);
    let now = good["iat"].as_u64().unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        signer.sign(&claims)
    };
    let mut bad = vec![
        ("forged", forger.sign(&good)),
        (
            "of another issuer",
            with("iss", json!("https://evil.example")),
        ),
        ("for another application", with("aud", json!(["another"]))),
        ("expired", with("exp", json!(now - 60))),
        ("of tomorrow", with("nbf", json!(now + 86_400))),
        ("of a service", with("email", Value::Null)),
        ("of another kind", with("type", json!("org"))),
        ("nonsense", "a.b.c".to_owned()),
        ("too long", "x".repeat(9_000)),
    ];
    for claim in ["iss", "aud", "sub", "exp", "iat"] {
        bad.push((claim, with(claim, Value::Null)));
    }
    // The public key as a shared secret, and no signature at all.
    let secret = EncodingKey::from_secret(signer.jwk["n"].as_str().unwrap().as_bytes());
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".into());
    bad.push((
        "of another algorithm",
        encode(&header, &good, &secret).unwrap(),
    ));
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = json!({"alg": "none", "kid": "one"});
    bad.push((
        "unsigned",
        format!("{}.{}.", part(unsigned), part(good.clone())),
    ));
    for (what, assertion) in bad {
        let reply = get_with(&admin, &assertion, "/admin/v1/session").await;
        assert_eq!(
            reply.status,
            401,
            "one {what} was answered {}",
            reply.text()
        );
    }
    let good = signer.sign(&good);
    let _ = get_with(&admin, &good, "/admin/v1/session")
        .await
        .expect(200);
}

#[tokio::test]
async fn keys_that_nobody_has_are_not_asked_for_again_and_again() {
    let signer = Signer::new("one");
    let team = Team::start(&signer).await;
    let server = team.server("").await;
    let admin = server.admin();
    for kid in 0..20 {
        let other = Signer {
            kid: format!("unknown-{kid}"),
            key: signer.key.clone(),
            jwk: Value::Null,
        };
        let assertion = other.sign(&team.claims(OWNER));
        get_with(&admin, &assertion, "/admin/v1/session")
            .await
            .expect_problem(401);
    }
    let asked = team.state.lock().unwrap().asked;
    assert!(asked <= 3, "asked {asked} times");
}

#[tokio::test]
async fn without_an_answer_nobody_comes_in() {
    let signer = Signer::new("one");
    let team = Team::start(&signer).await;
    team.state.lock().unwrap().keys.clear();
    let server = team.server("").await;
    let good = signer.sign(&team.claims(OWNER));
    let reply = get_with(&server.admin(), &good, "/admin/v1/session").await;
    assert_eq!(reply.expect_problem(503), "access_unavailable");
}

#[tokio::test]
async fn whom_access_lets_in_may_become_an_admin() {
    let signer = Signer::new("one");
    let team = Team::start(&signer).await;
    let server = team.server("viewer").await;
    let admin = server.admin();
    let good = signer.sign(&team.claims("new@example.com"));
    let reply = get_with(&admin, &good, "/admin/v1/session").await;
    assert_eq!(reply.expect(200).json()["admin"]["role"], "viewer");
    // With no password, there is none that fits.
    for password in ["", "a long and honest pass phrase"] {
        let body = json!({"email": "new@example.com", "password": password});
        let reply = admin.anonymous().post("/admin/v1/session", body).await;
        assert_eq!(reply.expect_problem(401), "invalid_credentials");
    }
    // Shut out here is shut out, whatever Access says.
    let list = admin.get("/admin/v1/admins").await.expect(200).json();
    let newcomer = &list["items"][1];
    assert_eq!(newcomer["has_password"], false);
    let path = format!("/admin/v1/admins/{}", newcomer["id"].as_str().unwrap());
    let _ = admin
        .patch(&path, json!({"disabled": true}))
        .await
        .expect(200);
    let reply = get_with(&admin, &good, "/admin/v1/session").await;
    assert_eq!(reply.expect_problem(403), "not_an_admin");
}

#[tokio::test]
async fn an_assertion_cannot_be_used_from_another_site() {
    let signer = Signer::new("one");
    let team = Team::start(&signer).await;
    let server = team.server("").await;
    let good = signer.sign(&team.claims(OWNER));
    let create = |site: &str| {
        let request = server
            .admin()
            .anonymous()
            .request(Method::POST, "/admin/v1/projects")
            .header("cf-access-jwt-assertion", &good)
            .header("sec-fetch-site", site)
            .json(&json!({"name": "Shop"}));
        Reply::to(request)
    };
    assert_eq!(create("cross-site").await.expect_problem(403), "cross_site");
    let _ = create("same-origin").await.expect(201);
}

#[tokio::test]
async fn a_host_without_access_takes_no_assertion() {
    let signer = Signer::new("one");
    let team = Team::start(&signer).await;
    let server = TestServer::start().await;
    let good = signer.sign(&team.claims(OWNER));
    let reply = get_with(&server.admin(), &good, "/admin/v1/session").await;
    assert_eq!(reply.expect_problem(401), "unauthenticated");
}

#[tokio::test]
async fn half_a_configuration_of_access_is_refused() {
    let log = TestServer::refused(&[("ATLASHUB_ACCESS_TEAM", "acme")]).await;
    assert!(log.contains("ATLASHUB_ACCESS_AUDIENCE"), "{log}");
}
