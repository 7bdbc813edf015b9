//! Notifications: told at once wherever somebody listens, kept for those who
//! do not, mailed to those who wish, and nobody else's business.

use atlashub_tests::{
    DEADLINE, Engine, MailServer, PASSWORD, Project, Reply, TestServer, User, shared, until,
};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// An event of a stream.
#[derive(Debug)]
struct Told {
    id: Option<String>,
    event: String,
    data: Value,
}

/// Server-sent events as they come.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    /// A stream of the user's, which is heard when this returns.
    async fn of(user: &User, last_id: Option<&str>) -> Self {
        let mut request = user
            .request(Method::GET, "/notifications/stream")
            .timeout(Duration::from_secs(600));
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self {
            response,
            text: String::new(),
        };
        let opening = stream.block().await.expect("the opening");
        assert!(opening.starts_with(": held\nretry: "), "{opening}");
        stream
    }

    /// What comes up to the next empty line; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = timeout(DEADLINE, self.response.chunk()).await;
            let chunk = chunk.expect("something within the deadline").ok()??;
            self.text
                .push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let start = format!("{name}: ");
                block.lines().find_map(|line| line.strip_prefix(&start))
            };
            if let Some(event) = field("event") {
                return Some(Told {
                    id: field("id").map(str::to_owned),
                    event: event.to_owned(),
                    data: serde_json::from_str(field("data").expect("data")).expect("JSON"),
                });
            }
        }
    }

    async fn told(&mut self, title: &str) -> Told {
        let told = self.next().await.expect("an event");
        assert_eq!(
            (told.event.as_str(), &told.data["title"]),
            ("notification", &json!(title))
        );
        told
    }

    /// Reads on to the end, and answers why it came.
    async fn ending(&mut self) -> String {
        let told = self.next().await.expect("the reason of the end");
        assert_eq!(told.event, "closed", "{told:?}");
        assert!(self.next().await.is_none());
        told.data["reason"].as_str().expect("a reason").to_owned()
    }
}

/// A user whose address counts as proven.
async fn proven(server: &TestServer, project: &Project) -> User {
    let users = format!("/admin/v1/projects/{}/users", project.slug);
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "email_verified": true});
    let made = server.admin().post(&users, body).await.expect(201).json();
    let tokens = project.sign_in("ada@example.com").await.expect(200).json();
    User::known(project, &made, &tokens)
}

/// Returns when the user's node has taken up whatever changed before: an
/// installation, say, that would still end the streams of its plugin. Changes
/// are taken up in order, and the end of a session is one.
async fn settled(user: &User) {
    let session = user.again().await;
    let mut marker = Stream::of(&session, None).await;
    let _ = session
        .post("/v1/auth/logout?scope=local", json!({}))
        .await
        .expect(204);
    assert_eq!(marker.ending().await, "changed");
}

async fn put(user: &User, path: &str) -> String {
    let request = user.request(Method::POST, "/files/upload");
    let reply = Reply::to(request.header("file-path", path).body("words")).await;
    reply.expect(201).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

async fn share(user: &User, file: &str, with: &User) {
    let path = format!("/files/{file}/permissions");
    let grant = json!({"user": with.id, "role": "viewer"});
    let _ = user.post(&path, grant).await.expect(201);
}

async fn notify(project: &Project, users: &[&User], title: &str) {
    let ids: Vec<_> = users.iter().map(|user| &user.id).collect();
    let notice = json!({"kind": "test", "user_ids": ids, "title": title});
    let _ = project.post("/notifications", notice).await.expect(202);
}

async fn listed(user: &User) -> Value {
    user.get("/notifications").await.expect(200).json()
}

#[tokio::test]
async fn what_is_shared_is_told_on_every_node_and_to_nobody_else() {
    let first = TestServer::start().await;
    let second = match Engine::of_this_run().serves_many_nodes() {
        true => Some(first.second_node().await),
        false => None,
    };
    let plugins = ["files", "notifications"];
    let project = first.admin().project_with(&plugins).await;
    let (ada, bob) = (project.sign_up().await, project.sign_up().await);
    let eve = project.sign_up().await;
    let there = second
        .as_ref()
        .map_or(project.clone(), |node| project.on(node));
    let (bob_there, eve_there) = (bob.at(&there), eve.at(&there));
    // The other node may have yet to hear of the project.
    until("the project elsewhere", DEADLINE, || async {
        (bob_there.get("/notifications").await.status == 200).then_some(())
    })
    .await;
    settled(&bob_there).await;
    let mut bobs = Stream::of(&bob_there, None).await;
    let mut eves = Stream::of(&eve_there, None).await;
    let file = put(&ada, "plans.txt").await;
    share(&ada, &file, &bob).await;
    let told = bobs
        .told("Somebody shared the file plans.txt with you")
        .await;
    assert_eq!(told.data["subject"], json!({"type": "file", "id": file}));
    assert_eq!(told.data["unread"], 1);
    assert_eq!(told.data["actor_id"], json!(ada.id));
    // The first that Eve hears of is her own.
    notify(&project, &[&eve], "for Eve").await;
    let _ = eves.told("for Eve").await;
    let page = listed(&bob).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(listed(&ada).await["items"], json!([]));
    // Who comes back gets what came meanwhile, and nothing twice.
    drop(bobs);
    notify(&project, &[&bob], "meanwhile").await;
    let mut again = Stream::of(&bob_there, told.id.as_deref()).await;
    let _ = again.told("meanwhile").await;
    notify(&project, &[&bob], "now").await;
    let _ = again.told("now").await;
    let marked = bob
        .post("/notifications/mark-read", json!({"all": true}))
        .await;
    assert_eq!(marked.expect(200).json(), json!({"unread": 0}));
    let unread = again.next().await.expect("an event");
    assert_eq!(
        (unread.event.as_str(), &unread.data["unread"]),
        ("unread", &json!(0))
    );
    let mut lost = Stream::of(&bob_there, Some("no number")).await;
    assert_eq!(lost.next().await.expect("an event").event, "missed");
}

#[tokio::test]
async fn a_stream_ends_with_its_session_its_plugin_and_its_node() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project_with(&["notifications"]).await;
    let ada = project.sign_up().await;
    let other = ada.again().await;
    settled(&other).await;
    let (mut one, mut two) = (Stream::of(&ada, None).await, Stream::of(&other, None).await);
    let _ = ada.post("/v1/auth/logout?scope=local", json!({})).await;
    assert_eq!(one.ending().await, "changed");
    assert_eq!(ada.get("/notifications/stream").await.status, 401);
    notify(&project, &[&other], "still here").await;
    let _ = two.told("still here").await;
    let off = json!({"enabled": false});
    let _ = admin
        .install(&project, "notifications", off)
        .await
        .expect(200);
    assert_eq!(two.ending().await, "changed");
    let on = json!({"enabled": true});
    let _ = admin
        .install(&project, "notifications", on)
        .await
        .expect(200);
    settled(&other).await;
    let mut last = Stream::of(&other, None).await;
    let (ending, ()) = tokio::join!(last.ending(), server.stop());
    assert_eq!(ending, "shutting_down");
}

