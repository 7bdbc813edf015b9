//! A server that is killed at any point of a move, a restore, an overwriting,
//! a deletion or an upload: what was acknowledged is there, nothing is there
//! by half, and `atlashub fsck` finds nothing that does not mend itself.

use crate::fsck::{SETTLED, fsck, until_settled};
use atlashub_tests::{DEADLINE, Project, Reply, TestServer, noise, until};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How often the server is killed.
const KILLS: usize = 4;
/// Bytes of an upload in parts, and of a part.
const WHOLE: usize = 40_000;
const PART: usize = 8_000;

/// The server was killed.
struct Gone;

/// A client that changes one thing over and over. What the thing is is a
/// text: the last one acknowledged, or the one that was asked for after it.
struct Client {
    project: Project,
    acknowledged: Arc<AtomicUsize>,
    settled: String,
    asked: Option<String>,
}

impl Client {
    fn new(project: &Project, acknowledged: &Arc<AtomicUsize>, settled: &str) -> Self {
        Self {
            project: project.clone(),
            acknowledged: Arc::clone(acknowledged),
            settled: settled.to_owned(),
            asked: None,
        }
    }

    /// Asks for a change that makes the thing `becomes`.
    async fn ask(&mut self, request: RequestBuilder, becomes: &str) -> Result<Reply, Gone> {
        self.asked = Some(becomes.to_owned());
        let reply = Reply::try_patiently(request).await.map_err(|_| Gone)?;
        let reply = reply.expect_success();
        self.settled = becomes.to_owned();
        self.asked = None;
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        Ok(reply)
    }

    /// After a kill: the thing is what it was, or what was asked for.
    #[track_caller]
    fn settle(&mut self, real: &str) {
        let asked = self.asked.take();
        assert!(
            self.settled == real || asked.as_deref() == Some(real),
            "it is {real}, was {} and should become {asked:?}",
            self.settled
        );
        self.settled = real.to_owned();
    }

    async fn see(&self, path: &str) -> Value {
        self.project.get(path).await.expect(200).json()
    }
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

async fn folder(project: &Project, name: &str, parent: Option<&str>) -> String {
    let body = json!({"name": name, "parent_id": parent});
    id(&project.post("/folders", body).await.expect_success().json())
}

/// Moves a folder with others and files in it to and fro.
struct Mover {
    client: Client,
    homes: [(String, &'static str); 2],
    moved: String,
    deep: String,
}

impl Mover {
    async fn new(project: &Project, acknowledged: &Arc<AtomicUsize>) -> Self {
        let first = folder(project, "first", None).await;
        let second = folder(project, "second", None).await;
        let moved = folder(project, "moved", Some(&first)).await;
        let inner = folder(project, "inner", Some(&moved)).await;
        let upload = project.request(Method::POST, "/files/upload");
        let upload = upload
            .header("file-path", "deep.txt")
            .header("folder-id", inner)
            .body("deep");
        let deep = id(&Reply::to(upload).await.expect_success().json());
        Self {
            client: Client::new(project, acknowledged, "first/moved"),
            homes: [(first, "first/moved"), (second, "second/moved")],
            moved,
            deep,
        }
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let there = self.client.settled == self.homes[0].1;
            let (home, becomes) = &self.homes[usize::from(there)];
            let path = format!("/folders/{}/move", self.moved);
            let request = self.client.project.request(Method::POST, &path);
            let request = request.json(&json!({"parent_id": home}));
            let _ = self.client.ask(request, becomes).await?;
        }
    }

    async fn check(&mut self) {
        let folder = self.client.see(&format!("/folders/{}", self.moved)).await;
        let path = folder["path"].as_str().unwrap();
        self.client.settle(path);
        let deep = self.client.see(&format!("/files/{}", self.deep)).await;
        assert_eq!(deep["path"], format!("{path}/inner/deep.txt"));
    }
}

/// Overwrites a file and takes the version before back.
struct Restorer {
    client: Client,
    file: String,
    turn: usize,
}

impl Restorer {
    async fn new(project: &Project, acknowledged: &Arc<AtomicUsize>) -> Self {
        let made = project.upload("versions.txt", "text 0").await;
        Self {
            client: Client::new(project, acknowledged, "text 0"),
            file: id(&made.expect_success().json()),
            turn: 0,
        }
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let path = format!("/files/{}", self.file);
            let seen = Reply::try_to(self.client.project.request(Method::GET, &path));
            let seen = seen.await.map_err(|_| Gone)?.expect(200).json();
            let before = (self.client.settled.clone(), seen["version"].clone());
            self.turn += 1;
            let text = format!("text {}", self.turn);
            let content = format!("{path}/content");
            let request = self.client.project.request(Method::PUT, &content);
            let _ = self.client.ask(request.body(text.clone()), &text).await?;
            let restore = format!("{path}/versions/{}/restore", before.1);
            let request = self.client.project.request(Method::POST, &restore);
            let _ = self.client.ask(request, &before.0).await?;
        }
    }

