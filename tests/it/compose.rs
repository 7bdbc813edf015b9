//! What `compose/` names, started without a container engine: the same
//! commands and settings, with this machine's addresses and folders.

use atlashub_tests::{Composed, DEADLINE, Engine, PASSWORD, Reply, TestServer, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr};

const ONE_MACHINE: &[&str] = &["one-machine.yaml"];
const RASPBERRY_PI: &[&str] = &["one-machine.yaml", "raspberry-pi.yaml"];
const THREE_NODES: &[&str] = &["three-nodes.yaml"];

/// The settings of a service, for a process of this machine: where it listens
/// and keeps its files is the harness's, whose own settings are taken away.
fn on_this_machine(composed: &Composed, service: &str) -> BTreeMap<String, String> {
    let said = composed.service(service);
    assert_eq!(said["command"], json!(["serve"]));
    let mut variables = composed.variables(service);
    let listen = variables.remove("ATLASHUB_LISTEN").unwrap();
    let port = listen.parse::<SocketAddr>().unwrap().port();
    let nodes = composed.service("caddy")["environment"]["ATLASHUB_NODES"].clone();
    let mut nodes = nodes.as_str().unwrap().split(' ');
    assert!(nodes.any(|node| node == format!("{service}:{port}")));
    let folder = variables.remove("ATLASHUB_DATA_DIR").unwrap();
    let mut volumes = said["volumes"].as_array().unwrap().iter();
    assert!(volumes.any(|volume| volume.as_str().unwrap().ends_with(&format!(":{folder}"))));
    // Backups have a place of their own, and come by themselves.
    let place = variables.remove("ATLASHUB_BACKUP_URL").unwrap();
    if let Some(folder) = place.strip_prefix("fs:") {
        let mut volumes = said["volumes"].as_array().unwrap().iter();
        assert!(volumes.any(|volume| volume.as_str().unwrap().ends_with(&format!(":{folder}"))));
    } else {
        assert!(place.starts_with("s3://atlashub-backups?endpoint=http://seaweedfs:8333&"));
        let buckets = composed.service("bucket")["command"].to_string();
        assert!(buckets.contains("s3.bucket.create -name atlashub-backups"));
    }
    assert_eq!(variables["ATLASHUB_BACKUP_SCHEDULE"], "30 2 * * *");
    for name in ["ATLASHUB_DEV_ADMIN_TOKEN", "ATLASHUB_MASTER_KEY"] {
        variables.insert(name.to_owned(), String::new());
    }
    variables
}

