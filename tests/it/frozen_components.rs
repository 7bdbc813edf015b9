//! Components that were built once, against interfaces as they were then, and
//! are never built again: they deploy and answer as on their first day.

use crate::fsck::fsck;
use atlashub_core::{Digest, component_file};
use atlashub_tests::{
    Admin, DEADLINE, Engine, PASSWORD, Project, Reply, TestServer, shared, until,
};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen")
}

fn frozen(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Installs a frozen component with all that it asks for.
async fn deployed(admin: &Admin, name: &str, config: Value) -> Project {
    let _ = admin.upload(frozen(name), None).await.expect_success();
    let project = admin.project_with(&["hello"]).await;
    let body = json!({"enabled": true, "grants": "requested", "config": config});
    let plugin = format!("frozen{name}");
    let _ = admin.install(&project, &plugin, body).await.expect(201);
    project
}

async fn post(project: &Project, path: &str, body: impl Into<reqwest::Body>) -> Reply {
    Reply::to(project.request(Method::POST, path).body(body)).await
}

/// The interfaces that the files below a folder declare.
fn declared(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(declared(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let word = |line: &str, before: &str| {
            let rest = line.strip_prefix(before)?;
            Some(rest.trim_end_matches([';', '{', ' ']).to_owned())
        };
        let package = text.lines().find_map(|line| word(line, "package "));
        let (package, version) = {
            let package = package.unwrap_or_else(|| panic!("{} has no package", path.display()));
            let (name, version) = package.split_once('@').unwrap();
            (name.to_owned(), version.to_owned())
        };
        let interfaces = text.lines().filter_map(|line| word(line, "interface "));
        all.extend(interfaces.map(|name| format!("{package}/{name}@{version}")));
    }
    all
}

#[tokio::test]
async fn every_released_interface_is_used_by_a_frozen_component() {
    let mut used = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "wasm") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() <= 400 * 1024, "{} is large", path.display());
        let component = component_file::describe(&bytes).unwrap();
        used.extend(component.imports.into_iter().chain(component.exports));
    }
    let released = declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/released"));
    assert!(released.len() >= 6, "{released:?}");
    for interface in released {
        assert!(
            used.contains(&interface),
            "{interface} is in none of {used:?}"
        );
    }
}

