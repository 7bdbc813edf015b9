//! API keys: shown once, stored as digests, rotated and revoked at once.

use atlashub_tests::{AT_ONCE, Admin, Project, Reply, shared, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn make_key(admin: &Admin, project: &Project, body: Value) -> Value {
    let path = format!("/admin/v1/projects/{}/keys", project.slug);
    admin.post(&path, body).await.expect(201).json()
}

/// Expects that `key` is refused.
async fn refused(project: &Project, key: &str) {
    let reply = project.with_key(key).get("/hello").await;
    reply.expect_problem(401);
}

/// Waits until `key` is refused.
pub(crate) async fn until_refused(project: &Project, key: &str, deadline: Duration) {
    let project = project.with_key(key);
    until("the end of the key", deadline, || async {
        let reply = project.get("/hello").await;
        (reply.status == 401).then(|| reply.expect_problem(401))
    })
    .await;
}

#[tokio::test]
async fn keys_have_a_readable_start_and_enough_randomness() {
    let project = shared().await.admin().project().await;
    for (key, start) in [(&project.publishable, "ahp_"), (&project.secret, "ahs_")] {
        let random = key.strip_prefix(start).unwrap();
        assert!(random.len() >= 43, "`{key}` has less than 32 bytes");
        assert!(
            random
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
    }
    assert_ne!(project.publishable[4..], project.secret[4..]);
}

#[tokio::test]
async fn a_key_is_shown_only_when_it_is_made() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let made = make_key(&admin, &project, json!({"kind": "secret", "name": "mine"})).await;
    let key = made["key"].as_str().unwrap();
    let list = admin
        .get(&format!("/admin/v1/projects/{}/keys", project.slug))
        .await
        .expect(200);
    assert!(list.text().contains("mine"));
    for shown in [key, &project.secret, &project.publishable] {
        assert!(!list.text().contains(shown), "the list shows a key");
    }
}

#[tokio::test]
async fn a_key_is_nowhere_in_the_stored_files() {
    let server = shared().await;
    let project = server.admin().project_with(&["hello"]).await;
    let _ = project.get("/hello").await.expect(200);
    let needle = project.secret.as_bytes();
    let mut folders = vec![server.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let found = bytes.windows(needle.len()).any(|window| window == needle);
                assert!(!found, "the secret key is in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_key_is_401() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let unknown = format!("ahs_{}", "A".repeat(43));
    for key in [unknown.as_str(), "ahs_", "nonsense", "ahs_short"] {
        project
            .with_key(key)
            .get("/hello")
            .await
            .expect_problem(401);
    }
}

#[tokio::test]
async fn a_key_that_has_expired_is_401() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let path = format!("/admin/v1/projects/{}/keys", project.slug);
    let past = json!({"kind": "secret", "expires_at": "2020-01-01T00:00:00Z"});
    let reply = admin.post(&path, past).await;
    // A time that has passed is refused at once, or makes a key that is dead.
    if reply.status == 201 {
        let key = reply.json()["key"].as_str().unwrap().to_owned();
        project
            .with_key(&key)
            .get("/hello")
            .await
            .expect_problem(401);
    } else {
        reply.expect_problem(422);
    }
    let future = json!({"kind": "secret", "expires_at": "2199-01-01T00:00:00Z"});
    let key = make_key(&admin, &project, future).await["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = project.with_key(&key).get("/hello").await.expect(200);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_the_next_call() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let made = make_key(&admin, &project, json!({"kind": "secret"})).await;
    let key = made["key"].as_str().unwrap();
    let _ = project.with_key(key).get("/hello").await.expect(200);
    let path = format!(
        "/admin/v1/projects/{}/keys/{}",
        project.slug,
        made["id"].as_str().unwrap()
    );
    let _ = admin.delete(&path).await.expect_success();
    refused(&project, key).await;
    let _ = project.get("/hello").await.expect(200);
}

#[tokio::test]
async fn a_rotated_key_gives_way_to_a_new_one() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let made = make_key(&admin, &project, json!({"kind": "publishable"})).await;
    let old = made["key"].as_str().unwrap();
    let id = made["id"].as_str().unwrap();
    let path = format!("/admin/v1/projects/{}/keys/{id}/rotate", project.slug);
    let rotated = admin.post(&path, json!({})).await.expect_success().json();
    let new = rotated["key"].as_str().unwrap();
    assert!(new.starts_with("ahp_") && new != old);
    let _ = project.with_key(new).get("/hello").await.expect(200);
    refused(&project, old).await;
}

#[tokio::test]
async fn a_rotated_key_may_stay_valid_for_a_while() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let keys = format!("/admin/v1/projects/{}/keys", project.slug);
    let made = make_key(&admin, &project, json!({"kind": "secret"})).await;
    let old = made["key"].as_str().unwrap();
    let path = format!("{keys}/{}/rotate", made["id"].as_str().unwrap());
    let too_long = json!({"overlap_seconds": 31 * 24 * 3_600});
    let longer = admin.post(&path, too_long).await;
    assert_eq!(longer.expect_problem(422), "invalid_overlap");
    let body = json!({"overlap_seconds": 3_600});
    let rotated = admin.post(&path, body).await.expect(201).json();
    let new = rotated["key"].as_str().unwrap();
    for key in [old, new] {
        let _ = project.with_key(key).get("/hello").await.expect(200);
    }
    let list = admin.get(&keys).await.expect(200).json();
    let shown = list["items"].as_array().unwrap().iter();
    let ends = shown
        .filter(|key| key["id"] == made["id"])
        .filter(|key| key["revoked_at"].is_string())
        .count();
    assert_eq!(ends, 1, "{list}");
    // One that is on its way out is not rotated again, and may end sooner.
    let again = admin.post(&path, json!({})).await;
    assert_eq!(again.expect_problem(409), "key_revoked");
    let path = format!("{keys}/{}", made["id"].as_str().unwrap());
    let _ = admin.delete(&path).await.expect_success();
    refused(&project, old).await;
    let _ = project.with_key(new).get("/hello").await.expect(200);
}

#[tokio::test]
async fn a_rotated_key_ends_after_its_overlap_without_being_told() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let made = make_key(&admin, &project, json!({"kind": "secret"})).await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/admin/v1/projects/{}/keys/{id}/rotate", project.slug);
    let _ = admin
        .post(&path, json!({"overlap_seconds": 1}))
        .await
        .expect(201);
    let old = made["key"].as_str().unwrap();
    until_refused(&project, old, AT_ONCE).await;
}

