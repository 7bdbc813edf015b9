//! The `files` plugin: in and out, whole and in part.

use atlashub_core::Digest;
use atlashub_tests::{Project, Reply, noise, shared};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

async fn project() -> Project {
    shared().await.admin().project_with(&["files"]).await
}

fn id(metadata: &Value) -> &str {
    metadata["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {metadata}"))
}

fn path(metadata: &Value) -> String {
    format!("/files/{}/download", id(metadata))
}

async fn ranged(project: &Project, metadata: &Value, range: &str) -> Reply {
    Reply::to(
        project
            .request(Method::GET, &path(metadata))
            .header("range", range),
    )
    .await
}

#[tokio::test]
async fn a_raw_upload_answers_its_metadata() {
    let project = project().await;
    let metadata = project
        .upload("notes/today.txt", "some words")
        .await
        .expect_success()
        .json();
    assert_eq!(metadata["filename"], "today.txt", "{metadata}");
    assert!(
        metadata["path"]
            .as_str()
            .unwrap()
            .ends_with("notes/today.txt"),
        "{metadata}"
    );
    assert_eq!(metadata["size"], 10);
    assert_eq!(metadata["version"], 1);
    assert_eq!(metadata["visibility"], "private");
    assert_eq!(metadata["sha256"], Digest::of(b"some words").to_hex());
    assert!(
        metadata["mime_type"]
            .as_str()
            .unwrap()
            .starts_with("text/plain"),
        "{metadata}"
    );
    for name in ["created_at", "updated_at"] {
        let time = metadata[name].as_str().unwrap();
        assert!(
            time.contains('T') && time.ends_with('Z'),
            "`{time}` is not RFC 3339 in UTC"
        );
    }
    let again = project
        .get(&format!("/files/{}", id(&metadata)))
        .await
        .expect(200)
        .json();
    assert_eq!(again, metadata);
}

#[tokio::test]
async fn a_large_file_comes_back_as_it_went_in() {
    let project = project().await;
    let bytes = noise(96 * 1024 * 1024, 1);
    let sum = Digest::of(&bytes);
    let metadata = project
        .upload("film.bin", bytes)
        .await
        .expect_success()
        .json();
    assert_eq!(metadata["sha256"], sum.to_hex());
    let reply = project.get(&path(&metadata)).await.expect(200);
    assert_eq!(Digest::of(&reply.body), sum);
    assert_eq!(reply.header("content-length"), "100663296");
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let project = project().await;
    let metadata = project.upload("empty", "").await.expect_success().json();
    assert_eq!(
        (&metadata["size"], &metadata["sha256"]),
        (&json!(0), &json!(Digest::of(b"").to_hex()))
    );
    let reply = project.get(&path(&metadata)).await.expect(200);
    assert!(reply.body.is_empty());
}

#[tokio::test]
async fn a_form_brings_one_file_or_several() {
    let project = project().await;
    let file =
        |name: &'static str, text: &'static str| Part::bytes(text.as_bytes()).file_name(name);
    let send = |form: Form| {
        Reply::to(
            project
                .request(Method::POST, "/files/upload")
                .multipart(form),
        )
    };
    let one = send(Form::new().part("file", file("one.txt", "1")))
        .await
        .expect_success()
        .json();
    assert_eq!(one["filename"], "one.txt", "{one}");
    let form = Form::new()
        .text("visibility", "public")
        .part("file", file("two.txt", "22"))
        .part("file", file("three.txt", "333"));
    let several = send(form).await.expect_success().json();
    let sizes: Vec<&Value> = several
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["size"])
        .collect();
    assert_eq!(sizes, [&json!(2), &json!(3)]);
    for metadata in several.as_array().unwrap() {
        assert_eq!(metadata["visibility"], "public");
    }
    assert_eq!(
        project.get(&path(&several[1])).await.expect(200).text(),
        "333"
    );
}