#[tokio::test]
async fn what_was_built_for_0_1_0_runs() {
    let admin = shared().await.admin();
    let project = deployed(&admin, "first", json!({"greeting": "good day"})).await;
    let said = project.get("/frozenfirst/identity").await.expect(200);
    let identity = said.json();
    assert_eq!(identity["project"], project.slug.as_str(), "{identity}");
    assert_eq!(identity["request"], said.header("x-request-id"));
    assert_eq!(identity["caller"], "SecretKey", "{identity}");
    assert_eq!(identity["activated"], "install", "{identity}");
    let address = identity["public_url"].as_str().unwrap();
    assert!(address.contains(&project.slug), "{identity}");

    let dialect = match Engine::of_this_run() {
        Engine::Sqlite => "Sqlite",
        Engine::Postgres => "Postgres",
    };
    let rows = project.get("/frozenfirst/rows").await.expect(200).json();
    let expected = json!({
        "dialect": dialect,
        "inserted": 1,
        "seen": 3,
        "items": [["a", 1, 0.5, null], ["b", 2, 1.5, null]],
        "pages": [1, 1],
        "refused": true,
    });
    assert_eq!(rows, expected);

    let values = project.get("/frozenfirst/values").await.expect(200).json();
    let expected = json!({
        "swapped": true,
        "late": false,
        "value": 2,
        "keys": ["counter"],
        "deleted": [true, false],
    });
    assert_eq!(values, expected);

    let text = "what is kept";
    let objects = post(&project, "/frozenfirst/objects", text).await;
    let mut objects = objects.expect(200).json();
    let links = objects["signed"].take();
    let expected = json!({
        "sha256": Digest::of(text.as_bytes()).to_hex(),
        "head": text,
        "size": text.len(),
        "bytes": 5,
        "part": "hat",
        "keys": ["bytes", "whole"],
        "signed": null,
        "missing": "object_not_found",
        "deleted": true,
    });
    assert_eq!(objects, expected);
    let links: Vec<&str> = links
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(links.len(), 2);
    assert!(
        links.iter().all(|link| link.starts_with("http")),
        "{links:?}"
    );
    let served = project.get("/frozenfirst/served").await.expect(200);
    assert_eq!(served.text(), "at ");

    let file = Part::text("inside")
        .file_name("a.txt")
        .mime_str("text/plain")
        .unwrap();
    let form = Form::new().text("word", "said").part("file", file);
    let request = project.request(Method::POST, "/frozenfirst/form");
    let parts = Reply::to(request.multipart(form)).await.expect(200).json();
    let expected = json!([
        ["word", null, null, "said"],
        ["file", "a.txt", "text/plain", "inside"]
    ]);
    assert_eq!(parts, expected);

    let outside = project.get("/frozenfirst/outside").await.expect(200).json();
    assert_eq!(outside["greeting"], "good day", "{outside}");
    assert_eq!(outside["neighbour"], "{\"message\":\"hello\"}", "{outside}");
    let logs = format!(
        "/admin/v1/projects/{}/plugins/frozenfirst/logs",
        project.slug
    );
    until("its line in the log", DEADLINE, || async {
        let lines = admin.get(&logs).await.expect(200).text();
        lines.contains("looking outside").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_built_for_what_came_after_runs() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = deployed(&admin, "second", json!({"token": "the-token"})).await;

    let mut stream = project
        .request(Method::GET, "/frozensecond/stream")
        .send()
        .await
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let told = post(&project, "/frozensecond/told", "").await;
    assert_eq!(told.expect(200).text(), "told");
    let mut seen = String::new();
    tokio::time::timeout(DEADLINE, async {
        while !seen.contains("{\"n\":1}") {
            let piece = stream.chunk().await.unwrap().expect("the stream goes on");
            seen.push_str(&String::from_utf8_lossy(&piece));
        }
    })
    .await
    .expect("the message");
    assert!(
        seen.contains("event: told") || seen.contains("event:told"),
        "{seen}"
    );
    drop(stream);

    let _ = post(&project, "/frozensecond/audited", "")
        .await
        .expect(200);
    let audit = admin
        .get("/admin/v1/audit?limit=50")
        .await
        .expect(200)
        .text();
    assert!(audit.contains("plugins.frozensecond.look"), "{audit}");

    let _ = post(&project, "/frozensecond/said", "").await.expect(200);
    until("the event", DEADLINE, || async {
        let heard = project.get("/frozensecond/heard").await.expect(200).json();
        (heard == json!(["now"])).then_some(())
    })
    .await;

    let secrets = project
        .get("/frozensecond/secrets")
        .await
        .expect(200)
        .json();
    let expected = json!({
        "stand_ins": [true, true, true],
        "opened": "confided",
        "elsewhere": true,
        "renewed": false,
    });
    assert_eq!(secrets, expected);

    people(&project).await;
    tables(&admin, &project).await;

    let part = post(&project, "/frozensecond/part", "half").await;
    let expected = json!({
        "size": 4,
        "sha256": Digest::of(b"half").to_hex(),
        "complete": true,
    });
    assert_eq!(part.expect(200).json(), expected);
    let joined = post(&project, "/frozensecond/joined", "").await;
    let expected = json!({"size": 8, "sha256": Digest::of(b"halfhalf").to_hex()});
    assert_eq!(joined.expect(200).json(), expected);
    // It keeps a wrong size on purpose, and finds itself at fault.
    let found = fsck(&server, &project, &[]).await;
    let codes = found.codes();
    assert!(codes.contains(&"of_the_plugin"), "{:?}", found.findings);
    let lost = found
        .findings
        .iter()
        .find(|one| one.to_string().contains("what was kept"));
    assert!(lost.is_some(), "{:?}", found.findings);
}

/// A user who signs in by way of the plugin, is looked up and gets a mail.
async fn people(project: &Project) {
    let user = project.sign_up().await;
    let id = &user.id;
    let path = format!("/frozensecond/people/{id}");
    let people = project.get(&path).await.expect(200).json();
    let expected = json!({"may": true, "known": true, "found": true, "listed": 1});
    assert_eq!(people, expected);
    for (password, outcome) in [
        ("not the password", "invalid_credentials"),
        (PASSWORD, "ok"),
    ] {
        let request = project
            .request(Method::GET, "/frozensecond/sign-in")
            .query(&[("email", user.email.as_str()), ("password", password)]);
        assert_eq!(Reply::to(request).await.expect(200).json(), outcome);
    }
    let mails = post(project, &format!("/frozensecond/mails/{id}"), "").await;
    assert_eq!(mails.expect(200).json(), json!(["ok", "ok", "not_granted"]));
}

/// The project's own tables, with the caller's rights.
async fn tables(admin: &Admin, project: &Project) {
    let path = format!("/admin/v1/projects/{}/tables", project.slug);
    let table = json!({
        "name": "things",
        "columns": [
            {"name": "id", "type": "integer", "primary_key": true},
            {"name": "label", "type": "text"},
        ],
    });
    let _ = admin.post(&path, table).await.expect_success();
    let tables = project.get("/frozensecond/tables").await.expect(200).json();
    assert_eq!(tables["version"], true, "{tables}");
    assert!(tables["names"].to_string().contains("things"), "{tables}");
    assert_eq!(tables["found"], 1, "{tables}");
    assert_eq!(tables["changed"], json!([1, 1, 1, 1, 1]), "{tables}");
}
