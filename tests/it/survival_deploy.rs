//! A server that is killed in the middle of deployments comes back with whole
//! ones: what it has acknowledged, or the one that it was about.

use atlashub_tests::{Admin, Project, Reply, TestServer, built_in, until, with_manifest};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A version of `deployed`: it is asked at an address of its own.
fn component(turn: u64) -> Vec<u8> {
    let manifest = format!(
        "name = \"deployed\"\nversion = \"{turn}.0.0\"\n[[routes]]\npath = \"/hello/{turn}\"\n"
    );
    with_manifest(&built_in("hello"), &manifest)
}

/// Uploads a version; nothing when the server has gone.
async fn upload(admin: &Admin, turn: u64) -> Option<Value> {
    let part = Part::bytes(component(turn)).file_name("plugin.wasm");
    let form = Form::new().part("component", part);
    let request = admin
        .request(Method::POST, "/admin/v1/plugins")
        .multipart(form);
    let reply = Reply::try_to(request).await.ok()?;
    Some(reply.expect_success().json())
}

/// Deploys one version after the other, until the server has gone.
async fn deploy(
    admin: Admin,
    project: Project,
    first: u64,
    uploaded: Arc<AtomicU64>,
    installed: Arc<AtomicU64>,
) {
    let path = format!("/admin/v1/projects/{}/plugins/deployed", project.slug);
    for turn in first.. {
        let Some(revision) = upload(&admin, turn).await else {
            return;
        };
        uploaded.store(turn, Ordering::Relaxed);
        let body = json!({"revision": revision["id"], "enabled": true, "grants": "requested"});
        let request = admin.request(Method::PUT, &path).json(&body);
        let Ok(reply) = Reply::try_to(request).await else {
            return;
        };
        let _ = reply.expect_success();
        installed.store(turn, Ordering::Relaxed);
    }
}

/// The versions of `deployed` in the catalogue.
async fn catalogue(admin: &Admin) -> Vec<u64> {
    let listed = admin.get("/admin/v1/plugins/deployed").await.expect(200);
    let listed = listed.json();
    let revisions = listed["revisions"].as_array().expect("revisions");
    revisions
        .iter()
        .map(|revision| version(&revision["version"]))
        .collect()
}

fn version(text: &Value) -> u64 {
    let (major, _) = text.as_str().unwrap().split_once('.').unwrap();
    major.parse().unwrap()
}

#[tokio::test]
async fn a_killed_server_serves_the_last_version_that_it_acknowledged_or_the_one_in_flight() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project().await;
    let (uploaded, installed) = (Arc::default(), Arc::default());
    for round in 0..4 {
        // Ever new versions: an old one that comes back is seen.
        let first = at(&uploaded) + 2;
        let deployer = tokio::spawn(deploy(
            admin.clone(),
            project.clone(),
            first,
            Arc::clone(&uploaded),
            Arc::clone(&installed),
        ));
        // Killed in turn while it is uploading, and while it is installing.
        let watched = if round % 2 == 0 {
            &installed
        } else {
            &uploaded
        };
        until("some deployments", atlashub_tests::DEADLINE, || {
            std::future::ready((at(watched) > first).then_some(()))
        })
        .await;
        server.kill();
        deployer.await.unwrap();
        server.start_again().await;

        // Only what had been uploaded could be about to be installed.
        let (acknowledged, last) = (at(&installed), at(&uploaded));
        let told = admin.installed(&project, "deployed").await;
        let serves = version(&told["version"]);
        assert!(
            [acknowledged, last].contains(&serves),
            "{acknowledged} was acknowledged, {last} in flight, {serves} is installed"
        );
        let reply = project.get(&format!("/hello/{serves}")).await.expect(200);
        assert_eq!(reply.json()["message"], format!("hello, {serves}"));

        // Every upload that was acknowledged is whole, and installs anew.
        let known = catalogue(&admin).await;
        for turn in first..=last {
            assert!(known.contains(&turn), "{turn} is not in {known:?}");
        }
        assert!(
            known.iter().all(|turn| *turn <= last + 1),
            "{known:?} beyond {last}"
        );
        let again = upload(&admin, last + 1).await.expect("an answer");
        assert_eq!(version(&again["version"]), last + 1);
        uploaded.store(last + 1, Ordering::Relaxed);
    }
}

fn at(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
