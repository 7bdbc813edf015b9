//! The plugin `backends`: a user's own storage on real servers, WebDAV by
//! rclone and S3 by SeaweedFS.

use atlashub_tests::{
    Admin, Bucket, DEADLINE, Project, Reply, ServerBuilder, TestServer, User, WebdavServer,
    free_address, noise, shared, unique, until,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use std::path::Path;
use tokio::{process::Command, sync::OnceCell};

const USER: &str = "ada";
const PASSWORD: &str = "pass wörd: \"1\" & 2";

/// A server that may reach what these tests set up, and what that is.
struct World {
    server: TestServer,
    cloud: WebdavServer,
    bucket: Bucket,
    /// Nobody listens there.
    nobody: String,
}

async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD
        .get_or_init(|| async {
            let cloud = WebdavServer::start(USER, PASSWORD).await;
            let bucket = Bucket::of_this_run();
            let nobody = free_address().to_string();
            let allowed = format!("{},{},{nobody}", cloud.address(), bucket.authority());
            let server = ServerBuilder::default()
                .env("ATLASHUB_EGRESS_ALLOW", allowed)
                .start()
                .await;
            World {
                server,
                cloud,
                bucket,
                nobody,
            }
        })
        .await
}

/// A project with the plugin, whose users may connect servers without TLS.
async fn project(admin: &Admin) -> Project {
    let project = admin.project_with(&["files", "backends"]).await;
    let config = json!({"allow_plain_http": true});
    let body = json!({"enabled": true, "grants": "requested", "config": config});
    let _ = admin
        .install(&project, "backends", body)
        .await
        .expect_success();
    project
}

async fn user() -> User {
    project(&world().await.server.admin()).await.sign_up().await
}

fn webdav(address: &str, password: &str) -> Value {
    json!({"type": "webdav", "display_name": "Cloud", "credentials": {
        "url": format!("http://{address}/"), "username": USER, "password": password,
    }})
}

fn s3(bucket: &Bucket, prefix: &str) -> Value {
    json!({"type": "s3", "display_name": "Bucket", "credentials": {
        "endpoint": bucket.endpoint, "bucket": bucket.name, "prefix": prefix,
        "access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key,
    }})
}

/// Connects something and answers its path.
async fn connect(user: &User, body: Value) -> String {
    let made = user.post("/storage-backends", body).await.expect(201);
    let made = made.json();
    assert!(made.get("credentials").is_none(), "{made}");
    format!("/storage-backends/{}", made["id"].as_str().unwrap())
}

async fn cloud(user: &User) -> String {
    let address = world().await.cloud.address().to_string();
    connect(user, webdav(&address, PASSWORD)).await
}

async fn browse(user: &User, backend: &str, query: &[(&str, &str)]) -> Reply {
    let request = user.request(Method::GET, &format!("{backend}/browse"));
    Reply::to(request.query(query)).await
}

async fn names(user: &User, backend: &str, path: &str) -> Vec<String> {
    let page = browse(user, backend, &[("path", path)]).await;
    let page = page.expect(200).json();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["path"].as_str().unwrap().to_owned())
        .collect()
}

async fn put(user: &User, path: &str, bytes: Vec<u8>) -> String {
    let request = user.request(Method::POST, "/files/upload");
    let sent = request.header("file-path", path).body(bytes);
    let file = Reply::to(sent).await.expect(201).json();
    file["id"].as_str().unwrap().to_owned()
}

async fn bytes_of(user: &User, path: &str) -> Vec<u8> {
    let request = user.request(Method::GET, path);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.bytes().await.unwrap().to_vec()
}

async fn saved(user: &User, backend: &str, path: &str) -> reqwest::Response {
    let request = user.request(Method::GET, &format!("{backend}/download"));
    request.query(&[("path", path)]).send().await.unwrap()
}

