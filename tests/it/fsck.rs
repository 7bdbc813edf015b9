//! `atlashub fsck`: finds each kind of damage and mends it; after a kill at
//! any point there is none that does not mend itself.

use atlashub_core::{BucketName, PluginName, ProjectId, capability::blob::ObjectKey};
use atlashub_storage::{Credentials, ObjectPath, PathPrefix, Storage, StorageUrl, WriteMode};
use atlashub_tests::{Engine, Project, Reply, TestServer, noise, until};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use std::time::Duration;

/// What a killed node leaves is given back within this time: it has to be
/// missed first.
pub(crate) const SETTLED: Duration = Duration::from_secs(180);

/// What `atlashub fsck` said.
pub(crate) struct Checked {
    pub(crate) code: i32,
    pub(crate) findings: Vec<Value>,
    pub(crate) summary: Value,
}

impl Checked {
    pub(crate) fn codes(&self) -> Vec<&str> {
        let code = |finding: &'_ Value| finding["code"].as_str().is_some();
        assert!(self.findings.iter().all(code), "{:?}", self.findings);
        self.findings
            .iter()
            .map(|finding| finding["code"].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    fn expect_clean(&self) {
        assert_eq!(
            (self.code, self.codes()),
            (0, Vec::new()),
            "{:?}",
            self.findings
        );
    }

    /// One finding, which is mended or not.
    #[track_caller]
    fn expect_one(&self, code: &str, mended: bool) -> &Value {
        assert_eq!(
            (self.code, self.codes()),
            (1, vec![code]),
            "{:?}",
            self.findings
        );
        assert_eq!(self.findings[0]["mended"], mended, "{:?}", self.findings);
        &self.findings[0]
    }
}

/// Checks a project of a server that is at rest.
pub(crate) async fn fsck(server: &TestServer, project: &Project, more: &[&str]) -> Checked {
    let mut args = vec![
        "fsck",
        "--project",
        &project.slug,
        "--grace",
        "0s",
        "--json",
    ];
    args.extend(more);
    let (code, said) = server.command_that_ends(&args).await;
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{code}: {said}")))
        .collect();
    let members = |name: &str| -> Vec<Value> {
        let found = lines.iter().map(|line| line[name].clone());
        found.filter(|found| !found.is_null()).collect()
    };
    let summaries = members("summary");
    assert_eq!(summaries.len(), 1, "{said}");
    Checked {
        code,
        findings: members("finding"),
        summary: summaries[0].clone(),
    }
}

/// The server's object store, past the server. For a server at rest.
fn store(server: &TestServer) -> Storage {
    let folder = server.folder().join("node-0/data/objects");
    let url = match server.store_setting("ATLASHUB_STORAGE_URL") {
        Some(url) => url.to_owned(),
        None => format!("fs:{}", folder.display()),
    };
    let url: StorageUrl = url.parse().unwrap();
    Storage::open(&url, Credentials::from_env().as_ref()).unwrap()
}

fn id(project: &Project) -> ProjectId {
    project.id.parse().unwrap()
}

/// Where an object of a plugin lies.
fn place(project: &Project, plugin: &str, key: &str) -> ObjectPath {
    let bucket: BucketName = "private".parse().unwrap();
    let plugin: PluginName = plugin.parse().unwrap();
    let key: ObjectKey = key.parse().unwrap();
    ObjectPath::object(id(project), &bucket, &plugin, &key).unwrap()
}

/// All objects of a project: where they lie in it, and their sizes.
async fn objects(server: &TestServer, project: &Project) -> Vec<(String, u64)> {
    let page = store(server)
        .walk(&PathPrefix::project(id(project)), None, 1_000)
        .await
        .unwrap();
    let objects = page.entries.into_iter();
    objects.map(|entry| (entry.key, entry.meta.size)).collect()
}

/// The key of the object that a plugin has in the bucket, when it is one.
async fn only_key(server: &TestServer, project: &Project, plugin: &str) -> String {
    let prefix = format!("private/{plugin}/");
    let objects = objects(server, project).await;
    let mut keys = objects
        .iter()
        .filter_map(|(key, _)| key.strip_prefix(&prefix));
    let only = keys.next().expect("an object").to_owned();
    assert_eq!(keys.next(), None, "{objects:?}");
    only
}

async fn used_bytes(server: &TestServer, project: &Project) -> u64 {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    let usage = server.admin().get(&path).await.expect(200).json();
    usage["storage"]["used_bytes"].as_u64().unwrap()
}

/// Changes rows in the platform's database, past the server.
async fn in_the_database(server: &TestServer, statement: &str) {
    let changed = run_in_the_database(server, statement).await;
    assert!(changed > 0, "nothing was changed");
}

/// Runs a statement in the platform's database, past the server; how many rows
/// it changed.
pub(crate) async fn run_in_the_database(server: &TestServer, statement: &str) -> u64 {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    match server.store_setting("ATLASHUB_DATABASE_URL") {
        Some(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            connection.execute(statement).await.unwrap().rows_affected()
        }
        None => {
            let file = server.folder().join("node-0/data/platform.db");
            let url = format!("sqlite:{}", file.display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            connection.execute(statement).await.unwrap().rows_affected()
        }
    }
}

async fn project_on(server: &TestServer) -> Project {
    server.admin().project_with(&["files", "storage"]).await
}

#[tokio::test]
async fn a_project_that_was_used_is_clean() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let file = project
        .upload("a/b.txt", "one")
        .await
        .expect_success()
        .json();
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    let put = project.request(Method::PUT, &format!("{path}/content"));
    let _ = Reply::to(put.body("two")).await.expect_success();
    let _ = project.upload("c.txt", "one").await.expect_success();
    let _ = project.delete(&path).await.expect_success();
    let checked = fsck(&server, &project, &[]).await;
    checked.expect_clean();
    assert_eq!(checked.summary["objects"], 2, "{}", checked.summary);
    assert_eq!(checked.summary["bytes"], 6, "{}", checked.summary);
    assert_eq!(checked.summary["references"], 2, "{}", checked.summary);
    assert_eq!(checked.summary["unchecked"], json!({}));
    // For people, and for all projects at once.
    let said = server.command(&["fsck"]).await;
    assert!(
        said.contains(&project.slug) && said.contains("all is well"),
        "{said}"
    );
}

#[tokio::test]
async fn what_cannot_be_checked_is_said() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = project_on(&server).await;
    let _ = project.upload("a.txt", "one").await.expect_success();
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "files", off).await.expect(200);
    let checked = fsck(&server, &project, &["--repair"]).await;
    checked.expect_clean();
    let unchecked = &checked.summary["unchecked"];
    assert!(
        unchecked["files"]
            .as_str()
            .unwrap()
            .contains("switched off"),
        "{unchecked}"
    );
    assert_eq!(objects(&server, &project).await.len(), 1);