#[tokio::test]
async fn a_key_opens_its_own_project_only() {
    let admin = shared().await.admin();
    let (one, two) = (
        admin.project_with(&["files"]).await,
        admin.project_with(&["files"]).await,
    );
    let file = one
        .upload("secret.txt", "of one")
        .await
        .expect_success()
        .json();
    let path = format!("/files/{}/download", file["id"].as_str().unwrap());
    two.get(&path).await.expect_problem(404);
    assert_eq!(one.get(&path).await.expect(200).text(), "of one");
    let keys = format!("/admin/v1/projects/{}/keys", two.slug);
    let foreign = admin
        .get(&format!("/admin/v1/projects/{}/keys", one.slug))
        .await
        .json();
    let id = foreign["items"][0]["id"].as_str().unwrap();
    admin
        .delete(&format!("{keys}/{id}"))
        .await
        .expect_problem(404);
}

#[tokio::test]
async fn an_api_key_is_no_admin() {
    let project = shared().await.admin().project().await;
    let request = project.request(Method::GET, "/admin/v1/projects");
    Reply::to(request).await.expect_problem(401);
    let request = project
        .bare_request(Method::GET, "/admin/v1/projects")
        .bearer_auth(&project.secret);
    Reply::to(request).await.expect_problem(401);
}