/// What any service has to do, with what `read` finds in it.
async fn goes_there_and_back(user: &User, backend: &str, read: impl AsyncFn(&str) -> Vec<u8>) {
    let large = noise(24 * 1024 * 1024, 7);
    let file = put(user, "large.bin", large.clone()).await;
    let wish = json!({"file_id": file, "path": "/new/日本 & co/ärger #1?.bin"});
    let stored = user.post(&format!("{backend}/store"), wish.clone()).await;
    let stored = stored.expect(201).json();
    assert_eq!(stored["size"], large.len(), "{stored}");
    assert_eq!(stored["path"], wish["path"]);
    assert!(read("new/日本 & co/ärger #1?.bin").await == large);

    let again = user.post(&format!("{backend}/store"), wish.clone()).await;
    assert_eq!(again.expect_problem(409), "path_taken");
    let small = put(user, "small.txt", b"small".to_vec()).await;
    let mut over = wish.clone();
    over["overwrite"] = json!(true);
    over["file_id"] = json!(small);
    let _ = user
        .post(&format!("{backend}/store"), over)
        .await
        .expect(201);
    assert_eq!(read("new/日本 & co/ärger #1?.bin").await, b"small");
    let into = json!({"file_id": file, "path": "/new/"});
    let _ = user
        .post(&format!("{backend}/store"), into)
        .await
        .expect(201);

    assert_eq!(
        names(user, backend, "/new").await,
        ["/new/large.bin", "/new/日本 & co"]
    );
    let saved = saved(user, backend, "/new/large.bin").await;
    assert_eq!(saved.status(), 200);
    let disposition = saved.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment;"), "{disposition}");
    assert_eq!(saved.headers()["x-content-type-options"], "nosniff");
    assert!(saved.bytes().await.unwrap() == large);
    let part = user.request(Method::GET, &format!("{backend}/download"));
    let part = part
        .query(&[("path", "/new/large.bin")])
        .header("range", "bytes=5-9");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert!(part.bytes().await.unwrap() == large[5..10]);

    let folder = user.post("/folders", json!({"name": "From there"})).await;
    let folder = folder.expect(201).json()["id"].clone();
    let wish = json!({"path": "/new/large.bin", "folder_id": folder});
    let report = user.post(&format!("{backend}/import"), wish).await;
    let report = report.expect(201).json();
    let imported = &report["imported"][0];
    assert_eq!(imported["path"], "From there/large.bin", "{report}");
    let here = format!("/files/{}/download", imported["id"].as_str().unwrap());
    assert!(bytes_of(user, &here).await == large);

    let report = user
        .post(&format!("{backend}/import"), json!({"path": "/new"}))
        .await;
    let report = report.expect(200).json();
    assert_eq!(report["complete"], true, "{report}");
    assert_eq!(report["failed"], json!([]));
    let paths = report["imported"].as_array().unwrap().iter();
    let paths: Vec<_> = paths.map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["new/large.bin", "new/日本 & co/ärger #1?.bin"]);

    let _ = browse(user, backend, &[("path", "/none")])
        .await
        .expect(404);
    let none = user
        .post(&format!("{backend}/import"), json!({"path": "none"}))
        .await;
    assert_eq!(none.expect_problem(404), "remote_not_found");
    for climbing in ["/../x", "a/./b"] {
        let reply = browse(user, backend, &[("path", climbing)]).await;
        assert_eq!(reply.expect_problem(422), "invalid_path");
        let wish = json!({"file_id": file, "path": climbing});
        let reply = user.post(&format!("{backend}/store"), wish).await;
        assert_eq!(reply.expect_problem(422), "invalid_path");
    }
}

#[tokio::test]
async fn files_go_to_a_webdav_server_and_back() {
    let (world, user) = (world().await, user().await);
    let backend = cloud(&user).await;
    goes_there_and_back(&user, &backend, async |path: &str| world.cloud.read(path)).await;
    let tried = user.post(&format!("{backend}/test"), json!({})).await;
    assert_eq!(tried.expect(200).json(), json!({"ok": true}));
}

