//! The calls of four older systems, literally as the contract prints them:
//! paths, fields, statuses. What each call does in its depth has tests of its
//! own beside this one.

use atlashub_tests::{DEADLINE, PASSWORD, Project, Reply, User, shared, until};
use reqwest::{Method, multipart};
use serde_json::{Value, json};

/// Every one of these fields is there, by whatever value.
fn has(value: &Value, fields: &[&str]) {
    for field in fields {
        assert!(value.get(field).is_some(), "no `{field}` in {value}");
    }
}

fn text(value: &Value, name: &str) -> String {
    let found = value[name].as_str();
    found
        .unwrap_or_else(|| panic!("no `{name}` in {value}"))
        .to_owned()
}

/// What `files` says of a file.
const FILE: &[&str] = &[
    "id",
    "filename",
    "path",
    "folder_id",
    "size",
    "mime_type",
    "sha256",
    "etag",
    "version",
    "visibility",
    "owner_id",
    "description",
    "tags",
    "created_at",
    "updated_at",
    "url",
];

async fn user_with(plugins: &[&str]) -> (Project, User) {
    let project = shared().await.admin().project_with(plugins).await;
    let user = project.sign_up().await;
    (project, user)
}

async fn raw(user: &User, path: &str, body: &'static str) -> Value {
    let request = user.request(Method::POST, "/files/upload");
    let request = request.header("File-Path", path).body(body);
    Reply::to(request).await.expect(201).json()
}

async fn send(user: &User, method: Method, path: &str, body: Value) -> Reply {
    Reply::to(user.request(method, path).json(&body)).await
}

/// A list as the contract has them.
async fn listed(user: &User, path: &str) -> Vec<Value> {
    let page = user.get(path).await.expect(200).json();
    has(&page, &["items", "next_cursor"]);
    page["items"].as_array().expect("items").clone()
}

/// A drive: its user, somebody else, a folder, and a file in it.
struct Drive {
    project: Project,
    user: User,
    other: User,
    folder: String,
    file: Value,
}

impl Drive {
    /// The file's address.
    fn at(&self) -> String {
        format!("/files/{}", text(&self.file, "id"))
    }
}

#[tokio::test]
async fn a_drive_with_tags_and_links_is_spoken_to_as_printed() {
    let (project, user) = user_with(&["files", "search", "images"]).await;
    let other = project.sign_up().await;
    let (folder, file) = uploads(&user).await;
    let drive = Drive {
        project,
        user,
        other,
        folder,
        file,
    };
    lists_and_files(&drive).await;
    versions_and_trash(&drive).await;
    folders(&drive).await;
    sharing(&drive).await;
    tags_and_search(&drive).await;
}

/// By a form, a body and a link; a folder, and the file of the body.
async fn uploads(user: &User) -> (String, Value) {
    let folder = send(user, Method::POST, "/folders", json!({"name": "docs"})).await;
    let folder = text(&folder.expect(201).json(), "id");
    let part = |name: &'static str| multipart::Part::bytes(name.as_bytes()).file_name(name);
    let form = multipart::Form::new()
        .text("folder_id", folder.clone())
        .text("tags", "Blue")
        .text("visibility", "private")
        .part("file", part("one.txt"));
    let one = Reply::to(user.request(Method::POST, "/files/upload").multipart(form)).await;
    let one = one.expect(201).json();
    has(&one, FILE);
    assert_eq!(
        (&one["folder_id"], &one["tags"]),
        (&json!(folder), &json!(["blue"]))
    );
    let form = multipart::Form::new()
        .part("file", part("two.txt"))
        .part("file", part("three.txt"));
    let several = Reply::to(user.request(Method::POST, "/files/upload").multipart(form)).await;
    assert_eq!(
        several.expect(201).json().as_array().expect("a list").len(),
        2
    );
    let file = raw(user, "notes/gr%C3%BC%C3%9Fe.txt", "hello").await;
    has(&file, FILE);
    assert_eq!(file["path"], "notes/grüße.txt");
    let announced = json!({"filename": "d.txt", "size": 5, "content_type": "text/plain"});
    let link = send(user, Method::POST, "/files/upload-url", announced)
        .await
        .expect(200)
        .json();
    has(&link, &["upload_url", "object_key", "file_id"]);
    let put = reqwest::Client::new().put(text(&link, "upload_url"));
    let _ = Reply::to(put.header("content-type", "text/plain").body("bytes"))
        .await
        .expect_success();
    let confirm = format!("/files/{}/confirm", text(&link, "file_id"));
    has(
        &user.post(&confirm, json!({})).await.expect(200).json(),
        FILE,
    );
    (folder, file)
}

