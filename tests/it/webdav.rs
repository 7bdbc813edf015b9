//! The plugin `webdav`: held to the standard by `litmus`, used by `rclone`,
//! and what neither of them asks.

use atlashub_tests::{Project, Reply, TestServer, User, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use tokio::process::Command;

/// A user whose drive is mounted: the address and the app password.
struct Drive {
    project: Project,
    user: User,
    password: String,
    app_password: Value,
    /// The path of the mount.
    mount: String,
}

impl Drive {
    async fn new() -> Self {
        let project = shared()
            .await
            .admin()
            .project_with(&["files", "webdav"])
            .await;
        Self::of(project).await
    }

    /// Another user's in the same project.
    async fn of(project: Project) -> Self {
        let user = project.sign_up().await;
        let made = user
            .post("/v1/auth/app-passwords", json!({"name": "Desktop"}))
            .await;
        let app_password = made.expect(201).json();
        Self {
            mount: format!("/p/{}/dav", project.slug),
            password: app_password["password"].as_str().unwrap().to_owned(),
            app_password,
            project,
            user,
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let path = format!("{}{path}", self.mount);
        self.project
            .bare_request(method, &path)
            .basic_auth(&self.user.email, Some(&self.password))
    }

    async fn call(&self, method: &str, path: &str) -> Reply {
        Reply::to(self.request(method, path)).await
    }

    async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        Reply::to(self.request("PUT", path).body(body)).await
    }

    async fn go(&self, method: &str, from: &str, to: &str) -> Reply {
        let to = format!("http://elsewhere.example{}{to}", self.mount);
        Reply::to(self.request(method, from).header("destination", to)).await
    }

    async fn url(&self) -> String {
        shared().await.url(&format!("{}/", self.mount))
    }
}

const LOCK: &str = "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:exclusive/></D:lockscope>\
     <D:locktype><D:write/></D:locktype><D:owner>ada &amp; &lt;co&gt;</D:owner></D:lockinfo>";

#[tokio::test]
async fn litmus_passes() {
    let drive = Drive::new().await;
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("litmus")
        .current_dir(folder.path())
        .args([&drive.url().await, &drive.user.email, &drive.password])
        .env("TESTS", "basic copymove props locks http")
        .output()
        .await
        .expect("litmus is there: `cargo xtask test` installs it");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for suite in ["basic", "copymove", "props", "locks", "http"] {
        let passed = text
            .lines()
            .any(|line| line.contains(&format!("`{suite}'")) && line.contains("0 failed"));
        assert!(passed, "{suite} is not among what passed:\n{text}");
    }
}

/// Runs rclone with the drive as the remote `drive:`.
async fn rclone(drive: &Drive, words: &[&str]) -> String {
    let hidden = Command::new("rclone")
        .args(["obscure", &drive.password])
        .output()
        .await
        .expect("rclone is there: `cargo xtask test` installs it");
    let output = Command::new("rclone")
        .args(words)
        .env("RCLONE_CONFIG", "/dev/null")
        .env("RCLONE_CONFIG_DRIVE_TYPE", "webdav")
        .env("RCLONE_CONFIG_DRIVE_VENDOR", "other")
        .env("RCLONE_CONFIG_DRIVE_URL", drive.url().await)
        .env("RCLONE_CONFIG_DRIVE_USER", &drive.user.email)
        .env(
            "RCLONE_CONFIG_DRIVE_PASS",
            String::from_utf8_lossy(&hidden.stdout).trim(),
        )
        .output()
        .await
        .expect("run rclone");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rclone {words:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All files below a folder and their bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                found.insert(
                    name.to_str().unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

const NAMES: [&str; 10] = [
    "plain.txt",
    "with blank and 100%.txt",
    "Übergröße & Söhne.txt",
    "файл №1.txt",
    "文件 名.txt",
    "ملف.txt",
    "ไฟล์.txt",
    "हिन्दी.txt",
    "🎯👩‍👩‍👧.txt",
    "quote's #hash ?mark; [x] +plus=&.txt",
];

#[tokio::test]
async fn rclone_brings_a_tree_up_and_down_again_whatever_it_is_called() {
    let drive = Drive::new().await;
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (number, name) in NAMES.iter().enumerate() {
        let folder = here.path().join(format!("folder {name}")).join("ünten");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), name.repeat(number * 997)).unwrap();
        std::fs::write(here.path().join(name), name).unwrap();
    }
    let large: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(here.path().join("large.bin"), &large).unwrap();
    let path = |folder: &tempfile::TempDir| folder.path().to_str().unwrap().to_owned();
    rclone(&drive, &["sync", &path(&here), "drive:mirror"]).await;
    rclone(&drive, &["sync", "drive:mirror", &path(&there)]).await;
    assert_eq!(tree(there.path()), tree(here.path()));
    // Changed, renamed, removed.
    std::fs::write(here.path().join(NAMES[3]), "another text altogether").unwrap();
    std::fs::remove_file(here.path().join(NAMES[4])).unwrap();
    std::fs::remove_dir_all(here.path().join(format!("folder {}", NAMES[5]))).unwrap();
    rclone(&drive, &["sync", &path(&here), "drive:mirror"]).await;
    rclone(
        &drive,
        &["moveto", "drive:mirror/large.bin", "drive:mirror/moved.bin"],
    )
    .await;
    std::fs::rename(here.path().join("large.bin"), here.path().join("moved.bin")).unwrap();
    rclone(&drive, &["sync", "drive:mirror", &path(&there)]).await;
    assert_eq!(tree(there.path()), tree(here.path()));
    // The same files, as the plugin `files` has them.
    let list = drive.user.get("/files?limit=200").await.expect(200).text();
    assert!(list.contains("файл №1.txt") && list.contains("moved.bin"));
}

/// The condition that was not met, and the lock's root (RFC 4918 §16).
fn says_why(reply: &Reply, condition: &str, root: &str) {
    assert_eq!(
        reply.header("content-type"),
        "application/xml; charset=utf-8"
    );
    let error = format!(
        "<D:error xmlns:D=\"DAV:\"><D:{condition}><D:href>{root}</D:href></D:{condition}></D:error>"
    );
    assert!(reply.text().ends_with(&error), "{}", reply.text());
}

#[tokio::test]
async fn a_lock_of_one_program_keeps_another_out() {
    let drive = Drive::new().await;
    let _ = drive.put("/a.txt", "first").await.expect(201);
    let lock = drive
        .request("LOCK", "/a.txt")
        .header("timeout", "Second-60")
        .body(LOCK);
    let locked = Reply::to(lock).await.expect(200);
    let token = locked.header("lock-token").to_owned();
    assert!(
        locked.text().contains("ada &amp; &lt;co&gt;"),
        "{}",
        locked.text()
    );
    let root = format!("{}/a.txt", drive.mount);
    for (method, to) in [
        ("PUT", ""),
        ("DELETE", ""),
        ("MOVE", "/b.txt"),
        ("PROPPATCH", ""),
    ] {
        let to = format!("{}{to}", drive.mount);
        let request = drive.request(method, "/a.txt").header("destination", to);
        let reply = Reply::to(request.body("<x/>")).await.expect(423);
        says_why(&reply, "lock-token-submitted", &root);
    }
    let _ = drive.put("/c.txt", "free").await.expect(201);
    let copied = drive.go("COPY", "/c.txt", "/a.txt").await.expect(423);
    says_why(&copied, "lock-token-submitted", &root);
    let held = drive
        .request("PUT", "/a.txt")
        .header("if", format!("({token})"));
    let _ = Reply::to(held.body("second")).await.expect(204);
    let again = Reply::to(drive.request("LOCK", "/a.txt").body(LOCK)).await;
    says_why(&again.expect(423), "no-conflicting-lock", &root);
    let free = drive
        .request("UNLOCK", "/a.txt")
        .header("lock-token", &token);
    let _ = Reply::to(free).await.expect(204);
    let _ = drive.put("/a.txt", "third").await.expect(204);
    assert_eq!(
        drive.call("GET", "/a.txt").await.expect(200).text(),
        "third"
    );
}

#[tokio::test]
async fn of_many_who_lock_at_once_one_gets_it() {
    let drive = Drive::new().await;
    let tries = (0..16).map(|_| Reply::to(drive.request("LOCK", "/new.txt").body(LOCK)));
    let replies = futures::future::join_all(tries).await;
    let won = replies.iter().filter(|reply| reply.status < 300).count();
    let lost = replies.iter().filter(|reply| reply.status == 423).count();
    assert_eq!((won, lost), (1, 15), "{replies:?}");
}

#[tokio::test]
async fn a_drive_is_its_owners_and_nobody_elses() {
    let drive = Drive::new().await;
    let _ = drive.put("/secret.txt", "mine").await.expect(201);
    let other = Drive::of(drive.project.clone()).await;
    other.call("GET", "/secret.txt").await.expect_problem(404);
    let list = other.request("PROPFIND", "/").header("depth", "1");
    let list = Reply::to(list).await.expect(207);
    assert!(!list.text().contains("secret"), "{}", list.text());
    let nobody = Method::from_bytes(b"PROPFIND").unwrap();
    let nobody = Reply::to(drive.project.bare_request(nobody, &drive.mount)).await;
    nobody.expect_problem(401);
    let asked = nobody.headers.get_all("www-authenticate");
    assert!(
        asked
            .iter()
            .any(|value| value.to_str().unwrap().starts_with("Basic "))
    );
    // What it is, everybody may ask.
    let options = drive.project.bare_request(Method::OPTIONS, &drive.mount);
    let options = Reply::to(options).await.expect(200);
    assert_eq!(options.header("dav"), "1, 2");
    assert!(options.header("allow").contains("PROPFIND"));
}

#[tokio::test]
async fn a_revoked_app_password_is_out_at_the_next_call() {
    let drive = Drive::new().await;
    let _ = drive.put("/a.txt", "a").await.expect(201);
    let id = drive.app_password["id"].as_str().unwrap();
    let path = format!("/v1/auth/app-passwords/{id}");
    let _ = drive.user.delete(&path, json!({})).await.expect(204);
    let _ = drive.call("GET", "/a.txt").await.expect(401);
}

#[tokio::test]
async fn what_is_deleted_is_in_the_trash_and_what_is_saved_over_has_versions() {
    let drive = Drive::new().await;
    let _ = drive.put("/report.txt", "first").await.expect(201);
    // As editors save: a new file, put in place of the old one.
    let _ = drive.put("/report.tmp", "second").await.expect(201);
    let moved = drive.go("MOVE", "/report.tmp", "/report.txt").await;
    let _ = moved.expect(204);
    let files = drive.user.get("/files").await.expect(200).json();
    let items = files["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{files}");
    assert_eq!(items[0]["version"], 2);
    let _ = drive.call("DELETE", "/report.txt").await.expect(204);
    let trash = drive.user.get("/files/trash").await.expect(200).json();
    assert_eq!(trash["items"][0]["filename"], "report.txt");
}

#[tokio::test]
async fn properties_follow_a_file_that_moves_or_is_copied() {
    let drive = Drive::new().await;
    let _ = drive.put("/a.txt", "a").await.expect(201);
    let set = "<D:propertyupdate xmlns:D='DAV:' xmlns:z='urn:z'><D:set><D:prop xml:lang='de'>\
         <z:note>Straße &amp; <z:b q='1'>🎯</z:b></z:note></D:prop></D:set></D:propertyupdate>";
    let patched = Reply::to(drive.request("PROPPATCH", "/a.txt").body(set)).await;
    let _ = patched.expect(207);
    let _ = drive.call("MKCOL", "/f/").await.expect(201);
    let _ = drive.go("MOVE", "/a.txt", "/f/b.txt").await.expect(201);
    let _ = drive.go("COPY", "/f/", "/g/").await.expect(201);
    for path in ["/f/b.txt", "/g/b.txt"] {
        let ask = "<D:propfind xmlns:D='DAV:'><D:prop><n xmlns='urn:z'/><note xmlns='urn:z'/></D:prop></D:propfind>";
        let request = drive
            .request("PROPFIND", path)
            .header("depth", "0")
            .body(ask);
        let text = Reply::to(request).await.expect(207).text();
        assert!(
            text.contains("Straße &amp; ") && text.contains("🎯"),
            "{text}"
        );
        assert!(
            text.contains("xml:lang=\"de\"") && text.contains("404"),
            "{text}"
        );
    }
    let protected = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:getetag>x</D:getetag><D:y/></D:prop></D:set></D:propertyupdate>";
    let reply = Reply::to(drive.request("PROPPATCH", "/f/b.txt").body(protected)).await;
    let text = reply.expect(207).text();
    assert!(
        text.contains("403 Forbidden") && text.contains("424"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let drive = Drive::new().await;
    let endless = Reply::to(drive.request("PROPFIND", "/").header("depth", "infinity")).await;
    assert!(endless.expect(403).text().contains("propfind-finite-depth"));
    let bomb = "<!DOCTYPE a [<!ENTITY b 'bbbbbbbb'><!ENTITY c '&b;&b;&b;'>]><D:propfind xmlns:D='DAV:'>&c;</D:propfind>";
    let request = drive
        .request("PROPFIND", "/")
        .header("depth", "0")
        .body(bomb);
    assert_eq!(Reply::to(request).await.expect_problem(400), "invalid_xml");
    let long = drive
        .request("PROPFIND", "/")
        .header("depth", "0")
        .body(" ".repeat((256 << 10) + 1));
    assert_eq!(Reply::to(long).await.status, 413);
    let _ = drive.call("DELETE", "/").await.expect(405);
    let quota = "<D:propfind xmlns:D='DAV:'><D:prop><D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>";
    let request = drive
        .request("PROPFIND", "/")
        .header("depth", "0")
        .body(quota);
    let text = Reply::to(request).await.expect(207).text();
    assert!(
        text.contains("<D:quota-used-bytes>0</D:quota-used-bytes>"),
        "{text}"
    );
    let body = json!({"enabled": true, "grants": "requested", "config": {"user_quota_bytes": 10}});
    let admin = shared().await.admin();
    let _ = admin
        .install(&drive.project, "files", body)
        .await
        .expect_success();
    let much = drive.put("/much", vec![0; 11]).await;
    assert_eq!(much.expect_problem(507), "quota_exceeded");
}

#[tokio::test]
async fn a_page_that_was_uploaded_does_not_run_here() {
    let drive = Drive::new().await;
    let _ = drive
        .put("/page.html", "<script>alert(1)</script>")
        .await
        .expect(201);
    let page = drive.call("GET", "/page.html").await.expect(200);
    assert!(page.header("content-disposition").starts_with("attachment"));
    assert!(page.header("content-security-policy").contains("sandbox"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let part = drive
        .request("GET", "/page.html")
        .header("range", "bytes=0-6");
    assert_eq!(Reply::to(part).await.expect(206).text(), "<script");
    let head = drive.call("HEAD", "/page.html").await.expect(200);
    assert_eq!(head.header("content-length"), "25");
}

#[tokio::test]
async fn without_files_the_drive_says_so() {
    let server: &TestServer = shared().await;
    let project = server.admin().project_with(&["webdav"]).await;
    let drive = Drive::of(project).await;
    let reply = drive.call("PROPFIND", "/").await;
    // Nobody holds a permission that no plugin declares.
    assert_eq!(reply.expect_problem(403), "permission_needed");
}