#[tokio::test]
async fn a_large_folder_of_a_webdav_server_is_browsed_in_pages() {
    let (world, user) = (world().await, user().await);
    let folder = unique("many");
    for number in 0..450 {
        world.cloud.write(format!("{folder}/{number:03}.txt"), b"x");
    }
    let backend = cloud(&user).await;
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = browse(&user, &backend, &[("path", &folder), ("cursor", &cursor)]).await;
        let page = page.expect(200).json();
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["size"], 1, "{item}");
            found.push(item["name"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    let all: Vec<_> = (0..450).map(|number| format!("{number:03}.txt")).collect();
    assert_eq!(found, all);
}

/// Runs rclone with the bucket as the remote `s3:`, and answers what it wrote.
async fn rclone(bucket: &Bucket, words: &[&str]) -> Vec<u8> {
    let output = Command::new("rclone")
        .args(words)
        // Its S3 client takes no certificates from there.
        .env_remove("AWS_CA_BUNDLE")
        .env("RCLONE_CONFIG", "/dev/null")
        .env("RCLONE_CONFIG_S3_TYPE", "s3")
        .env("RCLONE_CONFIG_S3_PROVIDER", "Other")
        .env("RCLONE_CONFIG_S3_ENDPOINT", &bucket.endpoint)
        .env("RCLONE_CONFIG_S3_ACCESS_KEY_ID", &bucket.access_key)
        .env("RCLONE_CONFIG_S3_SECRET_ACCESS_KEY", &bucket.secret_key)
        .output()
        .await
        .expect("rclone is there: `cargo xtask test` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rclone {words:?}: {said}");
    output.stdout
}

#[tokio::test]
async fn files_go_to_a_bucket_and_back() {
    let (world, user) = (world().await, user().await);
    let prefix = unique("prefix & ü");
    let bucket = &world.bucket;
    let backend = connect(&user, s3(bucket, &prefix)).await;
    let read = async |path: &str| {
        let place = format!("s3:{}/{prefix}/{path}", bucket.name);
        rclone(bucket, &["cat", &place]).await
    };
    goes_there_and_back(&user, &backend, read).await;

    let mut wrong = s3(bucket, &prefix);
    wrong["credentials"]["secret_access_key"] = json!("not the key");
    let refused = user.post("/storage-backends", wrong).await;
    assert_eq!(refused.expect_problem(422), "credentials_refused");
}

#[tokio::test]
async fn a_backend_that_does_not_work_is_told_before_it_is_kept() {
    let (world, user) = (world().await, user().await);
    let address = world.cloud.address().to_string();
    let refused = user
        .post("/storage-backends", webdav(&address, "wrong word"))
        .await;
    assert!(!refused.text().contains("wrong word"), "{}", refused.text());
    assert_eq!(refused.expect_problem(422), "credentials_refused");
    let refused = user
        .post("/storage-backends", webdav(&world.nobody, PASSWORD))
        .await;
    assert_eq!(refused.expect_problem(422), "backend_unreachable");
    let list = user.get("/storage-backends").await.expect(200).json();
    assert_eq!(list["items"], json!([]));

    // Kept unseen, and tried later.
    let path = "/storage-backends?test=0";
    let made = user.post(path, webdav(&world.nobody, PASSWORD)).await;
    let id = made.expect(201).json()["id"].as_str().unwrap().to_owned();
    let tried = user
        .post(&format!("/storage-backends/{id}/test"), json!({}))
        .await;
    let tried = tried.expect(200).json();
    assert_eq!(tried["code"], "backend_unreachable", "{tried}");
    let reply = browse(&user, &format!("/storage-backends/{id}"), &[]).await;
    assert_eq!(reply.expect_problem(502), "backend_unreachable");
}

#[tokio::test]
async fn private_addresses_are_refused_unless_the_operator_allows_them() {
    let cloud = world().await.cloud.address();
    let user = project(&shared().await.admin()).await.sign_up().await;
    for address in [
        cloud.to_string(),
        format!("localhost:{}", cloud.port()),
        "169.254.169.254".to_owned(),
        format!("[::ffff:127.0.0.1]:{}", cloud.port()),
        "files.internal".to_owned(),
    ] {
        let refused = user
            .post("/storage-backends", webdav(&address, PASSWORD))
            .await;
        assert_eq!(refused.expect_problem(422), "address_refused", "{address}");
    }
    let admin = shared().await.admin();
    let strict = admin
        .project_with(&["files", "backends"])
        .await
        .sign_up()
        .await;
    let plain = strict
        .post("/storage-backends", webdav("cloud.example.com", PASSWORD))
        .await;
    assert_eq!(plain.expect_problem(422), "address_refused");
}

#[tokio::test]
async fn another_user_does_not_know_of_a_backend() {
    let project = project(&world().await.server.admin()).await;
    let (ada, bob) = (project.sign_up().await, project.sign_up().await);
    let backend = cloud(&ada).await;
    let file = put(&bob, "own.txt", b"own".to_vec()).await;
    for more in ["", "/browse", "/download?path=own.txt"] {
        let _ = bob.get(&format!("{backend}{more}")).await.expect(404);
    }
    for (more, body) in [
        ("/test", json!({})),
        ("/default", json!({})),
        ("/import", json!({"path": "/"})),
        ("/store", json!({"file_id": file})),
    ] {
        let _ = bob
            .post(&format!("{backend}{more}"), body)
            .await
            .expect(404);
    }
    let _ = bob.delete(&backend, json!({})).await.expect(404);
    let list = bob.get("/storage-backends").await.expect(200).json();
    assert_eq!(list["items"], json!([]));
    // Nor does a file of another go out by one's own backend.
    let own = cloud(&bob).await;
    let theirs = put(&ada, "theirs.txt", b"theirs".to_vec()).await;
    let store = bob
        .post(&format!("{own}/store"), json!({"file_id": theirs}))
        .await;
    let _ = store.expect(404);
    let _ = ada.get(&backend).await.expect(200);
}

#[tokio::test]
async fn what_a_deleted_user_confided_goes_and_what_is_of_one_shut_out_stays() {
    let world = world().await;
    let admin = world.server.admin();
    let project = project(&admin).await;
    let (shut_out, deleted) = (project.sign_up().await, project.sign_up().await);
    let kept = cloud(&shut_out).await;
    let gone = cloud(&deleted).await;
    let path = |user: &User| format!("/admin/v1/projects/{}/users/{}", project.slug, user.id);
    let disabled = json!({"disabled": true});
    let _ = admin.patch(&path(&shut_out), disabled).await.expect(200);
    let _ = admin.delete(&path(&deleted)).await.expect_success();

    let schedules = format!("/admin/v1/projects/{}/schedules", project.slug);
    let listed = admin.get(&schedules).await.expect(200).json();
    let mut listed = listed["items"].as_array().unwrap().iter();
    let sweep = listed.find(|schedule| schedule["name"] == "sweep").unwrap();
    let run = format!("{schedules}/{}/run", sweep["id"].as_str().unwrap());
    let job = admin.post(&run, json!({})).await.expect(202).json();
    let job = format!(
        "/admin/v1/projects/{}/queue/{}",
        project.slug,
        job["job"].as_str().unwrap()
    );
    until("the end of the sweep", DEADLINE, || async {
        let job = admin.get(&job).await.expect(200).json();
        (job["state"] == "done").then_some(())
    })
    .await;

    let enabled = json!({"disabled": false});
    let _ = admin.patch(&path(&shut_out), enabled).await.expect(200);
    let again = project.sign_in(&shut_out.email).await.expect(200).json();
    let request = project.bare_request(Method::GET, &kept);
    let request = request
        .header("apikey", &project.publishable)
        .bearer_auth(again["access_token"].as_str().unwrap());
    let _ = Reply::to(request).await.expect(200);
    if let Some(url) = world.server.store_setting("ATLASHUB_DATABASE_URL") {
        let rows = rows_on_postgres(url, &project).await;
        let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        assert!(rows.contains(&id(&kept)), "{rows}");
        assert!(!rows.contains(&id(&gone)), "{rows}");
    }
}

/// Everything below a folder that has these bytes in it.
fn found_in(folder: &Path, needle: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            // What several servers share is not followed.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path)
                && bytes.windows(needle.len()).any(|window| window == needle)
            {
                found.push(path);
            }
        }
    }
    found
}

