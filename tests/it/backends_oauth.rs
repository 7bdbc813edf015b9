//! Storage where users sign in, against a stand-in for the three services.

use crate::backends_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};
use atlashub_tests::{Browser, Project, ServerBuilder, TestServer, User, unique};
use reqwest::{Method, Url};
use serde_json::{Value, json};

const BACK: &str = "https://app.example.com/settings/storage?tab=2";

struct Scene {
    server: TestServer,
    project: Project,
    stand_in: StandIn,
}

impl Scene {
    async fn set() -> Self {
        let stand_in = StandIn::start().await;
        let server = ServerBuilder::default()
            .env("ATLASHUB_EGRESS_ALLOW", stand_in.address.to_string())
            .start()
            .await;
        let admin = server.admin();
        let project = admin.project_with(&["files", "backends"]).await;
        let mut config = json!({
            "allow_plain_http": true, "redirect_urls": ["https://app.example.com/settings"],
        });
        for kind in ["gdrive", "onedrive", "dropbox"] {
            config[format!("{kind}_client_id")] = json!(CLIENT_ID);
            config[format!("{kind}_client_secret")] = json!(CLIENT_SECRET);
            config[format!("{kind}_base_url")] = json!(format!("http://{}", stand_in.address));
        }
        let body = json!({"enabled": true, "grants": "requested", "config": config});
        let shown = admin.install(&project, "backends", body).await;
        assert!(!shown.expect_success().text().contains(CLIENT_SECRET));
        Self {
            server,
            project,
            stand_in,
        }
    }

    /// Sends a user to the service, whose browser comes back: the address that
    /// the service leads it to.
    async fn send(&self, user: &User, kind: &str) -> String {
        let wish = json!({"type": kind, "display_name": kind, "redirect_to": BACK});
        let begun = user.post("/storage-backends/connect", wish).await;
        let begun = begun.expect(200).json();
        let url = begun["authorization_url"].as_str().unwrap();
        let reply = Browser::default().get(url).await.expect(302);
        reply.header("location").to_owned()
    }

    /// What the callback hands on to the application: state and code.
    async fn hand_on(&self, callback: &str) -> Value {
        let reply = Browser::default().get(callback).await.expect(303);
        let place = Url::parse(reply.header("location")).unwrap();
        let fragment = place.fragment().unwrap().to_owned();
        assert_eq!(place.as_str().split('#').next(), Some(BACK));
        let pairs = Url::parse(&format!("http://x/?{fragment}")).unwrap();
        let pairs: Vec<_> = pairs.query_pairs().into_owned().collect();
        let text = |name: &str| {
            let found = pairs.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone())
        };
        json!({"state": text("state"), "code": text("code")})
    }

    async fn connect(&self, user: &User, kind: &str) -> String {
        let returned = self.send(user, kind).await;
        let handed = self.hand_on(&returned).await;
        let made = user.post("/storage-backends/callback", handed).await;
        let made = made.expect(201).json();
        assert_eq!(made["type"], kind, "{made}");
        format!("/storage-backends/{}", made["id"].as_str().unwrap())
    }
}

