//! The audit of what end users do to their accounts, of refused sign-ins, of
//! keys and of plugins, read as admins read it.

use atlashub_tests::{
    Admin, DEADLINE, MailServer, PASSWORD, Project, Reply, TestServer, shared, totp_code, unique,
    until,
};
use reqwest::Method;
use serde_json::{Value, json};

/// All that was noted of a project, newest first.
async fn audit(admin: &Admin, project: &Project) -> Value {
    let path = format!("/admin/v1/audit?project={}&limit=200", project.id);
    admin.get(&path).await.expect(200).json()
}

/// The events of `action`, oldest first.
fn of<'a>(audit: &'a Value, action: &str) -> Vec<&'a Value> {
    let events = audit["items"].as_array().unwrap().iter().rev();
    events.filter(|event| event["action"] == action).collect()
}

#[tokio::test]
async fn what_users_do_to_their_accounts_is_in_the_audit() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let user = project.sign_up().await;
    let made = user.post("/v1/auth/totp/enroll", json!({})).await;
    let made = made.expect(200).json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    let body = json!({"code": totp_code(&secret, 0)});
    let _ = user.post("/v1/auth/totp/verify", body).await.expect(204);
    let body =
        json!({"email": user.email, "password": PASSWORD, "totp_code": totp_code(&secret, 1)});
    let second = project.auth("/login", body).await.expect(200).json();
    let second = user.with_tokens(&second);
    let recovery = made["recovery_codes"][0].clone();
    let body = json!({"code": recovery});
    let _ = second.delete("/v1/auth/totp", body).await.expect(204);
    let other = "a very different phrase";
    let body = json!({"current_password": PASSWORD, "password": other});
    let third = second.put("/v1/auth/password", body).await.expect(200);
    let third = user.with_tokens(&third.json());
    let _ = third.post("/v1/auth/logout", json!({})).await.expect(204);

    let seen = audit(&admin, &project).await;
    for (action, count) in [
        ("user.sign_up", 1),
        ("session.create", 3),
        ("user.totp_enable", 1),
        ("user.totp_remove", 1),
        ("user.password", 1),
        ("session.delete_all", 1),
    ] {
        let events = of(&seen, action);
        assert_eq!(events.len(), count, "{action} in {seen}");
        for event in events {
            assert_eq!(event["actor_kind"], "user", "{event}");
            assert_eq!(event["actor_id"], user.id.as_str(), "{event}");
            assert!(event["request_id"].is_string(), "{event}");
        }
    }
    let sessions = of(&seen, "session.create");
    assert_eq!(sessions[0]["details"]["level"], "one_factor");
    assert_eq!(sessions[1]["details"]["level"], "two_factors");
    let text = seen.to_string();
    for hidden in [
        PASSWORD,
        other,
        secret.as_str(),
        &user.access,
        &third.refresh,
    ] {
        assert!(!text.contains(hidden), "{hidden} is in the audit");
    }
}

#[tokio::test]
async fn refused_sign_ins_of_users_are_in_the_audit_without_what_was_typed() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let user = project.sign_up().await;
    let unknown = format!("{}@example.com", unique("typed-password"));
    for email in [user.email.as_str(), unknown.as_str()] {
        let body = json!({"email": email, "password": "the-wrong-one"});
        project.auth("/login", body).await.expect_problem(401);
    }
    let seen = audit(&admin, &project).await;
    let refused = of(&seen, "session.refused");
    let whose: Vec<&Value> = refused.iter().map(|event| &event["target"]).collect();
    assert_eq!(whose, [&json!(user.id), &Value::Null], "{seen}");
    for event in refused {
        assert_eq!(event["details"]["reason"], "password", "{event}");
        assert!(event["details"]["address"].is_string(), "{event}");
    }
    let text = seen.to_string();
    for hidden in [unknown.as_str(), user.email.as_str(), "the-wrong-one"] {
        assert!(!text.contains(hidden), "{hidden} is in the audit");
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_is_in_the_audit_once() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let user = project.sign_up().await;
    let refresh = async |token: &str| {
        project
            .auth("/refresh", json!({"refresh_token": token}))
            .await
    };
    let second = refresh(&user.refresh).await.expect(200).json();
    let second = user.with_tokens(&second);
    let _ = refresh(&second.refresh).await.expect(200);
    for _ in 0..3 {
        refresh(&user.refresh).await.expect_problem(401);
    }
    let seen = audit(&admin, &project).await;
    let reused = of(&seen, "session.reuse");
    assert_eq!(reused.len(), 1, "{seen}");
    let session = of(&seen, "session.create")[0]["target"].clone();
    assert_eq!(reused[0]["target"], session);
    assert_eq!(reused[0]["details"]["user_id"], user.id.as_str());
    assert!(!seen.to_string().contains(&user.refresh));
}

