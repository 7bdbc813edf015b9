//! What jobs of `cron` tell by mail: a failure, and a time that went by while the
//! server was down. The mail server is PyPI's `aiosmtpd`; the clock is the
//! test's, and so this runs on SQLite and a local folder.

use atlashub_tests::{DEADLINE, PASSWORD, SmtpServer, TestServer, free_address, until};
use serde_json::{Value, json};
use std::{fs, path::Path};

fn set(clock: &Path, offset: &str) {
    // At once, so that no half of it is read.
    let new = clock.with_extension("new");
    fs::write(&new, format!("{offset}\n")).unwrap();
    fs::rename(&new, clock).unwrap();
}

async fn mail_with(mails: &SmtpServer, words: &[&str]) -> String {
    until(&format!("a mail with {words:?}"), DEADLINE, || {
        let mut came = mails.mails().into_iter();
        let found = came.find(|mail| words.iter().all(|word| mail.contains(word)));
        std::future::ready(found)
    })
    .await
}

#[tokio::test]
async fn a_failure_and_a_time_missed_while_down_are_mailed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    set(&clock, "+0");
    let mails = SmtpServer::start().await;
    // Nobody listens there.
    let nobody = free_address().to_string();
    let mut server = TestServer::builder()
        .env("ATLASHUB_SMTP_URL", mails.url("letters"))
        .env(
            "ATLASHUB_SMTP_CA_FILE",
            mails.certificate().display().to_string(),
        )
        .env("ATLASHUB_EGRESS_ALLOW", nobody.as_str())
        .by_the_clock_in(&clock)
        .start_embedded()
        .await;
    let admin = server.admin();
    let project = admin.project().await;
    let body =
        json!({"enabled": true, "grants": "requested", "config": {"default_email": "immediately"}});
    let notified = admin.install(&project, "notifications", body).await;
    let _ = notified.expect_success();
    let body =
        json!({"enabled": true, "grants": "requested", "config": {"allowed_targets": [nobody]}});
    let _ = admin.install(&project, "cron", body).await.expect_success();
    let users = format!("/admin/v1/projects/{}/users", project.slug);
    let ada = json!({"email": "ada@example.com", "password": PASSWORD, "email_verified": true});
    let ada = admin.post(&users, ada).await.expect(201).json();
    let notify = json!({"on": ["failure", "missed"], "user_ids": [ada["id"]]});
    let job = |name: &str, schedule: &str| {
        json!({
            "name": name, "type": "http", "schedule": schedule, "notify": notify,
            "http": {"url": format!("http://{nobody}/"), "method": "GET"},
        })
    };
    let create = async |body: Value| {
        let made = project.post("/cron/jobs", body).await.expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    };

    let failing = create(job("Count of the till", "0 0 1 1 *")).await;
    let run = format!("/cron/jobs/{failing}/run");
    let _ = project.post(&run, json!({})).await.expect(202);
    let mail = mail_with(&mails, &["Count of the till", "failed"]).await;
    assert!(mail.contains("To: ada@example.com"), "{mail}");

    // Every hour, of which a day goes by.
    let hourly = create(job("Sums of the hour", "0 * * * *")).await;
    server.stop().await;
    set(&clock, "+26h");
    server.start_again().await;
    let project = project.on(&server);
    let missed = until("a missed run", DEADLINE, || async {
        let path = format!("/cron/jobs/{hourly}/runs?limit=200");
        let runs = project.get(&path).await.expect(200).json();
        let runs = runs["items"].as_array().unwrap().clone();
        runs.into_iter().find(|run| run["status"] == "missed")
    })
    .await;
    let why = missed["error_text"].as_str().unwrap();
    assert!(why.contains("went by without a run"), "{missed}");
    let mail = mail_with(&mails, &["Sums of the hour", "was missed"]).await;
    assert!(mail.contains("To: ada@example.com"), "{mail}");
}