/// That the command by which an engine looks after a service says that it is
/// well, and says so no more once it has ended.
async fn looked_after(server: &mut TestServer, service: &Value) {
    let test = service["healthcheck"]["test"].as_array().unwrap();
    let test: Vec<_> = test.iter().map(|word| word.as_str().unwrap()).collect();
    let ["CMD", "atlashub", words @ ..] = test.as_slice() else {
        panic!("{test:?}");
    };
    let (code, said) = server.run_with_its_settings(words, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(r#""status":"ok""#), "{said}");
    server.stop().await;
    let (code, said) = server.run_with_its_settings(words, &[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("nobody answers"), "{said}");
}

#[tokio::test]
async fn one_machine_serves_with_the_settings_of_its_file() {
    if Engine::of_this_run() != Engine::Sqlite {
        return;
    }
    for files in [ONE_MACHINE, RASPBERRY_PI] {
        let composed = Composed::read(files);
        let variables = on_this_machine(&composed, "atlashub");
        assert_eq!(variables["ATLASHUB_ENV"], "production");
        let mut server = TestServer::builder().envs(variables).start().await;
        let balancer = composed.balancer(&[server.address()]).await;
        let owner = json!({"email": "owner@example.com", "password": "a password of the owner"});
        let setup = balancer.request(Method::POST, "/admin/v1/setup");
        let setup = setup.json(&owner);
        let made = Reply::to(setup).await.expect_success().json();
        assert!(made.is_object(), "{made}");
        let limit = composed.service("atlashub")["deploy"]["resources"]["limits"]["memory"].clone();
        if let Some(limit) = limit.as_str() {
            let gibibytes: u64 = limit.strip_suffix('G').unwrap().parse().unwrap();
            assert!(server.resident_bytes() < (gibibytes << 30) / 2);
        }
        looked_after(&mut server, composed.service("atlashub")).await;
    }
}

#[tokio::test]
async fn three_nodes_serve_as_one_behind_their_balancer() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    // Makes the project, as an admin of any of them could.
    let first = TestServer::start().await;
    let project = first.admin().project_with(&["files"]).await;
    let composed = Composed::read(THREE_NODES);
    for (secret, setting) in [
        ("database_url", "ATLASHUB_DATABASE_URL"),
        ("master_key", "ATLASHUB_MASTER_KEY"),
        ("s3_access_key", "AWS_ACCESS_KEY_ID"),
        ("s3_secret_key", "AWS_SECRET_ACCESS_KEY"),
    ] {
        let value = match first.store_setting(setting) {
            Some(value) => value.to_owned(),
            None => std::env::var(setting).unwrap(),
        };
        std::fs::write(composed.secret(secret), format!("{value}\n")).unwrap();
    }
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let mut variables = on_this_machine(&composed, &format!("node-{number}"));
        let storage = variables.get_mut("ATLASHUB_STORAGE_URL").unwrap();
        assert!(storage.starts_with("s3://atlashub?endpoint=http://seaweedfs:8333&"));
        *storage = first.store_setting("ATLASHUB_STORAGE_URL").unwrap().into();
        for name in [
            "ATLASHUB_DATABASE_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            variables.insert(name.to_owned(), String::new());
        }
        nodes.push(first.node_with(number, variables).await);
    }
    let addresses: Vec<_> = nodes.iter().map(TestServer::address).collect();
    let balancer = composed.balancer(&addresses).await;
    let project = project.behind(&balancer);
    let file = project.upload("kept.txt", "what all nodes serve").await;
    let id = file.expect_success().json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/files/{id}/download");
    let mut last = nodes.pop().unwrap();
    looked_after(&mut last, composed.service("node-3")).await;
    // With a node less, nobody notices.
    for _ in 0..20 {
        let read = project.get(&path).await.expect(200);
        assert_eq!(read.text(), "what all nodes serve");
    }
    nodes[0].kill();
    for _ in 0..20 {
        let read = project.get(&path).await.expect(200);
        assert_eq!(read.text(), "what all nodes serve");
    }
    until("an upload", DEADLINE, || {
        let upload = project.request(Method::POST, "/files/upload");
        let upload = upload.header("file-path", "more.txt").body("more");
        async move { (Reply::to(upload).await.status < 300).then_some(()) }
    })
    .await;
}

#[tokio::test]
async fn behind_a_tunnel_clients_keep_their_addresses_and_nobody_else_says_theirs() {
    const CLIENT: &str = "203.0.113.9";
    let server = TestServer::builder()
        .env("ATLASHUB_TRUSTED_PROXIES", "127.0.0.0/8")
        .start()
        .await;
    let project = server.admin().project().await;
    for (files, seen) in [
        (&["one-machine.yaml"][..], "127.0.0.1"),
        (&["one-machine.yaml", "cloudflared.yaml"], CLIENT),
    ] {
        let composed = Composed::read(files);
        let balancer = composed.balancer(&[server.address()]).await;
        let behind = project.clone().behind(&balancer);
        let user = project.sign_up().await;
        let login = behind.bare_request(Method::POST, "/v1/auth/login");
        let login = login
            .header("apikey", &project.publishable)
            .header("x-forwarded-for", CLIENT)
            .json(&json!({"email": user.email, "password": PASSWORD}));
        let _ = Reply::to(login).await.expect(200);
        let path = format!(
            "/admin/v1/projects/{}/users/{}/sessions",
            project.slug, user.id
        );
        let sessions = server.admin().get(&path).await.expect(200).json();
        let sessions = sessions["items"].as_array().unwrap();
        let mut addresses: Vec<_> = sessions
            .iter()
            .map(|session| session["address"].as_str().unwrap())
            .collect();
        addresses.sort_unstable();
        assert_eq!(addresses, ["127.0.0.1", seen], "{files:?}");
    }
}

#[test]
fn what_lies_over_others_fits_them() {
    for below in ["one-machine.yaml", "three-nodes.yaml"] {
        let composed = Composed::read(&[below, "cloudflared.yaml"]);
        let caddy = composed.service("caddy");
        assert_eq!(caddy["ports"], json!([]), "no port is open");
        assert_eq!(caddy["environment"]["ATLASHUB_SITES"], ":80");
        let tunnel = composed.service("cloudflared");
        assert_eq!(tunnel["networks"], caddy["networks"]);
    }
}

#[test]
fn an_engine_looks_after_whatever_goes_on_running() {
    for below in ["one-machine.yaml", "three-nodes.yaml"] {
        let composed = Composed::read(&[below, "cloudflared.yaml"]);
        for (name, service) in composed.services() {
            // What ends by itself is well when it has ended.
            if service["restart"] == "on-failure" {
                continue;
            }
            let test = service["healthcheck"]["test"].as_array();
            let words = test.unwrap_or_else(|| panic!("nobody looks after {name}"));
            assert_eq!(words[0], "CMD", "{name}");
            assert!(words.len() > 1, "{name}");
        }
        // Where the balancer says that it is up is where it is asked.
        let asked = composed.service("caddy")["healthcheck"]["test"].to_string();
        assert!(asked.contains("http://127.0.0.1:2020/"), "{asked}");
    }
}
