//! End users: signing up and in, access tokens, profiles, second factors.

use atlashub_tests::{PASSWORD, Project, Reply, fixture, shared, unique};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

async fn project() -> Project {
    shared().await.admin().project().await
}

/// A project with a plugin that shows who calls.
pub(crate) async fn showing_callers() -> Project {
    let admin = shared().await.admin();
    let _ = admin
        .upload(fixture("misbehave"), None)
        .await
        .expect_success();
    admin.project_with(&["misbehave"]).await
}

/// A part of a token, unverified.
fn part(token: &str, place: usize) -> Value {
    let text = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_signs_up_and_in_and_is_known() {
    let project = project().await;
    let body = json!({
        "email": " Ada@Example.com", "password": PASSWORD, "name": "Ada", "handle": "@Ada-L",
    });
    let made = project.auth("/signup", body.clone()).await.expect(201);
    let user = &made.json()["user"];
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(
        (&user["handle"], &user["name"]),
        (&json!("ada-l"), &json!("Ada"))
    );
    assert_eq!(
        (&user["role"], &user["roles"]),
        (&json!("editor"), &json!(["editor"]))
    );
    assert_eq!(user["email_verified"], false);
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(
        project.auth("/signup", body).await.expect_problem(409),
        "email_taken"
    );
    let reply = project.sign_in("ADA@example.com").await.expect(200).json();
    let mut members: Vec<_> = reply.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["access_token", "expires_in", "refresh_token", "token_type"]
    );
    assert_eq!(
        (&reply["token_type"], &reply["expires_in"]),
        (&json!("bearer"), &json!(900))
    );
    let ada = project.sign_up().await.with_tokens(&reply);
    for path in ["/v1/auth/me", "/auth/me", "/users/me"] {
        let me = ada.get(path).await.expect(200).json();
        assert_eq!(me["id"], user["id"], "{path}");
    }
}

#[tokio::test]
async fn an_access_token_says_what_the_contract_names() {
    let project = project().await;
    let user = project.sign_up().await;
    let (header, claims) = (part(&user.access, 0), part(&user.access, 1));
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("at+jwt"), &json!("EdDSA"))
    );
    assert_eq!(
        (&claims["sub"], &claims["aud"]),
        (&json!(user.id), &json!(project.id))
    );
    assert_eq!(
        (&claims["role"], &claims["roles"]),
        (&json!("editor"), &json!(["editor"]))
    );
    let seconds = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(seconds, 900);
    assert!(claims["iss"].is_string() && claims["jti"].is_string());
    let request = project.request(Method::GET, "/v1/auth/.well-known/jwks.json");
    let set = Reply::to(request).await.expect(200).json();
    let key = &set["keys"][0];
    assert_eq!(
        (&key["kid"], &key["crv"]),
        (&header["kid"], &json!("Ed25519"))
    );
    assert_eq!(key["d"], Value::Null);
}

#[tokio::test]
async fn a_project_is_named_by_its_path_as_well_as_by_a_key() {
    let project = project().await;
    let email = format!("{}@example.com", unique("u"));
    let path = format!("/p/{}/v1/auth/signup", project.slug);
    let body = json!({"email": email, "password": PASSWORD});
    let request = project.bare_request(Method::POST, &path).json(&body);
    let made = Reply::to(request).await.expect(201).json();
    let token = made["access_token"].as_str().unwrap();
    let path = format!("/p/{}/users/me", project.slug);
    let request = project.bare_request(Method::GET, &path).bearer_auth(token);
    assert_eq!(
        Reply::to(request).await.expect(200).json()["email"],
        json!(email)
    );
    let request = project
        .bare_request(Method::POST, "/v1/auth/login")
        .json(&body);
    assert_eq!(
        Reply::to(request).await.expect_problem(404),
        "project_not_named"
    );
}