    async fn check(&mut self) {
        let path = format!("/files/{}/download", self.file);
        let real = self.client.project.get(&path).await.expect(200).text();
        self.client.settle(&real);
    }
}

/// Sends files, throws them away, takes them back, and deletes them for good.
struct Thrower {
    client: Client,
    file: Option<String>,
    gone: Vec<String>,
}

impl Thrower {
    fn new(project: &Project, acknowledged: &Arc<AtomicUsize>) -> Self {
        Self {
            client: Client::new(project, acknowledged, "gone"),
            file: None,
            gone: Vec::new(),
        }
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let project = self.client.project.clone();
            if self.client.settled == "gone" {
                self.gone.extend(self.file.take());
                let request = project
                    .request(Method::POST, "/files/upload")
                    .header("file-path", "thrown.bin")
                    .body(noise(30_000, self.gone.len() as u64));
                // Until its id is known nobody can look for it.
                let reply = Reply::try_to(request).await.map_err(|_| Gone)?;
                self.file = Some(id(&reply.expect_success().json()));
                self.client.settled = "there".to_owned();
            }
            let path = format!("/files/{}", self.file.as_deref().unwrap());
            if self.client.settled == "there" {
                let request = project.request(Method::DELETE, &path);
                let _ = self.client.ask(request, "thrown").await?;
                let request = project.request(Method::POST, &format!("{path}/restore"));
                let _ = self.client.ask(request, "there").await?;
            }
            let request = project.request(Method::DELETE, &format!("{path}?permanent=true"));
            let _ = self.client.ask(request, "gone").await?;
        }
    }

    async fn check(&mut self) {
        for gone in &self.gone {
            let reply = self.client.project.get(&format!("/files/{gone}")).await;
            let _ = reply.expect_problem(404);
        }
        let Some(file) = &self.file else { return };
        let trash = self.client.see("/files/trash?limit=100").await;
        let mut thrown = trash["items"].as_array().unwrap().iter();
        let reply = self.client.project.get(&format!("/files/{file}")).await;
        let real = if thrown.any(|item| item["id"] == file.as_str()) {
            "thrown"
        } else if reply.status == 404 {
            "gone"
        } else {
            "there"
        };
        self.client.settle(real);
        if real == "there" {
            let path = format!("/files/{file}/download");
            let body = self.client.project.get(&path).await.expect(200).body;
            assert_eq!(body, noise(30_000, self.gone.len() as u64));
        }
    }
}

/// Sends files in parts.
struct Sender {
    client: Client,
    at: Option<String>,
    sent: usize,
    asked: usize,
    done: Vec<String>,
}

