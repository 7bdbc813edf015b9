//! Admins' accounts: invitations, roles, passwords, second factors.

use atlashub_tests::{Admin, Engine, Reply, TestServer, totp_code, until_told};
use reqwest::Method;
use serde_json::{Value, json};

const OWNER: &str = "owner@example.com";
const PASSWORD: &str = "a long and honest pass phrase";

/// A server whose first owner is signed in.
async fn with_owner() -> (TestServer, Admin) {
    let server = TestServer::start().await;
    let anonymous = server.admin().anonymous();
    let body = json!({"email": OWNER, "password": PASSWORD});
    let made = anonymous.post("/admin/v1/setup", body).await.expect(201);
    let owner = session(&anonymous, &made);
    (server, owner)
}

fn session(admin: &Admin, signed_in: &Reply) -> Admin {
    admin.with_session(signed_in.json()["token"].as_str().expect("a token"))
}

async fn sign_in(admin: &Admin, email: &str, password: &str, code: Option<&str>) -> Reply {
    let mut body = json!({"email": email, "password": password});
    if let Some(code) = code {
        body["totp_code"] = code.into();
    }
    admin.anonymous().post("/admin/v1/session", body).await
}

/// Invites somebody, who accepts.
async fn invited(owner: &Admin, email: &str, role: &str) -> (Admin, Value) {
    let body = json!({"email": email, "role": role});
    let invited = owner.post("/admin/v1/invitations", body).await.expect(201);
    let body = json!({"token": invited.json()["token"], "password": PASSWORD});
    let path = "/admin/v1/invitations/accept";
    let accepted = owner.anonymous().post(path, body).await.expect(201);
    let account = accepted.json()["admin"].clone();
    assert_eq!(account["email"], email);
    assert_eq!(account["role"], role);
    (session(owner, &accepted), account)
}

/// Begins a second factor and proves it; its secret and recovery codes.
async fn with_totp(admin: &Admin) -> (String, Vec<String>) {
    let body = json!({"password": PASSWORD});
    let begun = admin.post("/admin/v1/session/totp", body).await.expect(200);
    let begun = begun.json();
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let body = json!({"code": totp_code(&secret, 0)});
    let path = "/admin/v1/session/totp/verify";
    let _ = admin.post(path, body).await.expect(204);
    let codes = begun["recovery_codes"].as_array().unwrap().iter();
    let codes = codes.map(|code| code.as_str().unwrap().to_owned());
    (secret, codes.collect())
}

#[tokio::test]
async fn an_invitation_makes_an_admin_once() {
    let (_server, owner) = with_owner().await;
    let body = json!({"email": "Bob@Example.com", "role": "viewer"});
    let made = owner.post("/admin/v1/invitations", body).await.expect(201);
    let token = made.json()["token"].clone();
    let list = owner.get("/admin/v1/invitations").await.expect(200);
    assert_eq!(list.json()["items"][0]["email"], "bob@example.com");
    assert!(!list.text().contains(token.as_str().unwrap()));
    let accept = async |token: &Value, password: &str| {
        let body = json!({"token": token, "password": password});
        let path = "/admin/v1/invitations/accept";
        owner.anonymous().post(path, body).await
    };
    let weak = accept(&token, "password").await;
    assert_eq!(weak.expect_problem(422), "weak_password");
    let wrong = accept(&json!("ahi_wrong"), PASSWORD).await;
    assert_eq!(wrong.expect_problem(401), "invalid_invitation");
    let accepted = accept(&token, PASSWORD).await.expect(201);
    let bob = session(&owner, &accepted);
    let _ = bob.get("/admin/v1/projects").await.expect(200);
    let again = accept(&token, PASSWORD).await;
    assert_eq!(again.expect_problem(401), "invalid_invitation");
    let taken = json!({"email": "bob@example.com", "role": "owner"});
    let taken = owner.post("/admin/v1/invitations", taken).await;
    assert_eq!(taken.expect_problem(409), "email_taken");
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_is_over() {
    let (_server, owner) = with_owner().await;
    let body = json!({"email": "bob@example.com", "role": "admin"});
    let made = owner.post("/admin/v1/invitations", body).await.expect(201);
    let path = format!(
        "/admin/v1/invitations/{}",
        made.json()["id"].as_str().unwrap()
    );
    let _ = owner.delete(&path).await.expect(204);
    owner.delete(&path).await.expect_problem(404);
    let body = json!({"token": made.json()["token"], "password": PASSWORD});
    let path = "/admin/v1/invitations/accept";
    let late = owner.anonymous().post(path, body).await;
    assert_eq!(late.expect_problem(401), "invalid_invitation");
}

#[tokio::test]
async fn only_an_owner_decides_about_admins() {
    let (_server, owner) = with_owner().await;
    let (admin, _) = invited(&owner, "admin@example.com", "admin").await;
    let (viewer, account) = invited(&owner, "viewer@example.com", "viewer").await;
    let path = format!("/admin/v1/admins/{}", account["id"].as_str().unwrap());
    for other in [&admin, &viewer] {
        let body = json!({"email": "eve@example.com", "role": "owner"});
        other
            .post("/admin/v1/invitations", body)
            .await
            .expect_problem(403);
        other.get("/admin/v1/invitations").await.expect_problem(403);
        let promote = json!({"role": "owner"});
        other.patch(&path, promote).await.expect_problem(403);
        other.delete(&path).await.expect_problem(403);
        other
            .delete(&format!("{path}/totp"))
            .await
            .expect_problem(403);
        let _ = other.get(&path).await.expect(200);
        let list = other.get("/admin/v1/admins").await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), 3);
    }
    let name = json!({"name": "Shop"});
    viewer
        .post("/admin/v1/projects", name.clone())
        .await
        .expect_problem(403);
    let _ = owner
        .patch(&path, json!({"role": "admin"}))
        .await
        .expect(200);
    let _ = viewer.post("/admin/v1/projects", name).await.expect(201);
}