    let (code, said) = server
        .command_that_ends(&["fsck", "--project", "none"])
        .await;
    assert!(code == 2 && said.contains("project"), "{code}: {said}");
    let nowhere = ["fsck", "--server", "http://127.0.0.1:1"];
    let (code, said) = server.command_that_ends(&nowhere).await;
    assert!(code == 2 && said.contains("cannot reach"), "{code}: {said}");
}

#[tokio::test]
async fn an_object_of_nobodys_is_put_aside() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let store = store(&server);
    let stray = place(&project, "files", "stray/object");
    let bytes = bytes::Bytes::from_static(b"whose is this");
    store
        .write_bytes(&stray, bytes.clone(), WriteMode::CreateOnly)
        .await
        .unwrap();

    // It may be under way.
    let careful = ["fsck", "--project", &project.slug, "--json"];
    let (_, said) = server.command_that_ends(&careful).await;
    assert!(!said.contains("orphaned_object"), "{said}");
    assert!(said.contains("\"left_alone\":1"), "{said}");

    let found = fsck(&server, &project, &[]).await;
    assert_eq!(found.code, 1);
    assert_eq!(found.codes(), ["orphaned_object", "account_differs"]);
    assert!(store.stat(&stray).await.unwrap().is_some());
    let mended = fsck(&server, &project, &["--repair"]).await;
    assert_eq!(
        (mended.code, mended.summary["mended"].as_u64()),
        (1, Some(2))
    );
    assert_eq!(mended.summary["set_aside"], 1);
    assert!(store.stat(&stray).await.unwrap().is_none());
    let lost = ObjectPath::lost(id(&project), "private/files/stray/object").unwrap();
    assert_eq!(store.read_bytes(&lost, 100).await.unwrap(), bytes);
    let after = fsck(&server, &project, &[]).await;
    after.expect_clean();
    assert_eq!(after.summary["set_aside"], 1);
    assert_eq!(used_bytes(&server, &project).await, 13);

    let deleting = ["--repair", "--delete-orphans"];
    fsck(&server, &project, &deleting).await.expect_clean();
    assert_eq!(objects(&server, &project).await, []);
    assert_eq!(used_bytes(&server, &project).await, 0);
}

