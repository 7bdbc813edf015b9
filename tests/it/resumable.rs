//! Uploads that survive a broken line and a killed server, and those that go
//! straight to the store.

use atlashub_core::Digest;
use atlashub_tests::{
    DEADLINE, Project, RawConnection, Reply, TestServer, node_tests, noise, shared, until,
};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_tus_client_from_npm_resumes_where_its_line_broke() {
    let folder = std::env::var("ATLASHUB_TEST_TUS")
        .expect("ATLASHUB_TEST_TUS is not set: `cargo xtask test` sets it");
    let project = shared().await.admin().project_with(&["files"]).await;
    let variables = [
        ("ATLASHUB_TEST_TUS", folder.into()),
        ("ATLASHUB_TEST_URL", (shared().await.url("/")).into()),
        ("ATLASHUB_TEST_SECRET", (&project.secret).into()),
    ];
    node_tests("tus/client.mjs", variables).await;
}

/// Begins an upload and answers its path.
async fn begin(project: &Project, length: usize) -> String {
    let request = project
        .request(Method::POST, "/files/tus")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", length)
        .header("upload-metadata", "filename YS5iaW4=");
    let reply = Reply::to(request).await.expect(201);
    let location = reply.header("location");
    location[location.find("/files/tus/").unwrap()..].to_owned()
}

async fn offset(project: &Project, at: &str) -> usize {
    let request = project
        .request(Method::HEAD, at)
        .header("tus-resumable", "1.0.0");
    let reply = Reply::to(request).await.expect(200);
    reply.header("upload-offset").parse().unwrap()
}

async fn append(project: &Project, at: &str, from: usize, bytes: &[u8]) -> Reply {
    let request = project
        .request(Method::PATCH, at)
        .header("tus-resumable", "1.0.0")
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", from)
        .body(bytes.to_vec());
    Reply::to(request).await
}

/// The head of a part, as a client without a library sends it.
fn head(project: &Project, at: &str, from: usize, length: usize) -> String {
    format!(
        "PATCH {at} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ntus-resumable: 1.0.0\r\n\
         content-type: application/offset+octet-stream\r\nupload-offset: {from}\r\n\
         content-length: {length}\r\n\r\n",
        project.secret
    )
}

/// The file of an upload that is over has exactly these bytes.
async fn check(project: &Project, at: &str, bytes: &[u8]) {
    let id = at.rsplit('/').next().unwrap();
    let file = project
        .get(&format!("/files/{id}"))
        .await
        .expect(200)
        .json();
    assert_eq!(file["sha256"], Digest::of(bytes).to_hex(), "{file}");
    let path = format!("/files/{id}/download");
    let reply = project.get(&path).await.expect(200);
    assert_eq!(Digest::of(&reply.body), Digest::of(bytes));
}

async fn stored_bytes(server: &TestServer, project: &Project) -> u64 {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    let usage = server.admin().get(&path).await.expect(200).json();
    usage["storage"]["used_bytes"].as_u64().unwrap()
}