async fn listed(user: &User, backend: &str, path: &str) -> Vec<Value> {
    let request = user.request(Method::GET, &format!("{backend}/browse"));
    let reply = atlashub_tests::Reply::to(request.query(&[("path", path)])).await;
    let page = reply.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn storage_where_users_sign_in_is_browsed_imported_from_and_stored_to() {
    let scene = Scene::set().await;
    let user = scene.project.sign_up().await;
    let request = user.request(Method::POST, "/files/upload");
    let sent = request.header("file-path", "here.txt").body("from here");
    let file = atlashub_tests::Reply::to(sent).await.expect(201).json();
    for kind in ["gdrive", "onedrive", "dropbox"] {
        let folder = unique(kind);
        let there = format!("{folder}/it's ärger #1/there.txt");
        scene.stand_in.write(&there, b"from there");
        let backend = scene.connect(&user, kind).await;

        let top = listed(&user, &backend, "").await;
        let found = top
            .iter()
            .find(|item| item["name"] == folder.as_str())
            .unwrap();
        assert_eq!(found["kind"], "folder", "{found}");
        // By the path that was told, and by names.
        let inside = listed(&user, &backend, found["path"].as_str().unwrap()).await;
        assert_eq!(inside[0]["name"], "it's ärger #1", "{kind}");
        if kind != "gdrive" {
            let files = listed(&user, &backend, &format!("{folder}/it's ärger #1")).await;
            assert_eq!(files[0]["size"], 10, "{files:?}");
        }
        let files = listed(&user, &backend, inside[0]["path"].as_str().unwrap()).await;
        let path = files[0]["path"].clone();
        let report = user
            .post(&format!("{backend}/import"), json!({ "path": path }))
            .await;
        let report = report.expect(201).json();
        let id = report["imported"][0]["id"].as_str().unwrap();
        let bytes = user.get(&format!("/files/{id}/download")).await.expect(200);
        assert_eq!(bytes.text(), "from there", "{kind}");

        let to = format!("{folder}/new/日本.txt");
        let wish = json!({"file_id": file["id"], "path": to});
        let stored = user.post(&format!("{backend}/store"), wish.clone()).await;
        let _ = stored.expect(201);
        assert_eq!(
            scene.stand_in.read(&to).as_deref(),
            Some(b"from here".as_slice())
        );
        let again = user.post(&format!("{backend}/store"), wish.clone()).await;
        assert_eq!(again.expect_problem(409), "path_taken");
        let mut over = wish;
        over["overwrite"] = json!(true);
        over["file_id"] = json!(id);
        let _ = user
            .post(&format!("{backend}/store"), over)
            .await
            .expect(201);
        assert_eq!(
            scene.stand_in.read(&to).as_deref(),
            Some(b"from there".as_slice())
        );
        let request = user.request(Method::GET, &format!("{backend}/download"));
        let request = request
            .query(&[("path", to.as_str())])
            .header("range", "bytes=5-9");
        let part = atlashub_tests::Reply::to(request).await.expect(206);
        assert_eq!(part.text(), "there");

        // The tokens held for half a minute each.
        let (tokens, given) = scene.stand_in.tokens();
        assert!(given > 2, "no token was refreshed");
        let shown = user.get("/storage-backends").await.expect(200).text();
        let log = scene.server.log();
        for secret in tokens.iter().map(String::as_str).chain([CLIENT_SECRET]) {
            assert!(!shown.contains(secret) && !log.contains(secret), "{secret}");
        }
        scene.stand_in.revoke();
        let reply = user.get(&format!("{backend}/browse")).await;
        assert_eq!(reply.expect_problem(422), "reconnect_needed");
    }
}

#[tokio::test]
async fn a_connection_is_finished_once_by_the_user_who_began_it() {
    let scene = Scene::set().await;
    let (ada, bob) = (scene.project.sign_up().await, scene.project.sign_up().await);
    let returned = scene.send(&ada, "dropbox").await;
    let handed = scene.hand_on(&returned).await;
    let finish = "/storage-backends/callback";
    let refused = bob.post(finish, handed.clone()).await;
    assert_eq!(refused.expect_problem(404), "not_found");
    let mut other = handed.clone();
    other["code"] = json!("another code");
    // A code that the service does not know ends the way, too.
    let refused = ada.post(finish, other).await;
    assert_eq!(refused.expect_problem(422), "reconnect_needed");
    let late = ada.post(finish, handed).await;
    assert_eq!(late.expect_problem(404), "not_found");

    let returned = scene.send(&ada, "dropbox").await;
    let handed = scene.hand_on(&returned).await;
    let _ = ada.post(finish, handed.clone()).await.expect(201);
    let again = ada.post(finish, handed).await;
    assert_eq!(again.expect_problem(404), "not_found");
    let list = ada.get("/storage-backends").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let list = bob.get("/storage-backends").await.expect(200).json();
    assert_eq!(list["items"], json!([]));

    for elsewhere in [
        "https://evil.example.com/settings",
        "https://app.example.com/settingsevil",
        "https://app.example.com/settings/../other",
        "https://app.example.com:8443/settings",
        "http://app.example.com/settings",
        "https://ada@app.example.com/settings",
        "javascript:alert(1)",
    ] {
        let wish = json!({"type": "dropbox", "display_name": "x", "redirect_to": elsewhere});
        let refused = ada.post("/storage-backends/connect", wish).await;
        assert_eq!(
            refused.expect_problem(422),
            "redirect_refused",
            "{elsewhere}"
        );
    }
    let declined = Url::parse(&scene.send(&ada, "onedrive").await).unwrap();
    let state = declined
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1;
    let wish = json!({"state": state, "error": "access_denied"});
    let refused = ada.post(finish, wish).await;
    assert_eq!(refused.expect_problem(422), "connection_declined");
}
