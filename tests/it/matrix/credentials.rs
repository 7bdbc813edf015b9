//! Credentials that are wrong, spent or somebody else's: on every route
//! inside a project they are refused, never taken for none.

use super::{
    asks::{PLUGIN_ROUTES, dialect_routes, host_routes},
    callers::{Rank, bearer, beside, key, owner, platform_admin, user_with},
    inside::{HIDDEN, Things, Verdict, project, request, state_of, verdict},
    revoked_key,
};
use atlashub_tests::{
    Admin, DEADLINE, PASSWORD, Project, Reply, TestServer, User, totp_code, until,
};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// Bad credentials: what they are, how they are sent, the status they earn.
struct Bad {
    name: &'static str,
    present: Box<dyn Fn(RequestBuilder) -> RequestBuilder>,
    status: u16,
}

fn bad(
    name: &'static str,
    status: u16,
    present: impl Fn(RequestBuilder) -> RequestBuilder + 'static,
) -> Bad {
    Bad {
        name,
        present: Box::new(present),
        status,
    }
}

async fn keys(owner: &Admin, own: &Project, other: &Project) -> Vec<Bad> {
    let revoked = revoked_key(owner, own).await;
    let expired = expired_key(owner, own).await;
    let unknown = format!("ahs_{}", "A".repeat(43));
    let cut = &own.secret[..own.secret.len() - 1];
    vec![
        bad("a revoked key", 401, key(&revoked)),
        bad("a revoked key as bearer", 401, bearer(&revoked)),
        bad("an expired key", 401, key(&expired)),
        bad("an unknown key", 401, key(&unknown)),
        bad("a key cut short", 401, key(cut)),
        bad("another project's secret key", 400, key(&other.secret)),
        bad(
            "another project's publishable key",
            400,
            key(&other.publishable),
        ),
        bad(
            "two different keys",
            400,
            beside(&own.publishable, &own.secret),
        ),
    ]
}

async fn expired_key(owner: &Admin, project: &Project) -> String {
    let soon = OffsetDateTime::now_utc() + Duration::SECOND;
    let body = json!({"kind": "secret", "expires_at": soon.format(&Rfc3339).unwrap()});
    let path = format!("/admin/v1/projects/{}/keys", project.slug);
    let made = owner.post(&path, body).await.expect(201).json();
    let made = made["key"].as_str().unwrap().to_owned();
    until_refused(project, key(&made)).await;
    made
}

/// The access token of a session that is an hour old: nothing but time has
/// passed, for the session can still be renewed.
async fn expired_token(project: &Project, early: &User) -> [Bad; 2] {
    let [_, claims] = parts(&early.access);
    let ended = OffsetDateTime::from_unix_timestamp(claims["exp"].as_i64().unwrap()).unwrap();
    assert!(ended < OffsetDateTime::now_utc(), "it has not expired");
    let renewal = json!({"refresh_token": early.refresh});
    let renewed = project.auth("/refresh", renewal).await.expect(200).json();
    let renewed = early.with_tokens(&renewed);
    let _ = renewed.get("/v1/auth/me").await.expect(200);
    [&project.publishable, &project.secret]
        .map(|key| bad("a token that has expired", 401, beside(key, &early.access)))
}

/// Waits until a credential has come to its end by the clock.
async fn until_refused(project: &Project, present: impl Fn(RequestBuilder) -> RequestBuilder) {
    let path = format!("/p/{}/hello", project.slug);
    until("the end of a credential", DEADLINE, || async {
        let request = project.bare_request(Method::GET, &path);
        (Reply::to(present(request)).await.status == 401).then_some(())
    })
    .await;
}

/// The two readable parts of a token.
fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    });
    [parts.next().unwrap(), parts.next().unwrap()]
}