/// All rows of the plugin's tables on Postgres, as text.
async fn rows_on_postgres(url: &str, project: &Project) -> String {
    let options: PgConnectOptions = url.parse().unwrap();
    let database = format!("proj_{}", project.id.replace('-', ""));
    let options = options.database(&database);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let tables = "SELECT format('%I.%I', table_schema, table_name) AS name \
                  FROM information_schema.tables WHERE table_name IN ('connections', 'journeys')";
    let mut text = String::new();
    for table in sqlx::query(tables)
        .fetch_all(&mut connection)
        .await
        .unwrap()
    {
        let statement = format!(
            "SELECT t::text AS row FROM {} t",
            table.get::<String, _>("name")
        );
        let statement = sqlx::query(sqlx::AssertSqlSafe(statement));
        for row in statement.fetch_all(&mut connection).await.unwrap() {
            text.push_str(&row.get::<String, _>("row"));
        }
    }
    text
}

#[tokio::test]
async fn credentials_are_nowhere_in_clear() {
    let world = world().await;
    let project = project(&world.server.admin()).await;
    let user = project.sign_up().await;
    let label = unique("a-name-that-is-kept");
    let mut body = webdav(&world.cloud.address().to_string(), PASSWORD);
    body["display_name"] = json!(label);
    let backend = connect(&user, body).await;
    let prefix = unique("a-prefix-that-is-sealed");
    let _ = connect(&user, s3(&world.bucket, &prefix)).await;
    let _ = browse(&user, &backend, &[]).await.expect(200);
    let shown = user.get("/storage-backends").await.expect(200).text();
    let log = world.server.log();
    // Up to where JSON would write it otherwise, and as it is sent.
    let (plain, _) = PASSWORD.split_once('"').unwrap();
    let sent = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let secrets = [plain, &sent, &world.bucket.secret_key, &prefix];
    for secret in secrets {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!log.contains(secret));
        let found = found_in(world.server.folder(), secret.as_bytes());
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    // Where the rows are was looked at, then.
    match world.server.store_setting("ATLASHUB_DATABASE_URL") {
        None => assert!(!found_in(world.server.folder(), label.as_bytes()).is_empty()),
        Some(url) => {
            let rows = rows_on_postgres(url, &project).await;
            assert!(rows.contains(&label));
            assert!(secrets.into_iter().all(|secret| !rows.contains(secret)));
        }
    }
}

