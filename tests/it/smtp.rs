//! Mail through a server that asks for TLS and a password, and what is told of
//! one that does not do as it should. The server is PyPI's `aiosmtpd`.

use atlashub_tests::{DEADLINE, PASSWORD, Project, SmtpServer, TestServer, until};
use serde_json::{Value, json};

/// A server that sends its mails there with this password, and one that
/// trusts its certificate or does not.
async fn server(mails: &SmtpServer, password: &str, trusting: bool) -> TestServer {
    let mut server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url(password));
    if trusting {
        let file = mails.certificate().display().to_string();
        server = server.env("ATLASHUB_SMTP_CA_FILE", file);
    }
    server.start().await
}

/// Lets a plugin send a mail to a user of a new project.
async fn notified(server: &TestServer) -> Project {
    let admin = server.admin();
    let project = admin.project_with(&["notifications"]).await;
    let users = format!("/admin/v1/projects/{}/users", project.slug);
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "email_verified": true});
    let ada = admin.post(&users, body).await.expect(201).json();
    let config =
        json!({"enabled": true, "grants": "requested", "config": {"default_email": "immediately"}});
    let _ = admin
        .install(&project, "notifications", config)
        .await
        .expect_success();
    let notice = json!({"kind": "test", "user_ids": [ada["id"]], "title": "Millet"});
    let _ = project.post("/notifications", notice).await.expect(202);
    project
}

/// The project's mail after a try that failed.
async fn kept(server: &TestServer, project: &Project) -> Value {
    let path = format!("/admin/v1/projects/{}/queue", project.slug);
    let item = until("a failed try", DEADLINE, || async {
        let items = server.admin().get(&path).await.expect(200).json();
        let item = items["items"].get(0)?.clone();
        item["error"].is_object().then_some(item)
    })
    .await;
    assert_eq!(item["kind"], "mail", "{item}");
    let state = item["state"].as_str().unwrap_or_default();
    assert!(["scheduled", "ready", "running"].contains(&state), "{item}");
    item
}

#[tokio::test]
async fn a_mail_goes_over_tls_after_signing_in() {
    let mails = SmtpServer::start().await;
    let server = server(&mails, "letters", true).await;
    let _ = notified(&server).await;
    let project = server.admin().project().await;
    let user = project.sign_up().await;
    let _ = project
        .auth("/forgot-password", json!({"email": user.email}))
        .await
        .expect(202);
    until("both mails", DEADLINE, || {
        let came = mails.mails();
        let of_plugin = came.iter().any(|mail| mail.contains("Millet"));
        let of_host = came.iter().any(|mail| {
            mail.contains(&format!("To: {}", user.email)) && mail.contains("token=aho_")
        });
        std::future::ready((of_plugin && of_host).then_some(()))
    })
    .await;
    for mail in mails.mails() {
        assert!(mail.contains("Tls: TLSv1."), "{mail}");
    }
    assert!(mails.log().contains("signed in"), "{}", mails.log());
}

#[tokio::test]
async fn a_wrong_password_keeps_mails_and_is_told() {
    let mails = SmtpServer::start().await;
    let server = server(&mails, "numbers", true).await;
    let project = notified(&server).await;
    let item = kept(&server, &project).await;
    assert_eq!(item["error"]["code"], "mail_sign_in_refused", "{item}");
    let message = item["error"]["message"].as_str().unwrap();
    assert!(message.contains("535"), "{message}");
    assert!(!item.to_string().contains("numbers"), "{item}");
    assert!(
        !server.log().contains("numbers"),
        "the password is in the log"
    );
    assert!(mails.log().contains("refused"), "{}", mails.log());
    assert!(mails.mails().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_gets_no_password_and_no_mail() {
    let mails = SmtpServer::without_tls().await;
    let server = server(&mails, "letters", false).await;
    let project = notified(&server).await;
    let item = kept(&server, &project).await;
    assert_eq!(item["error"]["code"], "mail_not_sent", "{item}");
    let message = item["error"]["message"].as_str().unwrap();
    assert!(message.contains("STARTTLS"), "{message}");
    assert!(!mails.log().contains("signed in"), "{}", mails.log());
    assert!(mails.mails().is_empty());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_mail() {
    let mails = SmtpServer::start().await;
    let server = server(&mails, "letters", false).await;
    let project = notified(&server).await;
    let item = kept(&server, &project).await;
    assert_eq!(item["error"]["code"], "mail_not_sent", "{item}");
    let message = item["error"]["message"].as_str().unwrap();
    assert!(message.contains("certificate"), "{message}");
    assert!(!mails.log().contains("signed in"), "{}", mails.log());
    assert!(mails.mails().is_empty());
}
