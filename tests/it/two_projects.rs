//! Two projects with the same users' addresses, the same tables and the same
//! plugins: nothing of one is seen, changed or believed in the other.

use atlashub_tests::{Admin, MailServer, PASSWORD, Project, Reply, TestServer, User};
use reqwest::Method;
use serde_json::{Value, json};

const EMAIL: &str = "ada@example.com";

/// A project of this name with a table of notes, each for its owner; its user
/// has [`EMAIL`] and `password`.
async fn project(admin: &Admin, password: &str) -> (Project, User) {
    let project = admin.project_with(&["db"]).await;
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let notes = json!({"name": "notes", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "owner", "type": "uuid"},
        {"name": "note", "type": "text", "nullable": false},
    ]});
    let _ = admin.post(&tables, notes).await.expect(201);
    let own = json!({
        "actions": ["select", "insert", "update", "delete"],
        "roles": ["authenticated"],
        "using": {"owner": "owner"},
    });
    let path = format!("{tables}/notes/policies/own");
    let _ = admin.put(&path, own).await.expect(201);
    let body = json!({"email": EMAIL, "password": password});
    let made = project.auth("/signup", body).await.expect(201).json();
    let user = User::known(&project, &made["user"], &made);
    (project, user)
}

/// What a user reads of the notes, in both dialects.
async fn notes(user: &User) -> [Value; 2] {
    let plain = user.get("/v1/db/notes").await.expect(200).json();
    let rest = user.get("/rest/v1/notes").await.expect(200).json();
    [plain["rows"].clone(), rest]
}

#[tokio::test]
async fn the_same_address_and_tables_in_two_projects_share_nothing() {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    let server = server.start().await;
    let admin = server.admin();
    let others = "a very different phrase";
    let (one, ada) = project(&admin, PASSWORD).await;
    let (two, namesake) = project(&admin, others).await;
    assert_ne!(ada.id, namesake.id);

    // Passwords.
    for (project, wrong) in [(&one, others), (&two, PASSWORD)] {
        let body = json!({"email": EMAIL, "password": wrong});
        let refused = project.auth("/login", body).await;
        assert_eq!(refused.expect_problem(401), "invalid_credentials");
    }
    // Tokens of either kind.
    for (user, other) in [(&ada, &two), (&namesake, &one)] {
        let there = user.at(other);
        for path in ["/v1/auth/me", "/v1/db/notes", "/rest/v1/notes"] {
            assert_eq!(there.get(path).await.status, 401, "{path}");
        }
        let body = json!({"refresh_token": user.refresh});
        let refused = other.auth("/refresh", body.clone()).await;
        assert_eq!(refused.expect_problem(401), "invalid_refresh_token");
    }
    // Asked for in the wrong place, they are as good as before in the right one.
    let body = json!({"refresh_token": ada.refresh});
    let renewed = one.auth("/refresh", body).await.expect(200).json();
    let ada = ada.with_tokens(&renewed);

    rows_stay_apart(&one, &ada, &two, &namesake).await;
    mails_stay_apart(&mails, &one, &two).await;

    // Whatever was done in the first, the second's user is signed in still.
    let me = namesake.get("/v1/auth/me").await.expect(200).json();
    assert_eq!(me["id"], namesake.id.as_str());
    let body = json!({"email": EMAIL, "password": others});
    let _ = two.auth("/login", body).await.expect(200);
    ada.get("/v1/auth/me").await.expect_problem(401);
}

/// Both write a row of the same number; the other's is not there, whoever
/// asks and however.
async fn rows_stay_apart(one: &Project, ada: &User, two: &Project, namesake: &User) {
    for (user, note) in [(ada, "of the first"), (namesake, "of the second")] {
        let row = json!({"rows": [{"id": 1, "owner": user.id, "note": note}]});
        let _ = user.post("/v1/db/notes", row).await.expect(201);
    }
    // Everything of the first, as its server, and as its user.
    let gone = json!({"note": "changed"});
    let body = json!({ "values": gone });
    let changed = one.patch("/v1/db/notes?gte.id=0", body).await;
    let _ = changed.expect(200);
    for rows in notes(ada).await {
        assert_eq!(rows[0]["note"], "changed");
    }
    for rows in notes(namesake).await {
        let [row] = &rows.as_array().unwrap()[..] else {
            panic!("not one row in {rows}");
        };
        assert_eq!(row["note"], "of the second");
        assert_eq!(row["owner"], namesake.id.as_str());
    }
    // By the other's id, too.
    let path = format!("/rest/v1/notes?owner=eq.{}", namesake.id);
    for client in [one.get(&path).await, ada.get(&path).await] {
        assert_eq!(client.expect(200).json(), json!([]));
    }
    let request = ada.request(Method::PATCH, &path).json(&gone);
    let none = Reply::to(request.header("prefer", "return=representation")).await;
    assert_eq!(none.expect(200).json(), json!([]));
    let _ = one.delete("/v1/db/notes?gte.id=0").await.expect(200);
    assert_eq!(notes(ada).await, [json!([]), json!([])]);
    assert_eq!(notes(namesake).await[0].as_array().map(Vec::len), Some(1));
    // A key of one is none of the other.
    let path = format!("/p/{}/rest/v1/notes", two.slug);
    let wrong = one.get(&path).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

/// A mail of one project sets no password in the other.
async fn mails_stay_apart(mails: &MailServer, one: &Project, two: &Project) {
    let ask = json!({"email": EMAIL});
    let _ = one.auth("/forgot-password", ask).await.expect(202);
    let mail = mails.mail_to(EMAIL, 1).await;
    assert!(mail.link().contains(&one.slug), "{}", mail.text);
    assert!(!mail.text.contains(&two.slug), "{}", mail.text);
    let body = json!({"token": mail.token(), "password": "a third, longer phrase"});
    let elsewhere = two.auth("/reset-password", body.clone()).await;
    assert_eq!(elsewhere.expect_problem(401), "invalid_token");
    let _ = one.auth("/reset-password", body).await.expect_success();
}