impl Sender {
    fn new(project: &Project, acknowledged: &Arc<AtomicUsize>) -> Self {
        Self {
            client: Client::new(project, acknowledged, ""),
            at: None,
            sent: 0,
            asked: 0,
            done: Vec::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        noise(WHOLE, 1_000 + self.done.len() as u64)
    }

    fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.project.request(method, path);
        request.header("tus-resumable", "1.0.0")
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let at = match &self.at {
                Some(at) => at.clone(),
                None => {
                    let request = self
                        .tus(Method::POST, "/files/tus")
                        .header("upload-length", WHOLE)
                        .header("upload-metadata", "filename dHVzLmJpbg==");
                    let reply = self.client.ask(request, "").await?;
                    let location = reply.header("location");
                    let at = location[location.find("/files/tus/").unwrap()..].to_owned();
                    (self.sent, self.asked) = (0, 0);
                    self.at = Some(at.clone());
                    at
                }
            };
            while self.sent < WHOLE {
                let end = (self.sent + PART).min(WHOLE);
                self.asked = end;
                let request = self
                    .tus(Method::PATCH, &at)
                    .header("content-type", "application/offset+octet-stream")
                    .header("upload-offset", self.sent)
                    .body(self.bytes()[self.sent..end].to_vec());
                let _ = self.client.ask(request, "").await?;
                self.sent = end;
            }
            self.done.extend(self.at.take());
        }
    }

    async fn check(&mut self) {
        self.client.asked = None;
        for (number, at) in self.done.iter().enumerate() {
            let file = at.rsplit('/').next().unwrap();
            let path = format!("/files/{file}/download");
            let body = self.client.project.get(&path).await.expect(200).body;
            assert_eq!(body, noise(WHOLE, 1_000 + number as u64));
        }
        if let Some(at) = &self.at {
            let reply = Reply::to(self.tus(Method::HEAD, at)).await.expect(200);
            let real: usize = reply.header("upload-offset").parse().unwrap();
            assert!(
                (self.sent..=self.asked).contains(&real),
                "{real} bytes are there of {} to {}",
                self.sent,
                self.asked
            );
            self.sent = real;
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_point_leaves_nothing_by_half() {
    let mut server = TestServer::start().await;
    let project = server.admin().project_with(&["files"]).await;
    let count = Arc::new(AtomicUsize::new(0));
    let mut mover = Mover::new(&project, &count).await;
    let mut restorer = Restorer::new(&project, &count).await;
    let mut thrower = Thrower::new(&project, &count);
    let mut sender = Sender::new(&project, &count);
    for round in 0..KILLS {
        let goal = count.load(Ordering::Relaxed) + 40 + round * 17;
        let work = async {
            let _ = tokio::join!(mover.run(), restorer.run(), thrower.run(), sender.run());
        };
        let kill = async {
            until("enough changes", DEADLINE, || {
                std::future::ready((count.load(Ordering::Relaxed) >= goal).then_some(()))
            })
            .await;
            server.kill();
        };
        tokio::join!(work, kill);
        server.start_again().await;
        mover.check().await;
        restorer.check().await;
        thrower.check().await;
        sender.check().await;
    }
    until_settled(&server, &project).await;
    // Rows and objects agree; what requests left that were killed between
    // their object and their row is old enough for the sweep some day.
    let swept = ["orphaned_object"];
    let counted = ["account_differs", "orphaned_object"];
    until("a right account", SETTLED, || async {
        let checked = fsck(&server, &project, &[]).await;
        let other = |code: &&str| !counted.contains(code);
        assert!(!checked.codes().iter().any(other), "{:?}", checked.findings);
        (checked.codes().iter().all(|code| swept.contains(code))).then_some(())
    })
    .await;
    let mended = fsck(&server, &project, &["--repair"]).await;
    assert!(mended.codes().iter().all(|code| swept.contains(code)));
    let clean = fsck(&server, &project, &[]).await;
    assert_eq!((clean.code, clean.codes()), (0, Vec::new()));
    // And everything goes on.
    let _ = project.upload("after", "all").await.expect_success();
}