#[tokio::test]
async fn what_came_before_a_line_broke_is_kept_and_counts_once() {
    let server = shared().await;
    let project = server.admin().project_with(&["files"]).await;
    let bytes = noise(3_000_000, 71);
    let at = begin(&project, bytes.len()).await;
    let mut connection = RawConnection::to(server).await;
    connection.send(&head(&project, &at, 0, bytes.len())).await;
    connection.try_send(&bytes[..2_000_000]).await.unwrap();
    connection.abort();
    let (project_ref, path) = (&project, at.as_str());
    let came = until("what came", DEADLINE, || async move {
        Some(offset(project_ref, path).await).filter(|offset| *offset > 0)
    })
    .await;
    assert!(came <= 2_000_000, "{came} of 2000000 bytes");
    // Few bytes: a refusal does not wait for a body, and the line may break
    // under a long one before it is read.
    let refused = append(&project, &at, 0, &bytes[..1_000]).await;
    assert_eq!(refused.expect_problem(409), "upload_offset");
    let _ = append(&project, &at, came, &bytes[came..])
        .await
        .expect(204);
    check(&project, &at, &bytes).await;
    let project_ref = &project;
    until("its parts to be deleted", DEADLINE, || async move {
        (stored_bytes(server, project_ref).await == 3_000_000).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upload_outlives_a_server_that_is_killed_in_its_middle() {
    let mut server = TestServer::start().await;
    let project = server.admin().project_with(&["files"]).await;
    let bytes = noise(12_000_000, 72);
    let at = begin(&project, bytes.len()).await;
    let _ = append(&project, &at, 0, &bytes[..4_000_000])
        .await
        .expect(204);
    let mut connection = RawConnection::to(&server).await;
    connection
        .send(&head(&project, &at, 4_000_000, 8_000_000))
        .await;
    connection
        .try_send(&bytes[4_000_000..9_000_000])
        .await
        .unwrap();
    server.kill();
    server.start_again().await;
    let from = offset(&project, &at).await;
    assert!(
        (4_000_000..=9_000_000).contains(&from),
        "{from} bytes are left"
    );
    let _ = append(&project, &at, from, &bytes[from..])
        .await
        .expect(204);
    check(&project, &at, &bytes).await;
}

#[tokio::test]
async fn a_project_that_is_nearly_full_still_puts_parts_together() {
    let server = shared().await;
    let admin = server.admin();
    let project = admin.project_with(&["files"]).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let small = json!({"storage_bytes": 1_000_000});
    let _ = admin.put(&quota, small).await.expect(200);
    let bytes = noise(900_000, 73);
    let at = begin(&project, bytes.len()).await;
    let _ = append(&project, &at, 0, &bytes[..500_000])
        .await
        .expect(204);
    let _ = append(&project, &at, 500_000, &bytes[500_000..])
        .await
        .expect(204);
    check(&project, &at, &bytes).await;
    assert_eq!(stored_bytes(server, &project).await, 900_000);
}

#[tokio::test]
async fn a_file_sent_by_a_signed_link_is_there_once_it_is_confirmed() {
    let project = shared().await.admin().project_with(&["files"]).await;
    let announced = json!({"filename": "a.txt", "size": 5, "content_type": "text/plain"});
    let link = project
        .post("/files/upload-url", announced)
        .await
        .expect(200)
        .json();
    let confirm = format!("/files/{}/confirm", link["file_id"].as_str().unwrap());
    let early = project.post(&confirm, json!({})).await;
    assert_eq!(early.expect_problem(409), "not_uploaded");
    let url = link["upload_url"].as_str().unwrap();
    let http = reqwest::Client::new();
    let put = |kind: &'static str, bytes: &'static str| {
        let request = http.put(url).header("content-type", kind).body(bytes);
        Reply::to(request)
    };
    // The store knows no more than that it was not signed so.
    let refused = |status: u16, here: u16| [here, 403].contains(&status);
    assert!(refused(put("text/html", "words").await.status, 415));
    assert!(refused(put("text/plain", "too many").await.status, 413));
    let _ = put("text/plain", "words").await.expect_success();
    let file = project.post(&confirm, json!({})).await.expect(200).json();
    assert_eq!((&file["id"], &file["size"]), (&link["file_id"], &json!(5)));
    assert_eq!(file["sha256"], Digest::of(b"words").to_hex());
    // What comes by the link afterwards is not the file's.
    let again = put("text/plain", "other").await;
    if url.contains("/_/blob/") {
        assert_eq!(again.expect_problem(409), "link_used");
    }
    let path = format!("/files/{}/download", file["id"].as_str().unwrap());
    assert_eq!(project.get(&path).await.expect(200).text(), "words");
    let _ = project.post(&confirm, json!({})).await.expect(200);
}