/// Browsers and curl write quotes and line breaks of a name as escapes, and
/// nothing else.
#[tokio::test]
async fn a_name_in_a_form_is_the_one_that_its_file_has() {
    let project = project().await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; \
        filename=\"5%22 of\u{a0}100%25%0D%0A\u{20ac}.txt\"\r\n\r\nx\r\n--b--\r\n";
    let request = project
        .request(Method::POST, "/files/upload")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form);
    let file = Reply::to(request).await.expect_success().json();
    assert_eq!(file["filename"], "5\" of\u{a0}100%25\r\n\u{20ac}.txt");
}

#[tokio::test]
async fn a_form_without_a_file_is_refused() {
    let project = project().await;
    let form = Form::new().text("visibility", "private");
    let reply = Reply::to(
        project
            .request(Method::POST, "/files/upload")
            .multipart(form),
    )
    .await;
    assert!(
        matches!(reply.status, 400 | 422),
        "the answer was {} {}",
        reply.status,
        reply.text()
    );
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn a_range_is_answered_to_the_byte() {
    let project = project().await;
    let bytes = noise(1_000_000, 2);
    let metadata = project
        .upload("range.bin", bytes.clone())
        .await
        .expect_success()
        .json();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=500000-599999", 500_000, 600_000),
        ("bytes=999999-", 999_999, 1_000_000),
        ("bytes=999000-5000000", 999_000, 1_000_000),
        ("bytes=-1", 999_999, 1_000_000),
        ("bytes=-5000000", 0, 1_000_000),
    ] {
        let reply = ranged(&project, &metadata, range).await.expect(206);
        assert_eq!(reply.body, bytes[from..to], "{range}");
        let wanted = format!("bytes {from}-{}/1000000", to - 1);
        assert_eq!(reply.header("content-range"), wanted, "{range}");
    }
}

#[tokio::test]
async fn a_range_that_lies_outside_is_416() {
    let project = project().await;
    let metadata = project
        .upload("short", "0123456789")
        .await
        .expect_success()
        .json();
    for range in ["bytes=10-", "bytes=100-200", "bytes=-0"] {
        let reply = ranged(&project, &metadata, range).await;
        reply.expect_problem(416);
        assert_eq!(reply.header("content-range"), "bytes */10", "{range}");
    }
}

#[tokio::test]
async fn a_range_that_makes_no_sense_is_ignored() {
    let project = project().await;
    let metadata = project
        .upload("short", "0123456789")
        .await
        .expect_success()
        .json();
    for range in ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes="] {
        let reply = ranged(&project, &metadata, range).await.expect(200);
        assert_eq!(reply.text(), "0123456789", "{range}");
    }
}

#[tokio::test]
async fn conditions_are_kept() {
    let project = project().await;
    let metadata = project
        .upload("page", "content")
        .await
        .expect_success()
        .json();
    let first = project.get(&path(&metadata)).await.expect(200);
    let etag = first.header("etag").to_owned();
    assert!(
        etag.starts_with('"') || etag.starts_with("W/\""),
        "`{etag}` is no entity tag"
    );
    let with = |name: &'static str, value: String| {
        Reply::to(
            project
                .request(Method::GET, &path(&metadata))
                .header(name, value),
        )
    };
    let same = with("if-none-match", etag.clone()).await.expect(304);
    assert!(same.body.is_empty());
    assert_eq!(same.header("etag"), etag);
    let _ = with("if-none-match", "*".to_owned()).await.expect(304);
    let _ = with("if-none-match", "\"other\"".to_owned())
        .await
        .expect(200);
    let range = |condition: String| {
        let request = project.request(Method::GET, &path(&metadata));
        Reply::to(
            request
                .header("range", "bytes=0-2")
                .header("if-range", condition),
        )
    };
    assert_eq!(range(etag).await.expect(206).text(), "con");
    assert_eq!(
        range("\"other\"".to_owned()).await.expect(200).text(),
        "content"
    );
}

