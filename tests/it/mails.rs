//! What end users do by mail: proving an address, signing in, a new password.

use atlashub_tests::{MailServer, PASSWORD, Project, Reply, TestServer, until};
use reqwest::Method;
use serde_json::{Value, json};

const PAGE: &str = "https://app.example.com/welcome";

/// A server that sends its mails to the one beside it.
async fn server() -> (TestServer, MailServer) {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    (server.start().await, mails)
}

async fn settings(server: &TestServer, project: &Project, settings: Value) {
    let path = format!("/admin/v1/projects/{}/auth", project.slug);
    let _ = server.admin().put(&path, settings).await.expect(200);
}

#[tokio::test]
async fn an_address_is_proven_before_one_gets_in_where_a_project_asks_for_it() {
    let (server, mails) = server().await;
    let project = server.admin().project().await;
    settings(
        &server,
        &project,
        json!({"require_verified_email": true, "redirect_urls": [PAGE]}),
    )
    .await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let made = project.auth("/signup", body.clone()).await;
    let made = made.expect(201).json();
    assert_eq!(made["verification_required"], true);
    assert_eq!(made["access_token"], Value::Null);
    let login = project.auth("/login", body.clone()).await;
    assert_eq!(login.expect_problem(403), "email_not_verified");
    let mail = mails.mail_to("ada@example.com", 1).await;
    assert!(
        mail.text.contains("Subject: Confirm your address for Test"),
        "{}",
        mail.text
    );
    // Looking at the link proves nothing.
    let link = mail.link();
    let path = link.strip_prefix(&server.url("")).unwrap();
    let page = Reply::to(project.bare_request(Method::GET, path))
        .await
        .expect(200);
    assert!(page.text().contains("Confirm the address"));
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    project
        .auth("/login", body.clone())
        .await
        .expect_problem(403);
    let wrong = json!({"token": "aho_nonsense"});
    assert_eq!(
        project
            .auth("/verify-email", wrong)
            .await
            .expect_problem(401),
        "invalid_token"
    );
    let form = format!(
        "type=verify_email&token={}&redirect_to=https%3A%2F%2Fapp.example.com%2Fwelcome",
        mail.token()
    );
    let post = |path: &str| {
        let request = project.bare_request(Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Reply::to(request.body(form.clone()))
    };
    let path = format!("/p/{}/v1/auth/confirm", project.slug);
    let sent = post(&path).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, "https://app.example.com/welcome#type=verify_email")
    );
    let again = post(&path).await;
    assert_eq!(again.status, 401);
    let tokens = project.auth("/login", body).await.expect(200).json();
    assert!(tokens["access_token"].is_string());
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_ends_all_sessions() {
    let (server, mails) = server().await;
    let project = server.admin().project().await;
    let user = project.sign_up().await;
    for email in [user.email.as_str(), "nobody@example.com"] {
        let asked = project
            .auth("/forgot-password", json!({"email": email}))
            .await;
        assert_eq!(asked.expect(202).json(), json!({}));
    }
    let token = mails.mail_to(&user.email, 1).await.token();
    let weak = json!({"token": token, "password": "short"});
    assert_eq!(
        project
            .auth("/reset-password", weak)
            .await
            .expect_problem(422),
        "weak_password"
    );
    let other = "a very different phrase";
    let reset = || {
        project.auth(
            "/reset-password",
            json!({"token": token, "password": other}),
        )
    };
    let tries = futures::future::join_all((0..3).map(|_| reset())).await;
    let mut statuses: Vec<u16> = tries.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 401, 401]);
    user.get("/users/me").await.expect_problem(401);
    project.sign_in(&user.email).await.expect_problem(401);
    let body = json!({"email": user.email, "password": other});
    let tokens = project.auth("/login", body).await.expect(200).json();
    let me = user
        .with_tokens(&tokens)
        .get("/users/me")
        .await
        .expect(200)
        .json();
    assert_eq!(me["email_verified"], true);
    assert!(mails.mails_to("nobody@example.com").is_empty());
}