#[tokio::test]
async fn the_last_owner_cannot_leave() {
    let (_server, owner) = with_owner().await;
    let me = owner.get("/admin/v1/session").await.expect(200).json();
    let path = format!("/admin/v1/admins/{}", me["admin"]["id"].as_str().unwrap());
    for body in [json!({"role": "admin"}), json!({"disabled": true})] {
        let refused = owner.patch(&path, body).await;
        assert_eq!(refused.expect_problem(409), "last_owner");
    }
    let refused = owner.delete(&path).await;
    assert_eq!(refused.expect_problem(409), "last_owner");
    let (second, _) = invited(&owner, "second@example.com", "owner").await;
    let _ = second.delete(&path).await.expect(204);
    owner.get("/admin/v1/projects").await.expect_problem(401);
}

#[tokio::test]
async fn an_admin_who_is_shut_out_is_out_everywhere_within_a_second() {
    let (mut server, owner) = with_owner().await;
    let (bob, account) = invited(&owner, "bob@example.com", "admin").await;
    let path = format!("/admin/v1/admins/{}", account["id"].as_str().unwrap());
    let token = sign_in(&owner, "bob@example.com", PASSWORD, None).await;
    let token = token.expect(200).json()["token"].clone();
    let there = if Engine::of_this_run().serves_many_nodes() {
        let second = server.second_node().await;
        let bob = second.admin().with_session(token.as_str().unwrap());
        let _ = bob.get("/admin/v1/projects").await.expect(200);
        Some((second, bob))
    } else {
        server.restart().await;
        None
    };
    let _ = owner
        .patch(&path, json!({"disabled": true}))
        .await
        .expect(200);
    bob.get("/admin/v1/projects").await.expect_problem(401);
    if let Some((second, bob)) = &there {
        until_told("the end of the session", second, || async {
            (bob.get("/admin/v1/projects").await.status == 401).then_some(())
        })
        .await;
    }
    let refused = sign_in(&owner, "bob@example.com", PASSWORD, None).await;
    assert_eq!(refused.expect_problem(401), "invalid_credentials");
    let _ = owner
        .patch(&path, json!({"disabled": false}))
        .await
        .expect(200);
    let again = sign_in(&owner, "bob@example.com", PASSWORD, None).await;
    let _ = again.expect(200);
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let (_server, owner) = with_owner().await;
    let other = sign_in(&owner, OWNER, PASSWORD, None).await.expect(200);
    let other = session(&owner, &other);
    let change = async |old: &str, new: &str| {
        let body = json!({"password": old, "new_password": new});
        owner.put("/admin/v1/session/password", body).await
    };
    let next = "another long pass phrase";
    let wrong = change("wrong", next).await;
    assert_eq!(wrong.expect_problem(403), "wrong_password");
    let weak = change(PASSWORD, "12345678").await;
    assert_eq!(weak.expect_problem(422), "weak_password");
    let changed = change(PASSWORD, next).await.expect(200);
    for ended in [&owner, &other] {
        ended.get("/admin/v1/projects").await.expect_problem(401);
    }
    let mine = session(&owner, &changed);
    let _ = mine.get("/admin/v1/projects").await.expect(200);
    let old = sign_in(&owner, OWNER, PASSWORD, None).await;
    assert_eq!(old.expect_problem(401), "invalid_credentials");
    let _ = sign_in(&owner, OWNER, next, None).await.expect(200);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_it_is_proven() {
    let (_server, owner) = with_owner().await;
    let wrong = json!({"password": "wrong"});
    let wrong = owner.post("/admin/v1/session/totp", wrong).await;
    assert_eq!(wrong.expect_problem(403), "wrong_password");
    let body = json!({"password": PASSWORD});
    let begun = owner.post("/admin/v1/session/totp", body).await.expect(200);
    let begun = begun.json();
    assert!(begun["qr_svg"].as_str().unwrap().contains("<svg"));
    let url = begun["otpauth_url"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/AtlasHub:"), "{url}");
    // It was only begun.
    let _ = sign_in(&owner, OWNER, PASSWORD, None).await.expect(200);
    let (secret, _) = with_totp(&owner).await;
    let without = sign_in(&owner, OWNER, PASSWORD, None).await;
    assert_eq!(without.expect_problem(401), "totp_required");
    assert!(!without.text().contains("token\":\"aht_"));
    let wrong = sign_in(&owner, OWNER, PASSWORD, Some("000000")).await;
    assert_eq!(wrong.expect_problem(401), "invalid_totp_code");
    assert!(wrong.headers.get("set-cookie").is_none());
    // The password is looked at first, and says nothing of the factor.
    let wrong = sign_in(&owner, OWNER, "wrong", Some(&totp_code(&secret, 1))).await;
    assert_eq!(wrong.expect_problem(401), "invalid_credentials");
    let right = totp_code(&secret, 1);
    let _ = sign_in(&owner, OWNER, PASSWORD, Some(&right))
        .await
        .expect(200);
    let again = sign_in(&owner, OWNER, PASSWORD, Some(&right)).await;
    assert_eq!(again.expect_problem(401), "invalid_totp_code");
}

#[tokio::test]
async fn a_recovery_code_signs_in_once() {
    let (_server, owner) = with_owner().await;
    let (_, codes) = with_totp(&owner).await;
    let careless = codes[0].to_uppercase().replace('-', " ");
    let first = sign_in(&owner, OWNER, PASSWORD, Some(&careless)).await;
    let _ = first.expect(200);
    let again = sign_in(&owner, OWNER, PASSWORD, Some(&codes[0])).await;
    assert_eq!(again.expect_problem(401), "invalid_totp_code");
    let second = sign_in(&owner, OWNER, PASSWORD, Some(&codes[1])).await;
    let _ = second.expect(200);
}

#[tokio::test]
async fn a_second_factor_is_removed_with_what_it_guards_or_by_an_owner() {
    let (_server, owner) = with_owner().await;
    let (bob, account) = invited(&owner, "bob@example.com", "viewer").await;
    let (_, codes) = with_totp(&bob).await;
    let remove = async |admin: &Admin, body: Value| {
        let request = admin.request(Method::DELETE, "/admin/v1/session/totp");
        Reply::to(request.json(&body)).await
    };
    let without = remove(&bob, json!({"password": PASSWORD})).await;
    assert_eq!(without.expect_problem(401), "totp_required");
    let body = json!({"password": PASSWORD, "totp_code": codes[0]});
    let removed = remove(&bob, body).await.expect(200);
    bob.get("/admin/v1/projects").await.expect_problem(401);
    let new = session(&owner, &removed);
    let _ = new.get("/admin/v1/projects").await.expect(200);
    let bob = sign_in(&owner, "bob@example.com", PASSWORD, None).await;
    let bob = session(&owner, &bob.expect(200));
    let _ = with_totp(&bob).await;
    let path = format!("/admin/v1/admins/{}/totp", account["id"].as_str().unwrap());
    let _ = owner.delete(&path).await.expect(204);
    owner.delete(&path).await.expect_problem(404);
    let free = sign_in(&owner, "bob@example.com", PASSWORD, None).await;
    let _ = free.expect(200);
}

#[tokio::test]
async fn sign_ins_and_what_owners_do_are_in_the_audit() {
    let (_server, owner) = with_owner().await;
    let (_, account) = invited(&owner, "bob@example.com", "viewer").await;
    let id = account["id"].as_str().unwrap();
    sign_in(&owner, "bob@example.com", "wrong", None)
        .await
        .expect_problem(401);
    sign_in(&owner, "nobody@example.com", "oops-my-password", None)
        .await
        .expect_problem(401);
    let path = format!("/admin/v1/admins/{id}");
    let _ = owner
        .patch(&path, json!({"role": "admin"}))
        .await
        .expect(200);
    let audit = owner.get("/admin/v1/audit?limit=100").await.expect(200);
    let text = audit.text();
    for secret in ["oops-my-password", "nobody@example.com", PASSWORD] {
        assert!(!text.contains(secret), "{secret} is in the audit");
    }
    let audit = audit.json();
    let of = |action: &str, target: &Value| {
        let events = audit["items"].as_array().unwrap().iter();
        events
            .filter(|event| event["action"] == action && event["target"] == *target)
            .count()
    };
    assert_eq!(of("session.refused", &json!(id)), 1);
    assert_eq!(of("session.refused", &Value::Null), 1);
    assert_eq!(of("admin.accept", &json!(id)), 1);
    assert_eq!(of("admin.update", &json!(id)), 1);
}