#[tokio::test]
async fn what_people_uploaded_cannot_run_in_a_browser() {
    let project = project().await;
    let page = "<!doctype html><script>alert(1)</script>";
    for name in ["page.html", "image.svg", "innocent.txt"] {
        let metadata = project.upload(name, page).await.expect_success().json();
        for query in ["", "?disposition=inline"] {
            let reply = project.get(&(path(&metadata) + query)).await.expect(200);
            assert_eq!(
                reply.header("x-content-type-options"),
                "nosniff",
                "{name}{query}"
            );
            let is_attachment = reply
                .header("content-disposition")
                .starts_with("attachment");
            let is_plain = reply.header("content-type").starts_with("text/plain");
            assert!(
                is_attachment || is_plain,
                "{name}{query} would be shown: {:?}",
                reply.headers
            );
            let policy = reply.header("content-security-policy");
            assert!(
                is_attachment || policy.contains("sandbox"),
                "{name}{query}: {policy}"
            );
        }
    }
}

#[tokio::test]
async fn names_of_every_script_come_back() {
    let project = project().await;
    for name in [
        "naïve café.txt",
        "файл.txt",
        "写真 2024.jpg",
        "a'b\"c;d.txt",
        "100%.txt",
        "…",
        "zwei\r\nZeilen\t.txt",
        "CON",
    ] {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let metadata = project
            .upload(&encoded, name.to_owned())
            .await
            .expect_success()
            .json();
        assert_eq!(metadata["filename"], name);
        let reply = project.get(&path(&metadata)).await.expect(200);
        assert_eq!(reply.text(), name);
        let disposition = reply.headers["content-disposition"].as_bytes();
        assert!(disposition.is_ascii(), "{disposition:?}");
    }
}

#[tokio::test]
async fn doubtful_paths_are_refused() {
    let project = project().await;
    for path in [
        "..",
        "../x",
        "a/../../x",
        "a/./b",
        "%00",
        "%2E%2E/x",
        "a\\..\\b",
        "",
    ] {
        let reply = project.upload(path, "x").await;
        assert!(
            matches!(reply.status, 400 | 422),
            "`{path}`: {} {}",
            reply.status,
            reply.text()
        );
    }
    assert_eq!(
        project.get("/files").await.expect(200).json()["items"],
        json!([])
    );
}

