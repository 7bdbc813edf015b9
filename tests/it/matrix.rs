//! Who reaches which route of the host: every route times every kind of
//! caller. The routes come from the server's own description, so that one
//! without a row here fails the test.

mod asks;
mod callers;
mod credentials;
mod inside;
mod repeated;
mod roles;

use atlashub_tests::{Admin, Project, Reply, TestServer};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Nothing: it says no more than anybody may know.
    Open,
    /// A link that the host signed.
    Link,
    /// A signed-in end user of the project.
    User,
    /// A platform admin of any role.
    Viewer,
    /// A platform admin who may change things.
    Admin,
    /// A platform admin who decides about others.
    Owner,
}
use Access::{Admin as ForAdmin, Link, Open, Owner, User, Viewer};

/// Every route and what it asks.
const ROUTES: &[(&str, &str, Access)] = &[
    ("GET", "/healthz", Open),
    ("GET", "/readyz", Open),
    ("GET", "/metrics", Viewer),
    ("GET", "/_/blob/{token}", Link),
    ("PUT", "/_/blob/{token}", Link),
    ("GET", "/_/backup/{token}", Link),
    ("GET", "/admin/v1/backups", Viewer),
    ("POST", "/admin/v1/backups", ForAdmin),
    ("GET", "/admin/v1/backups/{id}", Viewer),
    ("DELETE", "/admin/v1/backups/{id}", ForAdmin),
    ("GET", "/admin/v1/backups/{id}/download", Viewer),
    ("POST", "/admin/v1/backups/{id}/verify", ForAdmin),
    ("POST", "/admin/v1/backups/{id}/restore", ForAdmin),
    ("GET", "/admin/v1/backup-runs/{id}", Viewer),
    ("GET", "/admin/v1/backup-policy", Viewer),
    ("PUT", "/admin/v1/backup-policy", ForAdmin),
    ("GET", "/admin/v1/projects/{project}/backups", Viewer),
    ("POST", "/admin/v1/projects/{project}/backups", ForAdmin),
    ("GET", "/admin/v1/projects/{project}/backups/{id}", Viewer),
    (
        "DELETE",
        "/admin/v1/projects/{project}/backups/{id}",
        ForAdmin,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/backups/{id}/download",
        Viewer,
    ),
    (
        "POST",
        "/admin/v1/projects/{project}/backups/{id}/verify",
        ForAdmin,
    ),
    (
        "POST",
        "/admin/v1/projects/{project}/backups/{id}/restore",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/backup-policy", Viewer),
    (
        "PUT",
        "/admin/v1/projects/{project}/backup-policy",
        ForAdmin,
    ),
    ("GET", "/admin/v1/setup", Open),
    ("POST", "/admin/v1/setup", Open),
    ("POST", "/admin/v1/session", Open),
    ("GET", "/admin/v1/session", Viewer),
    ("DELETE", "/admin/v1/session", Viewer),
    ("PUT", "/admin/v1/session/password", Viewer),
    ("POST", "/admin/v1/session/totp", Viewer),
    ("DELETE", "/admin/v1/session/totp", Viewer),
    ("POST", "/admin/v1/session/totp/verify", Viewer),
    ("GET", "/admin/v1/admins", Viewer),
    ("GET", "/admin/v1/admins/{id}", Viewer),
    ("PATCH", "/admin/v1/admins/{id}", Owner),
    ("DELETE", "/admin/v1/admins/{id}", Owner),
    ("DELETE", "/admin/v1/admins/{id}/totp", Owner),
    ("GET", "/admin/v1/invitations", Owner),
    ("POST", "/admin/v1/invitations", Owner),
    ("DELETE", "/admin/v1/invitations/{id}", Owner),
    ("POST", "/admin/v1/invitations/accept", Open),
    ("GET", "/admin/v1/audit", Viewer),
    ("GET", "/admin/v1/audit/export", Viewer),
    ("GET", "/admin/v1/migrations", Viewer),
    ("GET", "/admin/v1/plugins", Viewer),
    ("POST", "/admin/v1/plugins", ForAdmin),
    ("GET", "/admin/v1/plugins/{plugin}", Viewer),
    ("GET", "/admin/v1/projects", Viewer),
    ("POST", "/admin/v1/projects", ForAdmin),
    ("GET", "/admin/v1/projects/{project}", Viewer),
    ("PATCH", "/admin/v1/projects/{project}", ForAdmin),
    ("DELETE", "/admin/v1/projects/{project}", ForAdmin),
    ("GET", "/admin/v1/projects/{project}/domains", Viewer),
    ("POST", "/admin/v1/projects/{project}/domains", ForAdmin),
    (
        "DELETE",
        "/admin/v1/projects/{project}/domains/{host}",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/keys", Viewer),
    ("POST", "/admin/v1/projects/{project}/keys", ForAdmin),
    ("DELETE", "/admin/v1/projects/{project}/keys/{id}", ForAdmin),
    (
        "POST",
        "/admin/v1/projects/{project}/keys/{id}/rotate",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/plugins", Viewer),
    (
        "GET",
        "/admin/v1/projects/{project}/plugins/{plugin}",
        Viewer,
    ),
    (
        "PUT",
        "/admin/v1/projects/{project}/plugins/{plugin}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/plugins/{plugin}",
        ForAdmin,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/plugins/{plugin}/logs",
        Viewer,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/plugins/{plugin}/metrics",
        Viewer,
    ),
    (
        "POST",
        "/admin/v1/projects/{project}/plugins/{plugin}/page-token",
        Viewer,
    ),
    ("GET", "/admin/v1/projects/{project}/series", Viewer),
    ("GET", "/admin/v1/series", Viewer),
    ("GET", "/admin/v1/series/projects", Viewer),
    ("GET", "/admin/v1/projects/{project}/migrations", Viewer),
    ("GET", "/admin/v1/projects/{project}/migrations.sql", Viewer),
    ("GET", "/admin/v1/projects/{project}/openapi.json", Viewer),
    ("GET", "/admin/v1/projects/{project}/types.ts", Viewer),
    ("GET", "/admin/v1/projects/{project}/tables", Viewer),
    ("POST", "/admin/v1/projects/{project}/tables", ForAdmin),
    ("GET", "/admin/v1/projects/{project}/tables/{table}", Viewer),
    (
        "PATCH",
        "/admin/v1/projects/{project}/tables/{table}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/tables/{table}",
        ForAdmin,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/tables/{table}/rows",
        Viewer,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/tables/{table}/policies",
        Viewer,
    ),
    (
        "PUT",
        "/admin/v1/projects/{project}/tables/{table}/policies/{name}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/tables/{table}/policies/{name}",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/queue", Viewer),
    ("GET", "/admin/v1/projects/{project}/queue/counts", Viewer),
    ("GET", "/admin/v1/projects/{project}/queue/{id}", Viewer),
    (
        "POST",
        "/admin/v1/projects/{project}/queue/{id}/retry",
        ForAdmin,
    ),
    (
        "POST",
        "/admin/v1/projects/{project}/queue/{id}/cancel",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/schedules", Viewer),
    ("GET", "/admin/v1/projects/{project}/schedules/{id}", Viewer),
    (
        "POST",
        "/admin/v1/projects/{project}/schedules/{id}/pause",
        ForAdmin,
    ),
    (
        "POST",
        "/admin/v1/projects/{project}/schedules/{id}/resume",
        ForAdmin,
    ),
    (
        "POST",
        "/admin/v1/projects/{project}/schedules/{id}/run",
        ForAdmin,
    ),
    ("POST", "/admin/v1/projects/{project}/sql", ForAdmin),
    (
        "POST",
        "/admin/v1/projects/{project}/sql/{id}/cancel",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/sql/history", Viewer),
    ("GET", "/admin/v1/projects/{project}/sql/saved", Viewer),
    ("POST", "/admin/v1/projects/{project}/sql/saved", ForAdmin),
    (
        "PUT",
        "/admin/v1/projects/{project}/sql/saved/{id}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/sql/saved/{id}",
        ForAdmin,
    ),
    ("PUT", "/admin/v1/projects/{project}/quota", ForAdmin),
    ("POST", "/admin/v1/projects/{project}/check", ForAdmin),
    ("POST", "/admin/v1/projects/{project}/export", ForAdmin),
    ("POST", "/admin/v1/projects/{project}/import", ForAdmin),
    ("POST", "/admin/v1/check", ForAdmin),
    ("GET", "/admin/v1/settings", Viewer),
    ("POST", "/admin/v1/settings/mail", ForAdmin),
    ("GET", "/admin/v1/projects/{project}/requests", Viewer),
    ("GET", "/admin/v1/projects/{project}/logs", Viewer),
    ("GET", "/admin/v1/projects/{project}/usage", Viewer),
    ("GET", "/admin/v1/projects/{project}/auth", Viewer),
    ("PUT", "/admin/v1/projects/{project}/auth", ForAdmin),
    (
        "POST",
        "/admin/v1/projects/{project}/auth/keys/rotate",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/users", Viewer),
    ("POST", "/admin/v1/projects/{project}/users", ForAdmin),
    ("GET", "/admin/v1/projects/{project}/users/{id}", Viewer),
    ("PATCH", "/admin/v1/projects/{project}/users/{id}", ForAdmin),
    (
        "DELETE",
        "/admin/v1/projects/{project}/users/{id}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/users/{id}/totp",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/users/{id}/avatar",
        ForAdmin,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/users/{id}/app-passwords",
        Viewer,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/users/{id}/app-passwords/{password}",
        ForAdmin,
    ),
    (
        "GET",
        "/admin/v1/projects/{project}/users/{id}/sessions",
        Viewer,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/users/{id}/sessions",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/users/{id}/sessions/{session}",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/permissions", Viewer),
    ("GET", "/admin/v1/projects/{project}/roles", Viewer),
    ("POST", "/admin/v1/projects/{project}/roles", ForAdmin),
    (
        "PATCH",
        "/admin/v1/projects/{project}/roles/{name}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/roles/{name}",
        ForAdmin,
    ),
    ("GET", "/admin/v1/projects/{project}/auth/providers", Viewer),
    (
        "GET",
        "/admin/v1/projects/{project}/auth/providers/{name}",
        Viewer,
    ),
    (
        "PUT",
        "/admin/v1/projects/{project}/auth/providers/{name}",
        ForAdmin,
    ),
    (
        "DELETE",
        "/admin/v1/projects/{project}/auth/providers/{name}",
        ForAdmin,
    ),
    ("GET", "/v1/auth/oauth/{provider}", Open),
    ("GET", "/v1/auth/oauth/{provider}/callback", Open),
    ("POST", "/v1/auth/oauth/token", Open),
    ("GET", "/v1/auth/identities", User),
    ("POST", "/v1/auth/identities", User),
    ("DELETE", "/v1/auth/identities/{id}", User),
    ("POST", "/v1/auth/signup", Open),
    ("POST", "/v1/auth/login", Open),
    ("POST", "/v1/auth/refresh", Open),
    ("POST", "/v1/auth/logout", User),
    ("GET", "/v1/auth/me", User),
    ("PUT", "/v1/auth/me", User),
    ("PUT", "/v1/auth/password", User),
    ("GET", "/v1/auth/sessions", User),
    ("DELETE", "/v1/auth/sessions/{id}", User),
    ("GET", "/v1/auth/app-passwords", User),
    ("POST", "/v1/auth/app-passwords", User),
    ("DELETE", "/v1/auth/app-passwords/{id}", User),
    ("POST", "/v1/auth/totp/enroll", User),
    ("POST", "/v1/auth/totp/verify", User),
    ("DELETE", "/v1/auth/totp", User),
    ("GET", "/v1/auth/.well-known/jwks.json", Open),
    ("GET", "/users/{id}", Open),
    ("GET", "/users/{id}/avatar", Open),
    ("POST", "/users/me/avatar", User),
    ("DELETE", "/users/me/avatar", User),
    ("POST", "/v1/auth/forgot-password", Open),
    ("POST", "/v1/auth/reset-password", Open),
    ("POST", "/v1/auth/verify-email", Open),
    ("POST", "/v1/auth/magic-link", Open),
    ("GET", "/v1/auth/confirm", Open),
    ("POST", "/v1/auth/confirm", Open),
    (
        "POST",
        "/admin/v1/projects/{project}/users/{id}/invite",
        ForAdmin,
    ),
];

const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "a long and honest pass phrase";

/// Somebody who is no admin, though they may hold something that looks so.
struct Stranger {
    name: &'static str,
    present: Box<dyn Fn(RequestBuilder) -> RequestBuilder>,
}

fn stranger(
    name: &'static str,
    present: impl Fn(RequestBuilder) -> RequestBuilder + 'static,
) -> Stranger {
    Stranger {
        name,
        present: Box::new(present),
    }
}

/// A JWT that nobody signed, for the owner of everything.
fn unsigned_token() -> String {
    // {"alg":"none","typ":"JWT"} . {"sub":"owner","role":"owner","exp":99999999999}
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJvd25lciIsInJvbGUiOiJvd25lciIsImV4cCI6OTk5OTk5OTk5OTl9.".to_owned()
}

/// Other names of routes in [`ROUTES`], which the description leaves out.
const ALIASES: &[(&str, &str, Access)] = &[("GET", "/admin/logs", Viewer)];

/// Every route by every name.
fn all_routes() -> impl Iterator<Item = &'static (&'static str, &'static str, Access)> {
    ROUTES.iter().chain(ALIASES)
}

async fn strangers(admin: &Admin, own: &Project, other: &Project) -> Vec<Stranger> {
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let nobody = admin.anonymous();
    let session = nobody
        .post("/admin/v1/session", body)
        .await
        .expect_success();
    let token = session.json()["token"].as_str().unwrap().to_owned();
    let ended = admin.with_session(&token);
    let _ = ended.delete("/admin/v1/session").await.expect_success();
    let revoked = revoked_key(admin, own).await;
    let key = |key: &str| {
        let key = key.to_owned();
        move |request: RequestBuilder| request.header("x-api-key", &key)
    };
    let bearer = |token: &str| {
        let token = token.to_owned();
        move |request: RequestBuilder| request.bearer_auth(&token)
    };
    vec![
        stranger("nobody", |request| request),
        stranger("a publishable key", key(&own.publishable)),
        stranger("a secret key", key(&own.secret)),
        stranger("a secret key as bearer", bearer(&own.secret)),
        stranger("another project's secret key", key(&other.secret)),
        stranger("a revoked key", key(&revoked)),
        stranger("a session that was ended", bearer(&token)),
        stranger("a cookie of a session that was ended", move |request| {
            request.header("cookie", format!("__Host-atlashub={token}"))
        }),
        stranger("an unsigned token", bearer(&unsigned_token())),
        stranger("a wrong development token", |request| {
            request.header("x-dev-admin-token", "development")
        }),
        stranger("an assertion that nobody signed", |request| {
            request.header("cf-access-jwt-assertion", unsigned_token())
        }),
    ]
}

/// Users of the project: at home there, and strangers to the admins' routes.
async fn users(admin: &Admin, own: &Project) -> Vec<Stranger> {
    let user = own.sign_up().await;
    let trusted = callers::user_with(admin, own, json!(["admin"])).await;
    vec![
        stranger("an end user", callers::bearer(&user.access)),
        stranger(
            "an end user's refresh token",
            callers::bearer(&user.refresh),
        ),
        stranger("a project's admin", callers::bearer(&trusted.access)),
        stranger(
            "a project's admin beside its secret key",
            callers::beside(&own.secret, &trusted.access),
        ),
    ]
}

async fn revoked_key(admin: &Admin, project: &Project) -> String {
    let keys = format!("/admin/v1/projects/{}/keys", project.slug);
    let made = admin
        .post(&keys, json!({"kind": "secret"}))
        .await
        .expect(201)
        .json();
    let id = made["id"].as_str().unwrap();
    let _ = admin.delete(&format!("{keys}/{id}")).await.expect_success();
    made["key"].as_str().unwrap().to_owned()
}

/// The route's address with the project's own parts in it.
async fn address(admin: &Admin, project: &Project, path: &str) -> String {
    let keys = admin
        .get(&format!("/admin/v1/projects/{}/keys", project.slug))
        .await
        .expect(200)
        .json();
    let id = keys["items"][0]["id"].as_str().unwrap();
    path.replace("{project}", &project.slug)
        .replace("{plugin}", "hello")
        .replace("{host}", &format!("{}.example.org", project.slug))
        .replace("{token}", "bm90LWEtbGluaw")
        .replace("{name}", "clerk")
        .replace("{table}", "todos")
        .replace("{id}", id)
}

/// A request whose body would do, were the caller one who may.
fn request(client: &Admin, method: &str, address: &str) -> RequestBuilder {
    let method: Method = method.parse().unwrap();
    let body = match (method.as_str(), address) {
        ("POST", "/admin/v1/plugins") => {
            let part = reqwest::multipart::Part::bytes(b"no component".to_vec());
            let form = reqwest::multipart::Form::new().part("component", part);
            return client.request(method, address).multipart(form);
        }
        (_, "/admin/v1/invitations") => json!({"email": "new@example.com", "role": "viewer"}),
        (_, address) if address.starts_with("/admin/v1/admins/") => json!({"role": "viewer"}),
        (_, address) if address.ends_with("/quota") => json!({"storage_bytes": 1_000_000_000}),
        (_, address) if address.ends_with("/domains") => json!({"host": "matrix.example.org"}),
        (_, address) if address.ends_with("/keys") => json!({"kind": "publishable"}),
        (_, address) if address.ends_with("/auth") => json!({"sign_up": "closed"}),
        (_, address) if address.ends_with("/users") => json!({"email": "new@example.com"}),
        (_, address) if address.contains("/roles") => json!({"permissions": []}),
        ("PUT", _) => json!({"enabled": true, "grants": "requested"}),
        _ => json!({"name": "Renamed"}),
    };
    match method {
        Method::GET | Method::DELETE => client.request(method, address),
        _ => client.request(method, address).json(&body),
    }
}

/// What no stranger may read in an answer. The slug is not among it: the
/// stranger has named it.
fn secrets_of(project: &Project) -> Vec<String> {
    vec![
        project.id.clone(),
        "matrix-name".to_owned(),
        EMAIL.to_owned(),
    ]
}

async fn named_project(admin: &Admin) -> Project {
    let project = admin.project_with(&["hello"]).await;
    let path = format!("/admin/v1/projects/{}", project.slug);
    let _ = admin
        .patch(&path, json!({"name": "matrix-name"}))
        .await
        .expect_success();
    project
}

#[tokio::test]
async fn every_route_of_the_host_has_a_row() {
    let server = TestServer::start().await;
    let described = server.admin().get("/openapi.json").await.expect(200).json();
    let mut routes = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["get", "put", "post", "delete", "patch"].contains(&method.as_str()) {
                let _ = routes.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    let rows: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let without: Vec<_> = routes.difference(&rows).collect();
    assert!(without.is_empty(), "no row in ROUTES for {without:?}");
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(gone.is_empty(), "ROUTES has rows of no route: {gone:?}");
}

#[tokio::test]
async fn no_stranger_reaches_an_admins_route() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let owner = json!({"email": EMAIL, "password": PASSWORD});
    let nobody = admin.anonymous();
    let _ = nobody.post("/admin/v1/setup", owner).await.expect_success();
    let project = named_project(&admin).await;
    let other = admin.project().await;
    let strangers = strangers(&admin, &project, &other).await;
    let users = users(&admin, &project).await;
    let before = state_of(&admin, &project).await;
    for (method, path, access) in all_routes() {
        if *access == Open {
            continue;
        }
        let address = address(&admin, &project, path).await;
        let is_admins = !matches!(access, Link | User);
        let users = users.iter().filter(|_| is_admins);
        for stranger in strangers.iter().chain(users) {
            let request = request(&nobody, method, &address);
            let reply = Reply::to((stranger.present)(request)).await;
            let what = format!("{} at {method} {path}", stranger.name);
            let refused = match access {
                Link => matches!(reply.status, 401 | 403 | 404),
                // Of a stranger who names no project, nothing more is asked.
                User => matches!(reply.status, 401 | 404),
                _ => reply.status == 401,
            };
            assert!(refused, "{what}: {} {}", reply.status, reply.text());
            reply.expect_problem(reply.status);
            for secret in secrets_of(&project) {
                let text = reply.text();
                assert!(!text.contains(&secret), "{what} reads `{secret}`: {text}");
            }
        }
    }
    assert_eq!(
        state_of(&admin, &project).await,
        before,
        "a refused request has changed something"
    );
}

#[tokio::test]
async fn an_owner_reaches_every_admins_route() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for (method, path, access) in all_routes() {
        if *access == Link || (*method, *path) == ("DELETE", "/admin/v1/session") {
            continue;
        }
        // One each: some of them end it.
        let project = named_project(&admin).await;
        let address = address(&admin, &project, path).await;
        if path.ends_with("/logs") {
            let _ = project.get("/hello").await.expect(200);
        }
        let reply = Reply::to(request(&admin, method, &address)).await;
        assert!(
            !matches!(reply.status, 401 | 403 | 405) && reply.status < 500,
            "{method} {path}: {} {}",
            reply.status,
            reply.text()
        );
    }
}

/// What a stranger could have changed.
async fn state_of(admin: &Admin, project: &Project) -> Vec<Value> {
    let base = format!("/admin/v1/projects/{}", project.slug);
    let mut state = Vec::new();
    for path in [
        base.clone(),
        format!("{base}/keys"),
        format!("{base}/plugins/hello"),
        format!("{base}/domains"),
        format!("{base}/users"),
        format!("{base}/roles"),
        format!("{base}/auth"),
        "/admin/v1/projects".to_owned(),
    ] {
        let mut value = admin.get(&path).await.expect(200).json();
        forget_times(&mut value);
        state.push(value);
    }
    state
}

/// Drops what moves by itself: when something was last used, counters.
fn forget_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("_at") && name != "health");
            fields.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}