#[tokio::test]
async fn a_thing_that_lies_about_is_named_and_left() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let about = ObjectPath::lost(id(&project), "x").unwrap();
    let elsewhere = about.as_str().replace("lost+found", "no-such-bucket");
    let key: ObjectKey = "x".parse().unwrap();
    let bucket: BucketName = "no-such-bucket".parse().unwrap();
    let stray = ObjectPath::object(id(&project), &bucket, &"files".parse().unwrap(), &key).unwrap();
    assert!(stray.as_str().starts_with(elsewhere.trim_end_matches("/x")));
    let bytes = bytes::Bytes::from_static(b"?");
    store(&server)
        .write_bytes(&stray, bytes, WriteMode::CreateOnly)
        .await
        .unwrap();
    let found = fsck(&server, &project, &["--repair"]).await;
    assert_eq!(found.codes(), ["stray_object", "account_differs"]);
    assert_eq!(found.findings[0]["subject"], "no-such-bucket/files/x");
    assert_eq!(found.findings[0]["mended"], false);
    assert_eq!(objects(&server, &project).await.len(), 1);
}

#[tokio::test]
async fn a_file_whose_bytes_are_gone_is_named_and_stays() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let file = project
        .upload("a/letter.txt", "dear all")
        .await
        .expect_success()
        .json();
    let key = only_key(&server, &project, "files").await;
    let path = place(&project, "files", &key);
    let _ = store(&server).delete(&path).await.unwrap();
    let found = fsck(&server, &project, &["--repair"]).await;
    assert_eq!(found.codes(), ["missing_object", "account_differs"]);
    let subject = found.findings[0]["subject"].as_str().unwrap();
    assert!(subject.contains("a/letter.txt"), "{subject}");
    assert_eq!(found.findings[0]["mended"], false);
    assert_eq!(found.findings[1]["mended"], true);
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    let _ = project.get(&path).await.expect(200);
    // Sent again, the bytes are there again.
    let again = project
        .upload("again.txt", "dear all")
        .await
        .expect_success()
        .json();
    let download = format!("/files/{}/download", again["id"].as_str().unwrap());
    assert_eq!(project.get(&download).await.expect(200).text(), "dear all");
    fsck(&server, &project, &[])
        .await
        .expect_one("missing_object", false);
    let _ = project
        .delete(&format!("{path}?permanent=true"))
        .await
        .expect_success();
    fsck(&server, &project, &[]).await.expect_clean();
}

#[tokio::test]
async fn an_object_of_another_size_is_named() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let _ = project
        .upload("letter.txt", "dear all")
        .await
        .expect_success();
    let key = only_key(&server, &project, "files").await;
    let path = place(&project, "files", &key);
    let less = bytes::Bytes::from_static(b"dear");
    let _ = store(&server)
        .write_bytes(&path, less, WriteMode::Replace)
        .await
        .unwrap();
    let found = fsck(&server, &project, &[]).await;
    assert_eq!(found.codes(), ["wrong_size", "account_differs"]);
    let message = found.findings[0]["message"].as_str().unwrap();
    assert!(
        message.contains("has 4 bytes and should have 8"),
        "{message}"
    );
}

#[tokio::test]
async fn a_wrong_account_is_set_right() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let _ = project
        .upload("letter.txt", "dear all")
        .await
        .expect_success();
    let literal = match Engine::of_this_run() {
        Engine::Sqlite => format!("X'{}'", project.id.replace('-', "")),
        Engine::Postgres => format!("'{}'", project.id),
    };
    let wrong = format!("UPDATE storage_usage SET used_bytes = 4711 WHERE project_id = {literal}");
    in_the_database(&server, &wrong).await;
    let found = fsck(&server, &project, &[]).await;
    let finding = found.expect_one("account_differs", false);
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("4711") && message.contains("stored are 8"),
        "{message}"
    );
    assert_eq!(used_bytes(&server, &project).await, 4711);
    fsck(&server, &project, &["--repair"])
        .await
        .expect_one("account_differs", true);
    assert_eq!(used_bytes(&server, &project).await, 8);
    fsck(&server, &project, &[]).await.expect_clean();
}

#[tokio::test]
async fn an_upload_link_is_good_once_and_leaves_nothing() {
    let server = TestServer::start().await;
    let project = project_on(&server).await;
    let _ = project
        .post("/v1/storage/buckets", json!({"name": "docs"}))
        .await
        .expect_success();
    let announced = json!({
        "bucket": "docs", "path": "a.txt", "contentType": "text/plain", "maxSize": 100,
    });
    let link = project
        .post("/v1/storage/signed-upload", announced)
        .await
        .expect_success()
        .json();
    let url = link["uploadUrl"].as_str().unwrap();
    let put = async |body: &'static str| {
        let http = reqwest::Client::new();
        let request = http
            .put(url)
            .header("content-type", "text/plain")
            .body(body);
        Reply::to(request).await
    };
    let _ = put("one").await.expect_success();
    assert_eq!(put("two").await.expect_problem(409), "link_used");
    let list = "/v1/storage/list?bucket=docs";
    let _ = project.get(list).await.expect(200);
    assert_eq!(put("seven of").await.expect_problem(409), "link_used");
    fsck(&server, &project, &[]).await.expect_clean();
    let listed = project.get(list).await.expect(200).json();
    assert!(listed.to_string().contains("\"size\":3"), "{listed}");
}