async fn lists_and_files(drive: &Drive) {
    let (user, file, folder) = (&drive.user, &drive.file, &drive.folder);
    let at = drive.at();
    assert_eq!(listed(user, "/files").await.len(), 5);
    assert_eq!(
        listed(user, "/users/me/files?sort=filename&limit=2")
            .await
            .len(),
        2
    );
    has(&user.get(&at).await.expect(200).json(), FILE);
    let change = json!({"filename": "renamed.txt", "description": "words", "visibility": "public", "folder_id": folder});
    let changed = send(user, Method::PATCH, &at, change)
        .await
        .expect(200)
        .json();
    assert_eq!(changed["path"], "docs/renamed.txt");
    let download = format!("{at}/download");
    let part = user
        .request(Method::GET, &download)
        .header("range", "bytes=1-2");
    assert_eq!(Reply::to(part).await.expect(206).body, "el");
    let known = user
        .request(Method::GET, &download)
        .header("if-none-match", text(file, "etag"));
    let _ = Reply::to(known).await.expect(304);
    let forced = user
        .get(&format!("{download}?disposition=attachment"))
        .await
        .expect(200);
    assert!(
        forced
            .header("content-disposition")
            .starts_with("attachment")
    );
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let path = format!("{download}?redirect=1");
    let request = user.request(Method::GET, &path).build().expect("a request");
    let signed = client
        .build()
        .expect("a client")
        .execute(request)
        .await
        .expect("an answer");
    assert_eq!(signed.status(), 302);
    let signed = signed.headers()["location"]
        .to_str()
        .expect("a link")
        .to_owned();
    assert_eq!(
        Reply::to(reqwest::Client::new().get(signed))
            .await
            .expect(200)
            .body,
        "hello"
    );
}

async fn versions_and_trash(drive: &Drive) {
    let (user, file) = (&drive.user, &drive.file);
    let at = drive.at();
    let content = format!("{at}/content");
    let stale = user
        .request(Method::PUT, &content)
        .header("if-match", "\"x\"")
        .body("later");
    let _ = Reply::to(stale).await.expect(412);
    let newer = user.request(Method::PUT, &content).body("later");
    assert_eq!(Reply::to(newer).await.expect(200).json()["version"], 2);
    assert!(!listed(user, &format!("{at}/versions")).await.is_empty());
    let back = user
        .post(&format!("{at}/versions/1/restore"), json!({}))
        .await;
    assert_eq!(back.expect(200).json()["version"], 3);
    let _ = user.delete(&at, json!({})).await.expect(204);
    assert_eq!(listed(user, "/files/trash").await.len(), 1);
    let _ = user
        .post(&format!("{at}/restore"), json!({}))
        .await
        .expect(200);
    let zip = user
        .post("/files/zip", json!({"ids": [file["id"]]}))
        .await
        .expect(200);
    assert!(zip.body.starts_with(b"PK"));
    has(
        &user.get("/users/me/quota").await.expect(200).json(),
        &["limit_bytes", "used_bytes"],
    );
    let gone = raw(user, "gone.txt", "x").await;
    let path = format!("/files/{}?permanent=1", text(&gone, "id"));
    let _ = user.delete(&path, json!({})).await.expect(204);
    let png = crate::avatars::png(80, 40, [7, 7, 7]);
    let request = user
        .request(Method::POST, "/files/upload")
        .header("File-Path", "p.png");
    let png = Reply::to(request.body(png)).await.expect(201).json();
    let _ = user
        .get(&format!("/files/{}/thumbnail?size=64", text(&png, "id")))
        .await
        .expect(200);
}

async fn folders(drive: &Drive) {
    let (user, folder) = (&drive.user, &drive.folder);
    let inner = send(
        user,
        Method::POST,
        "/folders",
        json!({"name": "inner", "parent_id": folder}),
    )
    .await;
    let inner = format!("/folders/{}", text(&inner.expect(201).json(), "id"));
    assert!(!listed(user, "/folders").await.is_empty());
    let _ = send(user, Method::PATCH, &inner, json!({"name": "other"}))
        .await
        .expect(200);
    let _ = user
        .post(&format!("{inner}/move"), json!({"parent_id": null}))
        .await
        .expect(200);
    let _ = user.delete(&inner, json!({})).await.expect(204);
}