#[tokio::test]
async fn one_user_holds_so_many_streams() {
    let project = shared()
        .await
        .admin()
        .project_with(&["notifications"])
        .await;
    let ada = project.sign_up().await;
    settled(&ada).await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(Stream::of(&ada, None).await);
    }
    let refused = ada.get("/notifications/stream").await;
    assert_eq!(refused.expect_problem(429), "too_many_streams");
    let bob = project.sign_up().await;
    let _bobs = Stream::of(&bob, None).await;
    drop(streams.pop());
    until("a place", DEADLINE, || async {
        let again = ada.get("/notifications/stream").await;
        (again.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_thousand_streams_hear_of_one_notification() {
    let project = shared()
        .await
        .admin()
        .project_with(&["notifications"])
        .await;
    let mut users = Vec::new();
    for _ in 0..32 {
        users.push(project.sign_up().await);
    }
    settled(&users[0]).await;
    let opening = users
        .iter()
        .flat_map(|user| (0..32).map(move |_| Stream::of(user, None)));
    let opening = futures::stream::iter(opening).buffer_unordered(32);
    let mut streams: Vec<Stream> = opening.collect().await;
    assert_eq!(streams.len(), 1_024);
    let everybody: Vec<&User> = users.iter().collect();
    notify(&project, &everybody, "to all").await;
    let hearing = streams.iter_mut().map(|stream| stream.told("to all"));
    let told = futures::future::join_all(hearing).await;
    assert_eq!(told.len(), 1_024);
}

#[tokio::test]
async fn who_wishes_is_mailed_to_an_address_that_was_proven() {
    let mails = MailServer::start().await;
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", mails.url());
    let server = server.start().await;
    let project = server.admin().project_with(&["notifications"]).await;
    let (ada, bob) = (proven(&server, &project).await, project.sign_up().await);
    let wish = json!({"kinds": {"test": {"in_app": false, "email": "immediately"}}});
    for user in [&ada, &bob] {
        let put = user.put("/notifications/preferences", wish.clone()).await;
        let _ = put.expect(200);
    }
    notify(&project, &[&bob, &ada], "<b>Millet</b> & more").await;
    let mail = mails.mail_to(&ada.email, 1).await;
    assert!(
        mail.text.contains("&lt;b&gt;Millet&lt;/b&gt; &amp; more"),
        "{}",
        mail.text
    );
    assert!(
        mail.text.contains("Subject: <b>Millet</b> & more"),
        "{}",
        mail.text
    );
    // Bob's address was never proven.
    let path = format!("/admin/v1/projects/{}/queue?state=done", project.slug);
    until("the end of both mails", DEADLINE, || async {
        let done = server.admin().get(&path).await.expect(200).json();
        (done["items"].as_array()?.len() == 2).then_some(())
    })
    .await;
    let to_bob = mails.mails_to(&bob.email);
    assert!(!to_bob.iter().any(|mail| mail.text.contains("Millet")));
    assert_eq!(listed(&ada).await["items"], json!([]));
}

#[tokio::test]
async fn a_mail_waits_for_a_mail_server_that_is_away() {
    let server = TestServer::builder().env("ATLASHUB_SMTP_URL", "smtp://127.0.0.1:1");
    let server = server.start().await;
    let project = server.admin().project_with(&["notifications"]).await;
    let ada = proven(&server, &project).await;
    let wish = json!({"kinds": {"test": {"in_app": true, "email": "immediately"}}});
    let _ = ada
        .put("/notifications/preferences", wish)
        .await
        .expect(200);
    notify(&project, &[&ada], "later").await;
    assert_eq!(listed(&ada).await["unread"], 1);
    let path = format!("/admin/v1/projects/{}/queue", project.slug);
    let waiting = until("a failed try", DEADLINE, || async {
        let items = server.admin().get(&path).await.expect(200).json();
        let item = items["items"].get(0)?.clone();
        item["error"].is_object().then_some(item)
    })
    .await;
    assert_eq!(waiting["kind"], "mail", "{waiting}");
    assert_eq!(waiting["error"]["code"], "mail_not_sent", "{waiting}");
    assert!(["scheduled", "ready", "running"].contains(&waiting["state"].as_str().unwrap_or("")));
}