fn written(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Tokens that somebody else made for the user `of`, to be more than that.
fn forged(of: &User, public_key: &str) -> Vec<(&'static str, String)> {
    let [header, claims] = parts(&of.access);
    let signature = of.access.rsplit('.').next().unwrap();
    let mut more = claims.clone();
    more["role"] = json!("admin");
    more["roles"] = json!(["admin"]);
    let mut later = claims.clone();
    later["exp"] = json!(99_999_999_999_i64);
    let mut unsigned = header.clone();
    unsigned["alg"] = json!("none");
    let with = |algorithm: Algorithm, key: &EncodingKey| {
        let mut own = Header::new(algorithm);
        own.typ = header["typ"].as_str().map(str::to_owned);
        own.kid = header["kid"].as_str().map(str::to_owned);
        encode(&own, &more, key).unwrap()
    };
    let stranger = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap();
    let mut cut = of.access.clone();
    let _ = cut.pop();
    vec![
        (
            "a token with other roles in it",
            format!("{}.{}.{signature}", written(&header), written(&more)),
        ),
        (
            "a token that was made longer-lived",
            format!("{}.{}.{signature}", written(&header), written(&later)),
        ),
        (
            "a token without a signature",
            format!("{}.{}.", written(&unsigned), written(&more)),
        ),
        (
            "a token signed with the public key",
            with(
                Algorithm::HS256,
                &EncodingKey::from_secret(public_key.as_bytes()),
            ),
        ),
        (
            "a token signed by a stranger",
            with(
                Algorithm::EdDSA,
                &EncodingKey::from_ed_der(stranger.as_ref()),
            ),
        ),
        ("a token cut short", cut),
    ]
}

async fn tokens(owner: &Admin, own: &Project, other: &Project) -> Vec<Bad> {
    let user = user_with(owner, own, json!(["viewer"])).await;
    let jwks = format!("/p/{}/v1/auth/.well-known/jwks.json", own.slug);
    let jwks = Reply::to(own.bare_request(Method::GET, &jwks)).await;
    let public_key = jwks.expect(200).json()["keys"][0]["x"].clone();
    let mut tokens = forged(&user, public_key.as_str().unwrap());
    let foreign = user_with(owner, other, json!(["admin"])).await;
    tokens.push(("a token of another project's admin", foreign.access));

    let out = user_with(owner, own, json!(["admin"])).await;
    let _ = out.post("/v1/auth/logout", json!({})).await.expect(204);
    tokens.push(("a token of a session that was ended", out.access));
    let accounts = format!("/admin/v1/projects/{}/users", own.slug);
    let shut_out = user_with(owner, own, json!(["admin"])).await;
    let path = format!("{accounts}/{}", shut_out.id);
    let changed = owner.patch(&path, json!({"disabled": true})).await;
    let _ = changed.expect(200);
    tokens.push(("a token of a user who was shut out", shut_out.access));
    let gone = user_with(owner, own, json!(["admin"])).await;
    let _ = owner
        .delete(&format!("{accounts}/{}", gone.id))
        .await
        .expect(204);
    tokens.push(("a token of a user who was deleted", gone.access));

    let mut all = Vec::new();
    for (name, token) in tokens {
        all.push(bad(name, 401, beside(&own.publishable, &token)));
        // It does not become more beside a key that may do everything.
        all.push(bad(name, 401, beside(&own.secret, &token)));
    }
    let ended = platform_admin(owner, "admin").await;
    let session = owner.with_session(&ended);
    let _ = session.delete("/admin/v1/session").await.expect_success();
    all.push(bad(
        "a platform session that was ended",
        401,
        bearer(&ended),
    ));
    all.push(bad("a wrong development token", 401, |request| {
        request.header("x-dev-admin-token", "development")
    }));
    all
}

#[tokio::test]
async fn bad_credentials_are_refused_on_every_route_of_a_project() {
    let mut server = TestServer::builder().ten_minutes_ago().start().await;
    let owner = owner(&server).await;
    let own = project(&owner).await;
    let settings = format!("/admin/v1/projects/{}/auth", own.slug);
    let known = owner.get(&settings).await.expect(200).json();
    let short = json!({"access_token_seconds": 120});
    let _ = owner.put(&settings, short).await.expect(200);
    let early = user_with(&owner, &own, json!(["admin"])).await;
    let usual = json!({"access_token_seconds": known["access_token_seconds"]});
    let _ = owner.put(&settings, usual).await.expect(200);
    server.return_to_now().await;
    let expired = expired_token(&own, &early).await;
    let other = owner.project_with(&["hello"]).await;
    let mut all = keys(&owner, &own, &other).await;
    all.extend(tokens(&owner, &own, &other).await);
    all.extend(expired);
    let plugins = PLUGIN_ROUTES
        .iter()
        .map(|(method, path, _)| (*method, (*path).to_owned()));
    let hosts = host_routes()
        .into_iter()
        .map(|(method, path, _)| (method, path));
    let things = Things::make(&owner, &own).await;
    let before = state_of(&owner, &own).await;
    let dialect = dialect_routes()
        .into_iter()
        .map(|(method, path, _)| (method, path));
    for (method, path) in plugins.chain(hosts).chain(dialect) {
        for bad in &all {
            let request = request(&own, method, &path, &things);
            let reply = Reply::to((bad.present)(request)).await;
            let what = format!("{} at {method} {path}: {}", bad.name, reply.text());
            assert_eq!(reply.status, bad.status, "{what}");
            if !path.starts_with("/auth/v1/") {
                reply.expect_problem(bad.status);
            }
            assert!(!reply.text().contains(HIDDEN), "{what}");
        }
    }
    let after = state_of(&owner, &own).await;
    assert_eq!(after, before, "a refused request has changed something");
}

#[tokio::test]
async fn an_admins_session_that_has_expired_opens_no_route() {
    let server = TestServer::builder()
        .env("ATLASHUB_ADMIN_SESSION_MINUTES", "5")
        .ten_minutes_ago();
    let mut server = server.start().await;
    let owner = owner(&server).await;
    let own = project(&owner).await;
    let ended = platform_admin(&owner, "owner").await;
    let things = Things::make(&owner, &own).await;
    let _ = owner
        .with_session(&ended)
        .get("/admin/v1/projects")
        .await
        .expect(200);
    server.return_to_now().await;
    let admin = server.admin();
    let session = admin.with_session(&ended);
    for (method, path, access) in super::all_routes() {
        if matches!(access, super::Open | super::Link | super::User) {
            continue;
        }
        let address = super::address(&admin, &own, path).await;
        let cookie = format!("__Host-atlashub={ended}");
        let by_cookie = super::request(&admin.anonymous(), method, &address);
        for request in [
            super::request(&session, method, &address),
            by_cookie.header("cookie", &cookie),
        ] {
            let reply = Reply::to(request).await;
            assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text());
            assert!(!reply.text().contains(&own.id), "{}", reply.text());
        }
    }
    let before = state_of(&admin, &own).await;
    for (method, path, _) in PLUGIN_ROUTES {
        let request = bearer(&ended)(request(&own, method, path, &things));
        let reply = Reply::to(request).await;
        assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text());
        assert!(!reply.text().contains(HIDDEN), "{method} {path}");
    }
    let after = state_of(&admin, &own).await;
    assert_eq!(after, before, "a refused request has changed something");
}