/// Posts until it is decided: the database may be busy with the others.
async fn decided(user: &User, path: &str, body: Value) -> Reply {
    loop {
        let reply = user.post(path, body.clone()).await;
        if reply.status != 503 {
            return reply;
        }
        assert_eq!(reply.expect_problem(503), "sql_busy");
    }
}

#[tokio::test]
async fn of_many_connected_at_once_twenty_are_kept_and_one_is_the_default() {
    let (world, user) = (world().await, user().await);
    let connected = (0..30).map(|_| {
        decided(
            &user,
            "/storage-backends?test=0",
            webdav(&world.nobody, "x"),
        )
    });
    let mut kept = Vec::new();
    for reply in futures::future::join_all(connected).await {
        if reply.status == 201 {
            kept.push(reply.json()["id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(reply.expect_problem(409), "too_many_backends");
        }
    }
    assert_eq!(kept.len(), 20);
    let default = async || {
        let list = user.get("/storage-backends").await.expect(200).json();
        let items = list["items"].as_array().expect("items").clone();
        assert_eq!(items.len(), 20, "{list}");
        items
            .iter()
            .filter(|item| item["is_default"] == true)
            .count()
    };
    assert_eq!(default().await, 1);
    let paths: Vec<_> = kept
        .iter()
        .map(|id| format!("/storage-backends/{id}/default"))
        .collect();
    let chosen = paths.iter().map(|path| decided(&user, path, json!({})));
    for reply in futures::future::join_all(chosen).await {
        let _ = reply.expect(200);
    }
    assert_eq!(default().await, 1);
}