#[tokio::test]
async fn wrong_credentials_look_alike() {
    let project = project().await;
    let user = project.sign_up().await;
    let wrong = json!({"email": user.email, "password": "not the password"});
    let unknown = json!({"email": "nobody@example.com", "password": PASSWORD});
    let mut answers = Vec::new();
    for body in [wrong, unknown] {
        let reply = project.auth("/login", body).await;
        assert_eq!(reply.expect_problem(401), "invalid_credentials");
        answers.push(reply.json()["detail"].clone());
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn what_is_no_account_is_refused() {
    let project = project().await;
    for (body, code) in [
        (
            json!({"email": "nonsense", "password": PASSWORD}),
            "invalid_email",
        ),
        (
            json!({"email": "a@b.c", "password": "short"}),
            "weak_password",
        ),
        (
            json!({"email": "a@b.c", "password": "password123"}),
            "weak_password",
        ),
        (
            json!({"email": "a@b.c", "password": PASSWORD, "handle": "me"}),
            "invalid_handle",
        ),
        (
            json!({"email": "a@b.c", "password": PASSWORD, "name": "x".repeat(200)}),
            "invalid_name",
        ),
    ] {
        assert_eq!(
            project.auth("/signup", body).await.expect_problem(422),
            code
        );
    }
}

#[tokio::test]
async fn a_token_of_one_project_opens_no_other() {
    let (one, two) = (project().await, project().await);
    let user = one.sign_up().await;
    let _ = user.get("/users/me").await.expect(200);
    let elsewhere = user.at(&two);
    assert_eq!(
        elsewhere.get("/users/me").await.expect_problem(401),
        "invalid_token"
    );
    let body = json!({"refresh_token": user.refresh});
    assert_eq!(
        two.auth("/refresh", body).await.expect_problem(401),
        "invalid_refresh_token"
    );
    let path = format!("/users/{}", user.id);
    assert_eq!(two.get(&path).await.expect_problem(404), "not_found");
    assert_eq!(
        one.get(&path).await.expect(200).json()["id"],
        json!(user.id)
    );
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let project = project().await;
    let user = project.sign_up().await;
    let (header, claims) = (part(&user.access, 0), part(&user.access, 1));
    let signature = user.access.rsplit('.').next().unwrap();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let with = |mut value: Value, name: &str, other: Value| {
        value[name] = other;
        value
    };
    let no_algorithm = with(header.clone(), "alg", json!("none"));
    let hmac = with(header.clone(), "alg", json!("HS256"));
    let other_key = with(header.clone(), "kid", json!(uuid::Uuid::now_v7()));
    let admin = with(claims.clone(), "roles", json!(["admin"]));
    let later = with(claims.clone(), "exp", json!(9_999_999_999i64));
    for (header, claims, signature) in [
        (&no_algorithm, &claims, ""),
        (&no_algorithm, &claims, signature),
        (&hmac, &claims, signature),
        (&other_key, &claims, signature),
        (&header, &admin, signature),
        (&header, &later, signature),
        (&header, &claims, ""),
        (&header, &claims, "AAAA"),
    ] {
        let forged = format!("{}.{}.{signature}", encode(header), encode(claims));
        let code = user
            .with_access(&forged)
            .get("/users/me")
            .await
            .expect_problem(401);
        assert_eq!(code, "invalid_token");
    }
    // A refresh token is no access token, nor is a key.
    for token in [user.refresh.as_str(), "nonsense", "a.b.c"] {
        user.with_access(token)
            .get("/users/me")
            .await
            .expect_problem(401);
    }
    let _ = user.get("/users/me").await.expect(200);
}

#[tokio::test]
async fn a_user_is_who_plugins_see_and_what_is_foreign_is_theirs() {
    let project = showing_callers().await;
    let user = project.sign_up().await;
    let caller = |reply: Reply| reply.expect(200).json()["caller"].clone();
    let seen = caller(user.get("/misbehave/request").await);
    assert_eq!(seen["id"], json!(user.id));
    assert_eq!(
        (&seen["kind"], &seen["roles"]),
        (&json!("User"), &json!(["editor"]))
    );
    // Even beside a secret key it is the user.
    let request = project.request(Method::GET, "/misbehave/request");
    let seen = caller(Reply::to(request.bearer_auth(&user.access)).await);
    assert_eq!(seen["id"], json!(user.id));
    let stale = user.with_access(&format!("{}x", user.access));
    assert_eq!(
        stale.get("/misbehave/request").await.expect_problem(401),
        "invalid_token"
    );
    let foreign = user.with_access("eyJhbGciOiJub25lIn0.eyJpc3MiOiJlbHNld2hlcmUifQ.");
    let seen = caller(foreign.get("/misbehave/request").await);
    assert_eq!(seen["kind"], "PublishableKey");
}

/// How many passwords the server has hashed.
async fn hashed(server: &atlashub_tests::TestServer) -> u64 {
    let metrics = server.admin().get("/metrics").await.expect(200).text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("atlashub_password_hashes_total "));
    line.map_or(0, |count| count.parse().expect("a number"))
}

#[tokio::test]
async fn an_unknown_address_costs_as_much_as_a_wrong_password() {
    let server = atlashub_tests::TestServer::start().await;
    let project = server.admin().project().await;
    let user = project.sign_up().await;
    let unknown = format!("{}@example.com", atlashub_tests::unique("nobody"));
    let mut answers = Vec::new();
    for email in [user.email.as_str(), unknown.as_str()] {
        let before = hashed(&server).await;
        let body = json!({"email": email, "password": "a wrong phrase"});
        let reply = project.auth("/login", body).await;
        assert_eq!(reply.expect_problem(401), "invalid_credentials");
        assert_eq!(hashed(&server).await, before + 1, "{email}");
        answers.push(reply.json()["detail"].clone());
    }
    assert_eq!(answers[0], answers[1]);
}