#[tokio::test]
async fn app_passwords_are_in_the_audit_from_the_first_to_the_last() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "webdav"]).await;
    let user = project.sign_up().await;
    let made = user.post("/v1/auth/app-passwords", json!({"name": "laptop"}));
    let made = made.await.expect(201).json();
    let drive = format!("/p/{}/dav/", project.slug);
    let open = async |password: &str| {
        let propfind = Method::from_bytes(b"PROPFIND").unwrap();
        let request = project.bare_request(propfind, &drive).header("depth", "0");
        Reply::to(request.basic_auth(&user.email, Some(password))).await
    };
    let password = made["password"].as_str().unwrap();
    let _ = open(password).await.expect(207);
    assert_eq!(open("aha-nobodys").await.status, 401);
    let path = format!("/v1/auth/app-passwords/{}", made["id"].as_str().unwrap());
    let _ = user.delete(&path, json!({})).await.expect(204);
    let seen = audit(&admin, &project).await;
    for action in ["user.app_password.create", "user.app_password.end"] {
        let [event] = of(&seen, action)[..] else {
            panic!("not one {action} in {seen}");
        };
        assert_eq!(event["actor_id"], user.id.as_str());
        assert_eq!(event["target"], made["id"]);
    }
    let refused = of(&seen, "session.refused");
    assert_eq!(refused.len(), 1, "{seen}");
    assert_eq!(refused[0]["details"]["reason"], "app_password");
    assert!(!seen.to_string().contains(password));
}

#[tokio::test]
async fn an_invitation_and_a_forgotten_password_are_in_the_audit() {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    let server = server.start().await;
    let admin = server.admin();
    let project = admin.project().await;
    let email = "grace@example.com";
    let users = format!("/admin/v1/projects/{}/users", project.slug);
    let made = admin.post(&users, json!({"email": email})).await;
    let id = made.expect(201).json()["id"].as_str().unwrap().to_owned();
    let invite = admin.post(&format!("{users}/{id}/invite"), json!({})).await;
    let _ = invite.expect_success();
    let token = mails.mail_to(email, 1).await.token();
    let accept = json!({"token": token, "password": PASSWORD});
    let _ = project
        .auth("/reset-password", accept)
        .await
        .expect_success();
    let ask = json!({"email": email});
    let _ = project.auth("/forgot-password", ask).await.expect(202);
    let token = mails.mail_to(email, 2).await.token();
    let reset = || json!({"token": token, "password": "a very different phrase"});
    let _ = project
        .auth("/reset-password", reset())
        .await
        .expect_success();
    let again = project.auth("/reset-password", reset()).await;
    again.expect_problem(401);
    let seen = audit(&admin, &project).await;
    for (action, kind) in [
        ("user.create", "admin"),
        ("user.invite", "admin"),
        ("user.accept", "user"),
        ("user.reset_password", "user"),
    ] {
        let [event] = of(&seen, action)[..] else {
            panic!("not one {action} in {seen}");
        };
        assert_eq!(event["target"], id.as_str(), "{event}");
        assert_eq!(event["actor_kind"], kind, "{event}");
    }
    let refused = of(&seen, "session.refused");
    assert_eq!(refused.len(), 1, "{seen}");
    assert_eq!(refused[0]["details"]["reason"], "link");
    assert!(!seen.to_string().contains(&token));
}

#[tokio::test]
async fn plugins_and_the_first_use_of_a_key_are_in_the_audit() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let _ = admin.enable(&project, "hello").await;
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "hello", off).await.expect(200);
    let remove = format!("/admin/v1/projects/{}/plugins/hello", project.slug);
    let _ = admin.delete(&remove).await.expect_success();
    let keys = format!("/admin/v1/projects/{}/keys", project.slug);
    let key = admin.post(&keys, json!({"kind": "secret"})).await;
    let key = key.expect(201).json();
    let used = project.with_key(key["key"].as_str().unwrap());
    let _ = used.get("/v1/auth/admin/users").await.expect_success();
    // Uses are written down every quarter of a minute.
    let seen = until("the first use of the key", DEADLINE, || async {
        let seen = audit(&admin, &project).await;
        let first = of(&seen, "key.first_use");
        let is_there = first.iter().any(|event| event["target"] == key["id"]);
        is_there.then_some(seen.clone())
    })
    .await;
    let [installed] = of(&seen, "plugin.install")[..] else {
        panic!("not one installation in {seen}");
    };
    assert_eq!(installed["target"], "hello");
    let grants = &installed["details"]["grants"];
    assert!(grants.is_object() || grants.is_array(), "{installed}");
    for action in ["plugin.change", "plugin.remove", "key.create"] {
        assert!(!of(&seen, action).is_empty(), "{action} in {seen}");
    }
    let text = seen.to_string();
    assert!(!text.contains(key["key"].as_str().unwrap()));
}