/// The token of a session that awaits the second factor of a project's admin.
async fn awaiting(owner: &Admin, project: &Project) -> String {
    let user = user_with(owner, project, json!(["admin"])).await;
    let made = user.post("/v1/auth/totp/enroll", json!({})).await;
    let made = made.expect(200).json();
    let code = totp_code(made["secret"].as_str().unwrap(), 0);
    let verify = user.post("/v1/auth/totp/verify", json!({"code": code}));
    let _ = verify.await.expect(204);
    let path = "/auth/v1/token?grant_type=password";
    let request = project.bare_request(Method::POST, path);
    let request = request.header("apikey", &project.publishable);
    let body = json!({"email": user.email, "password": PASSWORD});
    let tokens = Reply::to(request.json(&body)).await.expect(200).json();
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_that_awaits_its_second_factor_opens_no_route() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let own = project(&owner).await;
    let token = awaiting(&owner, &own).await;
    let things = Things::make(&owner, &own).await;
    let before = state_of(&owner, &own).await;
    let plugins = PLUGIN_ROUTES
        .iter()
        .map(|(method, path, _)| (*method, (*path).to_owned()));
    let hosts = host_routes()
        .into_iter()
        .map(|(method, path, _)| (method, path));
    for (method, path) in plugins.chain(hosts) {
        // Nor beside a key that may do everything.
        for key in [&own.publishable, &own.secret] {
            let request = request(&own, method, &path, &things);
            let reply = Reply::to(beside(key, &token)(request)).await;
            let what = format!("{method} {path}: {}", reply.text());
            assert_eq!(reply.status, 401, "{what}");
            assert_eq!(reply.expect_problem(401), "totp_required", "{what}");
        }
    }
    let after = state_of(&owner, &own).await;
    assert_eq!(after, before, "a refused request has changed something");
}

#[tokio::test]
async fn an_app_password_is_nothing_where_it_is_not_taken() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let own = project(&owner).await;
    let user = user_with(&owner, &own, json!(["admin"])).await;
    let made = user.post("/v1/auth/app-passwords", json!({"name": "drive"}));
    let made = made.await.expect(201).json();
    let password = made["password"].as_str().unwrap();
    let things = Things::make(&owner, &own).await;
    let before = state_of(&owner, &own).await;
    let plugins = PLUGIN_ROUTES
        .iter()
        .filter(|(_, path, _)| !path.starts_with("/dav"))
        .map(|(method, path, asks)| (*method, (*path).to_owned(), *asks));
    for (method, path, asks) in plugins.chain(host_routes()) {
        let Verdict::Refused(status) = verdict(asks, Rank::Nobody) else {
            continue;
        };
        let request = request(&own, method, &path, &things);
        let reply = Reply::to(request.basic_auth(&user.email, Some(password))).await;
        let what = format!("{method} {path}: {}", reply.text());
        assert_eq!(reply.status, status, "{what}");
        assert!(!reply.text().contains(HIDDEN), "{what}");
    }
    let after = state_of(&owner, &own).await;
    assert_eq!(after, before, "a refused request has changed something");
}
