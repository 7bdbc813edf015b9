//! What plugins write, followed live over server-sent events.

use atlashub_tests::{AT_ONCE, Admin, DEADLINE, Project, TestServer, fixture, shared, unique};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Lines of a plugin's log as they come.
struct Followed {
    response: Response,
    pending: Vec<u8>,
}

impl Followed {
    async fn of(admin: &Admin, project: &Project, query: &str) -> Self {
        Self::at(admin, project, "plugins/misbehave/logs", query).await
    }

    /// What comes at a path below the project's.
    async fn at(admin: &Admin, project: &Project, path: &str, query: &str) -> Self {
        let slug = &project.slug;
        let path = format!("/admin/v1/projects/{slug}/{path}?follow=1{query}");
        let response = admin.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let of_type = response.headers()["content-type"].to_str().unwrap();
        assert!(of_type.starts_with("text/event-stream"), "{of_type}");
        Self {
            response,
            pending: Vec::new(),
        }
    }

    /// The next line of the stream itself; none at its end.
    async fn raw(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            let piece = self.response.chunk().await.unwrap()?;
            self.pending.extend_from_slice(&piece);
        }
    }

    /// The next line of the plugin; none at the end.
    async fn line(&mut self) -> Option<(String, Value)> {
        let next = async {
            loop {
                let raw = self.raw().await?;
                if let Some(data) = raw.strip_prefix("data:") {
                    let line = serde_json::from_str(data).unwrap();
                    return Some((raw, line));
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("a line")
    }

    /// The next line of the plugin, which says `text` behind where it says it.
    async fn expect(&mut self, text: &str) -> Value {
        let (_, line) = self.line().await.expect("the stream goes on");
        let message = line["message"].as_str().unwrap();
        assert!(message.ends_with(text), "not {text}: {line}");
        line
    }

    /// Waits for the end of the stream.
    async fn expect_end(mut self, why: &str, within: Duration) {
        let end = async { while self.raw().await.is_some() {} };
        tokio::time::timeout(within, end)
            .await
            .unwrap_or_else(|_| panic!("the stream went on after {why}"));
    }
}

async fn with_misbehave(admin: &Admin) -> Project {
    let uploaded = admin.upload(fixture("misbehave"), None).await;
    let _ = uploaded.expect_success();
    admin.project_with(&["misbehave"]).await
}

async fn says(project: &Project, text: &str) {
    let path = format!("/misbehave/says?text={text}");
    let _ = project.get(&path).await.expect_success();
}

#[tokio::test]
async fn lines_arrive_as_they_are_written_after_those_that_were() {
    let admin = shared().await.admin();
    let project = with_misbehave(&admin).await;
    let words: Vec<String> = (0..4).map(|_| unique("word")).collect();
    for word in &words[..2] {
        says(&project, word).await;
        let mut log = Followed::of(&admin, &project, "&limit=1").await;
        // What was written before comes first, while this is being stored.
        let says = |line: &Value| line["message"].as_str().unwrap().ends_with(word.as_str());
        while !says(&log.line().await.unwrap().1) {}
    }
    let mut log = Followed::of(&admin, &project, "&limit=2").await;
    for word in &words[..2] {
        let _ = log.expect(word).await;
    }
    let mut seq = 0;
    for word in &words[2..] {
        says(&project, word).await;
        let line = log.expect(word).await;
        assert_eq!(
            (&line["level"], &line["source"]),
            (&json!("info"), &json!("log"))
        );
        assert!(line["seq"].as_i64().unwrap() > seq, "{line}");
        seq = line["seq"].as_i64().unwrap();
    }
}

/// Lines of all plugins are followed, and read, at once; each names its plugin.
#[tokio::test]
async fn lines_of_all_plugins_come_together() {
    let admin = shared().await.admin();
    let project = with_misbehave(&admin).await;
    let mut log = Followed::at(&admin, &project, "logs", "").await;
    let word = unique("word");
    says(&project, &word).await;
    let line = log.expect(&word).await;
    assert_eq!(line["plugin"], "misbehave", "{line}");
    let path = format!("/admin/v1/projects/{}/logs?q={word}", project.slug);
    let page = admin.get(&path).await.expect(200).json();
    assert_eq!(page["items"][0]["seq"], line["seq"], "{page}");
    let other = admin.project_with(&[]).await;
    let path = format!("/admin/v1/projects/{}/logs", other.slug);
    assert_eq!(
        admin.get(&path).await.expect(200).json()["items"],
        json!([])
    );
}

#[tokio::test]
async fn a_line_cannot_forge_others_or_steer_a_terminal() {
    let admin = shared().await.admin();
    let project = with_misbehave(&admin).await;
    let mut log = Followed::of(&admin, &project, "").await;
    for road in ["log", "print"] {
        let path = format!("/misbehave/{road}?n=1");
        let _ = project.get(&path).await.expect(200);
    }
    says(&project, "the-last").await;
    let (mut lines, mut forged) = (Vec::new(), 0);
    loop {
        let (raw, line) = log.line().await.unwrap();
        let message = line["message"].as_str().unwrap().to_owned();
        for sign in raw.trim_end_matches('\n').chars().chain(message.chars()) {
            assert!(!sign.is_control(), "{sign:?} is in {raw:?}");
            assert!(!matches!(sign, '\u{202a}'..='\u{202e}'), "{raw:?}");
        }
        forged += usize::from(message.contains("forged"));
        let is_last = message.ends_with("the-last");
        lines.push(message);
        if is_last {
            break;
        }
    }
    assert!(forged >= 3, "logged and printed on both: {lines:#?}");
}

#[tokio::test]
async fn only_lines_as_grave_as_asked_for_are_followed() {
    let admin = shared().await.admin();
    let project = with_misbehave(&admin).await;
    let mut log = Followed::of(&admin, &project, "&level=error").await;
    says(&project, "of-no-weight").await;
    let _ = project.get("/misbehave/log?n=1").await.expect(200);
    let (_, line) = log.line().await.unwrap();
    assert_eq!(line["level"], "error", "{line}");
}

#[tokio::test]
async fn following_ends_when_the_plugin_is_removed_or_its_project() {
    let admin = shared().await.admin();
    let project = with_misbehave(&admin).await;
    let base = format!("/admin/v1/projects/{}", project.slug);
    let plugin = format!("{base}/plugins/misbehave");
    let log = Followed::of(&admin, &project, "").await;
    let _ = admin.delete(&plugin).await.expect_success();
    log.expect_end("the plugin's removal", DEADLINE).await;
    let path = format!("{plugin}/logs?follow=1");
    admin.get(&path).await.expect_problem(404);

    admin.enable(&project, "misbehave").await;
    let log = Followed::of(&admin, &project, "").await;
    let _ = admin.delete(&base).await.expect_success();
    log.expect_end("the project's removal", DEADLINE).await;
}

#[tokio::test]
async fn following_ends_with_the_session_and_with_no_other() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = with_misbehave(&admin).await;
    let owner = json!({"email": "owner@example.com", "password": "a long and honest pass phrase"});
    let setup = "/admin/v1/setup";
    let made = admin.anonymous().post(setup, owner.clone()).await;
    let first = made.expect(201).json()["token"].clone();
    let path = "/admin/v1/session";
    let again = admin.anonymous().post(path, owner).await;
    let second = again.expect_success().json()["token"].clone();
    let first = admin.with_session(first.as_str().unwrap());
    let second = admin.with_session(second.as_str().unwrap());
    let ended = Followed::of(&first, &project, "").await;
    let mut stays = Followed::of(&second, &project, "").await;
    let _ = first.delete(path).await.expect_success();
    ended.expect_end("the session's end", DEADLINE).await;
    says(&project, "still-here").await;
    let _ = stays.expect("still-here").await;
}

#[tokio::test]
async fn following_ends_with_the_node() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let project = with_misbehave(&admin).await;
    let log = Followed::of(&admin, &project, "").await;
    server.stop().await;
    log.expect_end("the node's end", AT_ONCE).await;
}
