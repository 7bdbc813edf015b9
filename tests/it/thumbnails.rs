//! Thumbnails of files, made by the built-in `images`.

use crate::avatars::{crc32, jpeg_size, png};
use atlashub_tests::{DEADLINE, Project, Reply, shared, until};
use reqwest::Method;
use serde_json::json;

async fn uploaded(project: &Project, name: &str, bytes: impl Into<reqwest::Body>) -> String {
    let file = project.upload(name, bytes).await.expect(201).json();
    file["id"].as_str().unwrap().to_owned()
}

async fn used_bytes(project: &Project) -> u64 {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    let usage = shared().await.admin().get(&path).await.expect(200).json();
    usage["storage"]["used_bytes"].as_u64().unwrap()
}

#[tokio::test]
async fn an_image_is_shown_small_and_its_thumbnails_go_with_it() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "images"]).await;
    let image = png(600, 300, [200, 100, 50]);
    let size = image.len() as u64;
    let id = uploaded(&project, "wide.png", image).await;
    let path = format!("/files/{id}/thumbnail?size=100");
    // Made, and then from the store.
    for _ in 0..2 {
        let reply = project.get(&path).await.expect(200);
        assert_eq!(reply.header("content-type"), "image/jpeg");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(jpeg_size(&reply.body), (128, 64));
        let known = project
            .request(Method::GET, &path)
            .header("if-none-match", reply.header("etag"));
        let _ = Reply::to(known).await.expect(304);
    }
    assert!(used_bytes(&project).await > size);
    let gone = format!("/files/{id}?permanent=1");
    let _ = project.delete(&gone).await.expect_success();
    let project_ref = &project;
    until("all bytes to be given back", DEADLINE, || async move {
        (used_bytes(project_ref).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_image_as_large_as_can_be_fits_into_memory() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "images"]).await;
    let image = png(2_360, 2_360, [1, 2, 3]);
    assert!((16_000_000..16 * 1024 * 1024).contains(&image.len()));
    let id = uploaded(&project, "large.png", image).await;
    let path = format!("/files/{id}/thumbnail?size=64");
    let reply = project.get(&path).await.expect(200);
    assert_eq!(jpeg_size(&reply.body), (64, 64));
}

#[tokio::test]
async fn what_cannot_be_shown_small_is_never_the_servers_fault() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "images"]).await;
    let mut huge = png(8, 8, [1, 2, 3]);
    huge[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let sum = crc32(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&sum);
    let whole = png(40, 40, [1, 2, 3]);
    let mut long = whole.clone();
    long.resize(16 * 1024 * 1024 + 1, 0);
    for (name, bytes, status, code) in [
        (
            "a.svg",
            b"<svg onload='x()'/>".to_vec(),
            415,
            "unsupported_image",
        ),
        ("a.txt", b"words".to_vec(), 415, "unsupported_image"),
        ("broken.png", whole[..60].to_vec(), 422, "broken_image"),
        ("huge.png", huge, 413, "image_too_large"),
        ("long.png", long, 413, "image_too_large"),
    ] {
        let id = uploaded(&project, name, bytes).await;
        let reply = project.get(&format!("/files/{id}/thumbnail")).await;
        assert_eq!(reply.expect_problem(status), code, "{name}");
    }
    // Without the plugin that makes them, all else works.
    let alone = admin.project_with(&["files"]).await;
    let id = uploaded(&alone, "a.png", whole).await;
    let reply = alone.get(&format!("/files/{id}/thumbnail")).await;
    assert_eq!(reply.expect_problem(503), "images_unavailable");
}

#[tokio::test]
async fn pictures_that_come_many_at_once_all_get_their_thumbnails() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "images"]).await;
    // One picture at a time, two may wait: the others are refused.
    let narrow = json!({"limits": {"concurrency": 1}});
    let _ = admin.install(&project, "images", narrow).await.expect(200);
    let pictures = (0..30_u8).map(|at| {
        let (project, picture) = (&project, png(700, 700, [at, 2, 3]));
        async move { uploaded(project, &format!("{at}.png"), picture).await }
    });
    let pictures = futures::future::join_all(pictures).await;
    // Each was made in the background: nobody asked for one.
    let path = format!("/admin/v1/projects/{}/queue", project.slug);
    let count = async |state: &str| {
        let page = admin.get(&format!("{path}?state={state}&limit=100")).await;
        let items = page.expect(200).json()["items"].clone();
        let items = items.as_array().expect("items").iter();
        items.filter(|item| item["name"] == "files.picture").count()
    };
    until("the thumbnails", DEADLINE, || async {
        assert_eq!(count("dead").await, 0);
        (count("done").await == 30).then_some(())
    })
    .await;
    // What was kept is shown though nothing could make it now.
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "images", off).await.expect(200);
    for id in pictures {
        let thumbnail = project.get(&format!("/files/{id}/thumbnail")).await;
        assert_eq!(jpeg_size(&thumbnail.expect(200).body), (256, 256));
    }
}