/// By link, and by person.
async fn sharing(drive: &Drive) {
    let (project, user, other) = (&drive.project, &drive.user, &drive.other);
    let at = drive.at();
    let wish = json!({"expires_at": "2099-01-01T00:00:00Z", "password": "open sesame", "max_downloads": 3, "permission": "download"});
    let locked = user.post(&format!("{at}/share"), wish).await;
    has(&locked.expect(201).json(), &["token", "url"]);
    let share = user
        .post(&format!("{at}/share"), json!({"max_downloads": 3}))
        .await
        .expect(201)
        .json();
    has(&share, &["token", "url"]);
    let token = text(&share, "token");
    let nobody = |path: String| {
        Reply::to(project.bare_request(Method::GET, &format!("/p/{}{path}", project.slug)))
    };
    let _ = nobody(format!("/share/{token}")).await.expect(200);
    assert_eq!(
        nobody(format!("/share/{token}/download"))
            .await
            .expect(200)
            .body,
        "hello"
    );
    let _ = user
        .delete(&format!("{at}/share/{token}"), json!({}))
        .await
        .expect(204);
    let _ = nobody(format!("/share/{token}")).await.expect(404);
    let permissions = format!("{at}/permissions");
    for whom in [
        json!({"user": other.id, "role": "viewer"}),
        json!({"email": other.email, "role": "editor"}),
    ] {
        let _ = user.post(&permissions, whom).await.expect(201);
    }
    assert_eq!(listed(user, &permissions).await.len(), 1);
    assert_eq!(listed(other, "/files/shared-with-me").await.len(), 1);
    let _ = user
        .delete(&format!("{permissions}/{}", other.id), json!({}))
        .await
        .expect(204);
}

async fn tags_and_search(drive: &Drive) {
    let (user, file) = (&drive.user, &drive.file);
    let at = drive.at();
    let tags = user
        .post(
            &format!("{at}/tags"),
            json!({"tags": ["Red", "red", "green"]}),
        )
        .await;
    let tags = tags.expect(200).json();
    assert_eq!(tags["tags"].as_array().expect("tags").len(), 2);
    let names = listed(user, "/tags").await;
    assert!(names.iter().any(|tag| tag["name"] == "red"), "{names:?}");
    let found = "/files/search?q=renamed&tags=red,green&type=text/plain&from=2020-01-01&to=2099-01-01&owner=";
    let found = listed(user, &format!("{found}{}", user.id)).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["id"], file["id"]);
    let tag = text(&tags["tags"][0], "id");
    let _ = user
        .delete(&format!("{at}/tags/{tag}"), json!({}))
        .await
        .expect(204);
}

