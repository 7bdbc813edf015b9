//! The dialect of `rpc`, as clients of the older system speak it.

use atlashub_tests::{PASSWORD, Project, Reply, noise, shared};
use reqwest::Method;
use serde_json::json;

async fn project() -> Project {
    let admin = shared().await.admin();
    admin.project_with(&["files", "rpc"]).await
}

/// A request as those clients send it: the token and nothing else, but for
/// where the project is.
fn with_token(
    project: &Project,
    token: &str,
    method: Method,
    path: &str,
) -> reqwest::RequestBuilder {
    let path = format!("/p/{}{path}", project.slug);
    project.bare_request(method, &path).bearer_auth(token)
}

async fn login(project: &Project, email: &str, password: &str) -> Reply {
    let path = format!("/p/{}/rpc/login", project.slug);
    let request = project.bare_request(Method::POST, &path);
    Reply::to(request.json(&json!({"email": email, "password": password}))).await
}

async fn token(project: &Project, email: &str) -> String {
    let answer = login(project, email, PASSWORD).await.expect(200).json();
    answer[0]["token"].as_str().expect("a token").to_owned()
}

async fn store(project: &Project, token: &str, path: &str, bytes: Vec<u8>) -> Reply {
    let request = with_token(project, token, Method::POST, "/rpc/store_file");
    Reply::to(request.header("file-path", path).body(bytes)).await
}

async fn retrieve(project: &Project, token: &str, path: &str) -> Reply {
    let path = format!("/rpc/retrieve_file?p_file_path={path}");
    Reply::to(with_token(project, token, Method::GET, &path)).await
}

fn is_not_found(reply: &Reply) {
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json(), json!({"message": "File not found."}));
}

#[tokio::test]
async fn who_signs_in_stores_a_file_by_its_path_and_gets_it_back() {
    let project = project().await;
    let user = project.sign_up().await;
    let refused = login(&project, &user.email, "wrong").await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        json!({"message": "Invalid email or password"})
    );
    let token = token(&project, &user.email).await;
    let bytes = noise(3 * 1024 * 1024, 5);
    let stored = store(&project, &token, "reports/2026%20Q3.bin", bytes.clone()).await;
    let id = stored.expect(200).json();
    let id = id.as_str().expect("an id");
    assert!(uuid::Uuid::try_parse(id).is_ok(), "{id}");
    let back = retrieve(&project, &token, "reports%2F2026%20Q3.bin").await;
    assert_eq!(back.expect(200).body, bytes);
    // The same path again is the same file.
    let again = store(&project, &token, "reports/2026%20Q3.bin", b"new".to_vec()).await;
    assert_eq!(again.expect(200).json(), json!(id));
    let back = retrieve(&project, &token, "reports%2F2026%20Q3.bin").await;
    assert_eq!(back.expect(200).body, "new");
    is_not_found(&retrieve(&project, &token, "reports").await);
}

#[tokio::test]
async fn only_those_who_signed_in_are_served() {
    let project = project().await;
    let store = project.bare_request(Method::POST, &format!("/p/{}/rpc/store_file", project.slug));
    let reply = Reply::to(store.header("file-path", "a").body("x")).await;
    assert_eq!(reply.status, 401);
    let forged = retrieve(&project, "forged", "a").await;
    assert_eq!(forged.status, 401);
}

#[tokio::test]
async fn an_admin_sees_what_all_files_are_called_and_reads_its_own() {
    let admin = shared().await.admin();
    let project = project().await;
    let (ann, boss) = (project.sign_up().await, project.sign_up().await);
    let roles = format!("/admin/v1/projects/{}/users/{}", project.slug, boss.id);
    let _ = admin
        .patch(&roles, json!({"roles": ["admin"]}))
        .await
        .expect(200);
    let (anns, bosss) = (
        token(&project, &ann.email).await,
        token(&project, &boss.email).await,
    );
    let id = store(&project, &anns, "diary.txt", b"private words".to_vec()).await;
    let id = id.expect(200).json();
    let id = id.as_str().expect("an id");
    let _ = store(&project, &bosss, "own.txt", b"own words".to_vec())
        .await
        .expect(200);
    let listed = |token: String| {
        let project = project.clone();
        async move {
            let list = with_token(&project, &token, Method::GET, "/files");
            let page = Reply::to(list).await.expect(200).json();
            let mut names: Vec<String> = page["items"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|file| file["filename"].as_str().map(str::to_owned))
                .collect();
            names.sort();
            names
        }
    };
    assert_eq!(listed(anns.clone()).await, ["diary.txt"]);
    assert_eq!(listed(bosss.clone()).await, ["diary.txt", "own.txt"]);
    is_not_found(&retrieve(&project, &bosss, "diary.txt").await);
    let path = format!("/files/{id}");
    let download = format!("{path}/download");
    let refused = Reply::to(with_token(&project, &bosss, Method::GET, &download)).await;
    assert_eq!(refused.expect_problem(404), "not_found");
    let others = Reply::to(with_token(&project, &anns, Method::GET, &download)).await;
    assert_eq!(others.expect(200).body, "private words");
}

#[tokio::test]
async fn an_upload_beyond_the_quota_is_refused_in_the_dialect() {
    let project = project().await;
    let admin = shared().await.admin();
    let body = json!({"enabled": true, "grants": "requested", "config": {"user_quota_bytes": 10}});
    let _ = admin
        .install(&project, "files", body)
        .await
        .expect_success();
    let user = project.sign_up().await;
    let token = token(&project, &user.email).await;
    let reply = store(&project, &token, "large.bin", vec![7; 11]).await;
    assert_eq!(reply.status, 413, "{}", reply.text());
    assert!(reply.json()["message"].is_string());
}