#[tokio::test]
async fn a_magic_link_signs_in_once_and_voids_a_password_of_before() {
    let (server, mails) = server().await;
    let project = server.admin().project().await;
    let other = server.admin().project().await;
    let user = project.sign_up().await;
    let asked = project
        .auth("/magic-link", json!({"email": user.email}))
        .await;
    let _ = asked.expect(202);
    let token = mails.mail_to(&user.email, 1).await.token();
    let follow = json!({"token": token});
    assert_eq!(
        other
            .auth("/magic-link", follow.clone())
            .await
            .expect_problem(401),
        "invalid_token"
    );
    // It is for signing in, and for nothing else.
    project
        .auth("/verify-email", follow.clone())
        .await
        .expect_problem(401);
    let misused = json!({"token": token, "password": "a very different phrase"});
    project
        .auth("/reset-password", misused)
        .await
        .expect_problem(401);
    let tokens = project
        .auth("/magic-link", follow.clone())
        .await
        .expect(200)
        .json();
    let me = user
        .with_tokens(&tokens)
        .get("/users/me")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&me["id"], &me["email_verified"]),
        (&json!(user.id), &json!(true))
    );
    project
        .auth("/magic-link", follow)
        .await
        .expect_problem(401);
    // Whoever chose the password did not own the address, as far as we knew.
    project.sign_in(&user.email).await.expect_problem(401);
}

#[tokio::test]
async fn a_mail_leads_only_where_the_project_allows_and_speaks_its_words() {
    let (server, mails) = server().await;
    let project = server.admin().project().await;
    let user = project.sign_up().await;
    let template = json!({"subject": "Hi {{email}}", "text": "Go: {{link}}", "html": "<a href=\"{{link}}\">{{project}}</a>"});
    let body = json!({"redirect_urls": [PAGE], "mail_templates": {"reset_password": template}});
    settings(&server, &project, body).await;
    let evil = json!({"email": user.email, "redirect_to": "https://evil.example/"});
    for path in ["/forgot-password", "/magic-link", "/verify-email"] {
        let refused = project.auth(path, evil.clone()).await;
        assert_eq!(refused.expect_problem(400), "redirect_not_allowed");
    }
    let asked = json!({"email": user.email, "redirect_to": PAGE});
    let _ = project.auth("/forgot-password", asked).await.expect(202);
    let mail = mails.mail_to(&user.email, 1).await;
    assert!(
        mail.text.contains(&format!("Subject: Hi {}", user.email)),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("text/html"), "{}", mail.text);
    assert!(
        mail.text
            .contains(&format!("Go: {PAGE}#type=reset_password&token=aho_")),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn who_is_invited_chooses_a_password() {
    let (server, mails) = server().await;
    let admin = server.admin();
    let project = admin.project().await;
    settings(&server, &project, json!({"sign_up": "invite"})).await;
    let users = format!("/admin/v1/projects/{}/users", project.slug);
    let made = admin
        .post(&users, json!({"email": "new@example.com"}))
        .await
        .expect(201)
        .json();
    project.sign_in("new@example.com").await.expect_problem(401);
    let invite = format!("{users}/{}/invite", made["id"].as_str().unwrap());
    let send = || {
        let request = admin.request(Method::POST, &invite);
        Reply::to(request.header("idempotency-key", "once").json(&json!({})))
    };
    let _ = send().await.expect(202);
    let again = send().await.expect(202);
    assert_eq!(again.header("idempotent-replayed"), "true");
    let token = mails.mail_to("new@example.com", 1).await.token();
    let body = json!({"token": token, "password": PASSWORD});
    let _ = project.auth("/reset-password", body).await.expect(204);
    let _ = project.sign_in("new@example.com").await.expect(200);
    assert_eq!(mails.mails_to("new@example.com").len(), 1);
    assert_eq!(
        admin.post(&invite, json!({})).await.expect_problem(409),
        "already_joined"
    );
}

#[tokio::test]
async fn without_a_mail_server_mails_are_files() {
    let server = TestServer::start().await;
    let project = server.admin().project().await;
    let user = project.sign_up().await;
    let _ = project
        .auth("/magic-link", json!({"email": user.email}))
        .await
        .expect(202);
    let folders = || {
        let mut folders = vec![server.folder().to_owned()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "eml") {
                    found.push(path);
                }
            }
        }
        std::future::ready(found.pop())
    };
    let file = until("a mail", atlashub_tests::DEADLINE, folders).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&user.email) && text.contains("aho_"),
        "{text}"
    );
    assert!(file.parent().unwrap().ends_with("outbox"));
}