#[tokio::test]
async fn documents_and_topics_are_spoken_to_as_printed() {
    let (project, user) = user_with(&["files", "extract", "documents"]).await;
    let other = project.sign_up().await;
    let words = "The invoice names every payment of the year.";
    let announced =
        json!({"filename": "plan.txt", "size": words.len(), "content_type": "text/plain"});
    let link = user
        .post("/documents/upload-url", announced)
        .await
        .expect(200)
        .json();
    has(&link, &["upload_url", "object_key", "file_id"]);
    let put = reqwest::Client::new().put(text(&link, "upload_url"));
    let _ = Reply::to(put.header("content-type", "text/plain").body(words))
        .await
        .expect_success();
    let at = format!("/documents/{}", text(&link, "file_id"));
    let confirmed = user
        .post(&format!("{at}/confirm"), json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(confirmed["id"], link["file_id"]);
    let read = until("the reading of a document", DEADLINE, || async {
        let document = user.get(&at).await.expect(200).json();
        let status = text(&document, "status");
        assert!(
            ["pending", "processing", "ready"].contains(&status.as_str()),
            "{document}"
        );
        (status == "ready").then_some(document)
    })
    .await;
    has(&read, &["id", "status", "topics"]);
    assert_eq!(listed(&user, "/documents").await.len(), 1);
    let text_of = user.get(&format!("{at}/text")).await.expect(200).json();
    assert_eq!(text_of["text"].as_str().map(str::trim), Some(words));
    assert_eq!(
        user.get(&format!("{at}/download")).await.expect(200).body,
        words
    );
    let _ = user
        .post(&format!("{at}/reclassify"), json!({}))
        .await
        .expect(200);
    let grant = json!({"user": other.id, "role": "viewer"});
    let path = format!("/files/{}/permissions", text(&link, "file_id"));
    let _ = user.post(&path, grant).await.expect(201);
    assert_eq!(listed(&other, "/documents/shared-with-me").await.len(), 1);
    let topic = user
        .post("/topics", json!({"name": "bees", "words": ["hive"]}))
        .await;
    let topic = topic.expect(201).json();
    let topics = listed(&user, "/topics").await;
    assert!(
        topics.iter().any(|one| one["id"] == topic["id"]),
        "{topics:?}"
    );
    let _ = user
        .delete(&format!("/topics/{}", text(&topic, "id")), json!({}))
        .await
        .expect(204);
}

#[tokio::test]
async fn the_calls_of_rpc_are_spoken_to_as_printed() {
    let (project, user) = user_with(&["files", "rpc"]).await;
    let at = |path: &str| format!("/p/{}{path}", project.slug);
    let login = |password: &'static str| {
        let request = project.bare_request(Method::POST, &at("/rpc/login"));
        Reply::to(request.json(&json!({"email": user.email, "password": password})))
    };
    let wrong = login("wrong").await.expect(400).json();
    assert_eq!(wrong, json!({"message": "Invalid email or password"}));
    let signed_in = login(PASSWORD).await.expect(200).json();
    let token = text(&signed_in[0], "token");
    assert_eq!(signed_in, json!([{ "token": token }]));
    let call =
        |method: Method, path: &str| project.bare_request(method, &at(path)).bearer_auth(&token);
    let mut ids = Vec::new();
    for bytes in ["first", "second"] {
        let store = call(Method::POST, "/rpc/store_file")
            .header("File-Path", "a/b.txt")
            .header("Description", "words");
        ids.push(Reply::to(store.body(bytes)).await.expect(200).json());
    }
    assert!(ids[0].is_string() && ids[0] == ids[1], "{ids:?}");
    let retrieve = |path: &str| {
        Reply::to(call(
            Method::GET,
            &format!("/rpc/retrieve_file?p_file_path={path}"),
        ))
    };
    assert_eq!(retrieve("a/b.txt").await.expect(200).body, "second");
    let missing = retrieve("none").await.expect(400).json();
    assert_eq!(missing, json!({"message": "File not found."}));
    for bad in [None, Some("bad")] {
        let request = project.bare_request(Method::POST, &at("/rpc/store_file"));
        let request = match bad {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let _ = Reply::to(request.header("File-Path", "x").body("x"))
            .await
            .expect(401);
    }
    let own = Reply::to(call(Method::GET, "/files"))
        .await
        .expect(200)
        .json();
    assert_eq!(own["items"][0]["description"], "words");
}

#[tokio::test]
async fn the_calls_of_tenant_files_are_spoken_to_as_printed() {
    let (project, user) = user_with(&["files", "tenant-files"]).await;
    let other = project.sign_up().await;
    let form =
        multipart::Form::new().part("file", multipart::Part::bytes(b"hello").file_name("a.txt"));
    let made = Reply::to(user.request(Method::POST, "/api/v1/files/").multipart(form)).await;
    let made = made.expect(201).json();
    has(
        &made,
        &["id", "name", "path", "size", "contentType", "createdAt"],
    );
    let files = listed(&user, "/api/v1/files/").await;
    assert_eq!(files, [made.clone()]);
    let at = format!("/api/v1/files/{}", text(&made, "id"));
    assert_eq!(
        user.get(&format!("{at}/Download")).await.expect(200).body,
        "hello"
    );
    let grant = json!({"file": made["id"], "user": other.id, "role": "viewer"});
    let given = user
        .post("/api/v1/permissions", grant)
        .await
        .expect(201)
        .json();
    assert_eq!(
        (&given["file"], &given["user"]),
        (&made["id"], &json!(other.id))
    );
    assert_eq!(given["role"], "viewer");
    let own = listed(&other, "/api/v1/permissions").await;
    assert_eq!(own[0]["file"], made["id"]);
    assert_eq!(
        other.get(&format!("{at}/Download")).await.expect(200).body,
        "hello"
    );
    let wanted = json!({"prefix": "in", "objects": [
        {"operation": "upload", "path": "in/b.txt", "size": 4, "contentType": "text/plain"},
    ]});
    let issued = user
        .post("/api/v1/credentials", wanted)
        .await
        .expect(200)
        .json();
    has(&issued, &["prefix", "expiresAt", "objects"]);
    let put = reqwest::Client::new().put(text(&issued["objects"][0], "url"));
    let _ = Reply::to(put.header("content-type", "text/plain").body("more"))
        .await
        .expect_success();
    let _ = user.delete(&at, json!({})).await.expect(204);
    let _ = user.get(&format!("{at}/Download")).await.expect(404);
}