/// What a killed node had set aside is given back, and counted, by another
/// life or another node.
pub(crate) async fn until_settled(server: &TestServer, project: &Project) {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    let admin = server.admin();
    until("the end of what was set aside", SETTLED, || async {
        let usage = admin.get(&path).await.expect(200).json();
        (usage["storage"]["reserved_bytes"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_killed_server_had_set_aside_comes_back_by_itself() {
    let mut server = TestServer::start().await;
    let project = project_on(&server).await;
    let before = used_bytes(&server, &project).await;
    let mut line = atlashub_tests::RawConnection::to(&server).await;
    let head = format!(
        "POST /files/upload HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nfile-path: half\r\n\
         content-length: 1000000\r\n\r\n",
        project.secret
    );
    line.send(&head).await;
    line.try_send(&noise(300_000, 9)).await.unwrap();
    until(
        "the room to be set aside",
        atlashub_tests::DEADLINE,
        || async { (used_bytes(&server, &project).await >= 1_000_000).then_some(()) },
    )
    .await;
    server.kill();
    server.start_again().await;
    until_settled(&server, &project).await;
    assert_eq!(used_bytes(&server, &project).await, before);
    fsck(&server, &project, &[]).await.expect_clean();
}

#[tokio::test]
async fn what_belongs_to_no_project_is_found_in_the_store() {
    let mut server = TestServer::start().await;
    let project = server.admin().project().await;
    let check = async |server: &TestServer, more: &[&str]| {
        let mut args = vec!["fsck", "--grace", "0s", "--json"];
        args.extend(more);
        let (code, said) = server.command_that_ends(&args).await;
        let findings: Vec<Value> = said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["project"].is_null() && line.get("finding").is_some())
            .map(|line| line["finding"].clone())
            .collect();
        (code, findings)
    };
    assert_eq!(check(&server, &[]).await, (0, Vec::new()));
    let components = store(&server)
        .walk(&PathPrefix::revisions(), None, 1_000)
        .await
        .unwrap();
    let gone = components.entries[0].key.parse().unwrap();
    let nobody: ProjectId = uuid::Uuid::now_v7().to_string().parse().unwrap();
    let bucket: BucketName = "private".parse().unwrap();
    let (plugin, key): (PluginName, ObjectKey) = ("files".parse().unwrap(), "a".parse().unwrap());
    let bytes = || bytes::Bytes::from_static(b"left");
    let left = [
        ObjectPath::object(nobody, &bucket, &plugin, &key).unwrap(),
        ObjectPath::incoming(nobody, &uuid::Uuid::now_v7()).unwrap(),
        ObjectPath::revision(&atlashub_core::Digest::of(b"left")).unwrap(),
    ];
    for path in &left {
        let store = store(&server);
        let written = store.write_bytes(path, bytes(), WriteMode::Replace);
        let _ = written.await.unwrap();
    }
    let component = ObjectPath::revision(&gone).unwrap();
    let _ = store(&server).delete(&component).await.unwrap();
    let codes = |findings: &[Value]| -> Vec<(String, bool)> {
        let code = |finding: &Value| finding["code"].as_str().unwrap().to_owned();
        let mended = |finding: &Value| finding["mended"] == true;
        findings
            .iter()
            .map(|found| (code(found), mended(found)))
            .collect()
    };
    let all = |mended: bool| {
        [
            ("orphaned_component".to_owned(), mended),
            ("missing_component".to_owned(), false),
            ("project_left".to_owned(), mended),
            ("project_left".to_owned(), mended),
        ]
    };
    for (more, mended) in [
        (&[][..], false),
        (&["--repair"], false),
        (&["--repair", "--delete-orphans"], true),
    ] {
        let (code, findings) = check(&server, more).await;
        assert_eq!(
            (code, codes(&findings)),
            (1, all(mended).to_vec()),
            "{findings:?}"
        );
    }
    for path in &left {
        assert_eq!(store(&server).stat(path).await.unwrap(), None);
    }
    // A server that starts puts a built-in plugin's component back.
    server.restart().await;
    assert_eq!(check(&server, &[]).await, (0, Vec::new()));
    let _ = fsck(&server, &project, &[]).await;
}