#[tokio::test]
async fn files_are_listed_in_pages() {
    let project = project().await;
    for number in 0..7 {
        let _ = project
            .upload(&format!("f{number}.txt"), "x")
            .await
            .expect_success();
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = project
            .get(&format!("/files?limit=3{cursor}"))
            .await
            .expect(200)
            .json();
        let items = page["items"].as_array().unwrap();
        names.extend(
            items
                .iter()
                .map(|item| item["filename"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    names.sort();
    assert_eq!(
        names,
        [
            "f0.txt", "f1.txt", "f2.txt", "f3.txt", "f4.txt", "f5.txt", "f6.txt"
        ]
    );
}

#[tokio::test]
async fn an_upload_over_quota_is_413_and_leaves_nothing() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files"]).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let _ = admin
        .put(&quota, json!({"storage_bytes": 1000}))
        .await
        .expect(200);
    let _ = project
        .upload("fits", vec![b'x'; 900])
        .await
        .expect_success();
    let reply = project.upload("too-much", vec![b'x'; 200]).await;
    reply.expect_problem(413);
    let problem = reply.json();
    assert_eq!(problem["limit_bytes"], 1000, "{problem}");
    assert!(
        problem["used_bytes"].is_u64() && problem["requested_bytes"].is_u64(),
        "{problem}"
    );
    let usage = format!("/admin/v1/projects/{}/usage", project.slug);
    let usage = admin.get(&usage).await.expect(200).json();
    assert_eq!(usage["storage"]["used_bytes"], 900, "{usage}");
    assert_eq!(usage["storage"]["reserved_bytes"], 0, "{usage}");
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let _ = project
        .upload("fits-too", vec![b'x'; 100])
        .await
        .expect_success();
}

#[tokio::test]
async fn a_users_limit_of_the_project_holds_at_once() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files"]).await;
    let user = project.sign_up().await;
    let upload = |path: &'static str, bytes: usize| {
        let request = user.request(Method::POST, "/files/upload");
        Reply::to(request.header("file-path", path).body(vec![b'x'; bytes]))
    };
    let limit = async |bytes: Value| {
        let quota = format!("/admin/v1/projects/{}/quota", project.slug);
        let set = json!({"user_storage_bytes": bytes});
        let _ = admin.put(&quota, set).await.expect(200);
        user.get("/users/me/quota").await.expect(200).json()["limit_bytes"].clone()
    };
    let _ = upload("fits", 900).await.expect_success();
    assert_eq!(limit(json!(1000)).await, 1000);
    let refused = upload("too-much", 200).await;
    assert_eq!(refused.expect_problem(413), "quota_exceeded");
    let problem = refused.json();
    assert_eq!(problem["limit_bytes"], 1000, "{problem}");
    assert_eq!(problem["used_bytes"], 900, "{problem}");
    assert_eq!(problem["requested_bytes"], 200, "{problem}");
    // Keys have the project's limit alone.
    let _ = project
        .upload("of-the-key", vec![b'x'; 2000])
        .await
        .expect_success();
    // None again: the plugin's own.
    assert_eq!(limit(Value::Null).await, 100 * 1024 * 1024);
    let _ = upload("too-much", 200).await.expect_success();
}

#[tokio::test]
async fn a_publishable_key_cannot_read_a_private_file() {
    let project = project().await;
    let metadata = project
        .upload("mine.txt", "private")
        .await
        .expect_success()
        .json();
    let public = project.with_key(&project.publishable);
    for path in [path(&metadata), format!("/files/{}", id(&metadata))] {
        let reply = public.get(&path).await;
        assert!(
            matches!(reply.status, 403 | 404),
            "{path}: {} {}",
            reply.status,
            reply.text()
        );
    }
    let open = json!({"visibility": "public"});
    let _ = project
        .patch(&format!("/files/{}", id(&metadata)), open)
        .await
        .expect(200);
    assert_eq!(
        public.get(&path(&metadata)).await.expect(200).text(),
        "private"
    );
}

#[tokio::test]
async fn head_answers_what_get_would_without_the_bytes() {
    let project = project().await;
    let metadata = project
        .upload("head.bin", noise(5000, 3))
        .await
        .expect_success()
        .json();
    let reply = Reply::to(project.request(Method::HEAD, &path(&metadata))).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.header("content-length"), "5000");
}

#[tokio::test]
async fn links_of_a_deleted_user_end_and_those_of_one_shut_out_go_on() {
    let admin = shared().await.admin();
    let project = project().await;
    let (gone, shut_out) = (project.sign_up().await, project.sign_up().await);
    let link = async |user: &atlashub_tests::User| {
        let request = user.request(Method::POST, "/files/upload");
        let sent = request.header("file-path", "a.txt").body("mine");
        let file = Reply::to(sent).await.expect(201).json();
        let path = format!("/files/{}/share", file["id"].as_str().unwrap());
        let made = user.post(&path, json!({})).await.expect(201).json();
        format!("/share/{}/download", made["token"].as_str().unwrap())
    };
    let (of_gone, of_shut_out) = (link(&gone).await, link(&shut_out).await);
    let path = |user: &atlashub_tests::User| {
        format!("/admin/v1/projects/{}/users/{}", project.slug, user.id)
    };
    let follow = async |link: &str| {
        let request = project.bare_request(Method::GET, link);
        Reply::to(request.header("apikey", &project.publishable)).await
    };
    for link in [&of_gone, &of_shut_out] {
        assert_eq!(follow(link).await.expect(200).text(), "mine");
    }
    let _ = admin.delete(&path(&gone)).await.expect_success();
    let disabled = json!({"disabled": true});
    let _ = admin.patch(&path(&shut_out), disabled).await.expect(200);
    let _ = follow(&of_gone).await.expect(404);
    assert_eq!(follow(&of_shut_out).await.expect(200).text(), "mine");
}
