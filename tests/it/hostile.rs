//! The pack of hostile texts, `tests/hostile_sql`, and whom it is aimed at: a
//! project beside the attacker's, whose real names stand in the texts, and the
//! platform, each with something in it that no answer may tell.

use crate::sql_editor::write;
use atlashub_tests::{Admin, Engine, Project, Reply, TestServer, User, unique};
use reqwest::Method;
use serde_json::{Value, json};

/// The project that is attacked from another one.
pub(crate) struct Victim {
    admin: Admin,
    project: Project,
    /// Its user, who is a row of the platform's.
    user: User,
    /// In a row of its table, in the name of its file, in its own name.
    canaries: [String; 3],
    /// What stands for each name in the texts.
    names: Vec<(&'static str, String)>,
}

impl Victim {
    /// A project with a table `secrets`, a file and a user.
    pub(crate) async fn make(server: &TestServer) -> Self {
        let admin = server.admin();
        let project = admin.project_with(&["files"]).await;
        let canaries = ["row", "file", "name"].map(|of| unique(&format!("canary-{of}")));
        let [row, file, name] = &canaries;
        write(&admin, &project, "CREATE TABLE secrets (name text)").await;
        let sql = format!("INSERT INTO secrets VALUES ('{row}')");
        write(&admin, &project, &sql).await;
        let _ = project.upload(file, "content").await.expect_success();
        let path = format!("/admin/v1/projects/{}", project.slug);
        let named = admin.patch(&path, json!({ "name": name })).await;
        let _ = named.expect_success();
        Self {
            user: project.sign_up().await,
            names: names(server, &project),
            admin,
            project,
            canaries,
        }
    }

    /// The hostile texts for the engine of this run, with the real names.
    pub(crate) fn texts(&self) -> Vec<String> {
        let own = match Engine::of_this_run() {
            Engine::Sqlite => include_str!("../hostile_sql/sqlite.txt"),
            Engine::Postgres => include_str!("../hostile_sql/postgres.txt"),
        };
        let both = include_str!("../hostile_sql/both.txt");
        let all = both.lines().chain(own.lines());
        all.filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| self.named(line))
            .collect()
    }

    /// A text with the real names in it.
    fn named(&self, text: &str) -> String {
        let named = self.names.iter().fold(text.to_owned(), |text, (name, is)| {
            text.replace(&format!("{{{{{name}}}}}"), is)
        });
        assert!(!named.contains("{{"), "nothing stands for a name in {text}");
        named
    }

    /// Expects that an answer tells nothing of it.
    pub(crate) fn expect_untold(&self, what: &str, reply: &Reply) {
        let text = reply.text();
        for canary in self.canaries.iter().chain([&self.user.email]) {
            assert!(!text.contains(canary), "{what}: {text}");
        }
    }

    /// Expects that all of it is as it was, and that it works.
    pub(crate) async fn expect_unharmed(&self) {
        let [row, file, name] = &self.canaries;
        let base = format!("/admin/v1/projects/{}", self.project.slug);
        let all = json!({"sql": "SELECT name FROM secrets"});
        let secrets = self.admin.post(&format!("{base}/sql"), all).await;
        assert_eq!(secrets.expect(200).json()["rows"], json!([[row]]));
        let files = self.project.get("/files").await.expect(200).json();
        assert_eq!(only(&files)["filename"], json!(file), "{files}");
        let project = self.admin.get(&base).await.expect(200).json();
        assert_eq!(project["name"], json!(name), "{project}");
        let users = self.admin.get(&format!("{base}/users")).await;
        let users = users.expect(200).json();
        assert_eq!(only(&users)["email"], json!(self.user.email), "{users}");
        let me = self.user.request(Method::GET, "/v1/auth/me");
        let _ = Reply::to(me).await.expect(200);
        let tables = self.admin.get(&format!("{base}/tables")).await;
        let tables = tables.expect(200).json();
        assert_eq!(only(&tables)["name"], "secrets", "{tables}");
    }
}

/// The one thing of a list.
fn only(list: &Value) -> &Value {
    let items = list["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "{list}");
    &items[0]
}

/// What stands for each name in the texts.
fn names(server: &TestServer, project: &Project) -> Vec<(&'static str, String)> {
    let mut names = vec![
        ("victim_id", project.id.clone()),
        ("victim_slug", project.slug.clone()),
    ];
    match Engine::of_this_run() {
        Engine::Sqlite => {
            let data = server.folder().join("node-0/data");
            let folder = data.join("projects").join(&project.id);
            let (file, plugin) = (folder.join("public.sqlite"), folder.join("plugin_files.db"));
            let platform = data.join("platform.db");
            for path in [&file, &plugin, &platform] {
                assert!(path.is_file(), "there is no {}", path.display());
            }
            names.extend([
                ("victim_folder", folder.display().to_string()),
                ("victim_file", file.display().to_string()),
                ("victim_plugin_file", plugin.display().to_string()),
                ("platform_file", platform.display().to_string()),
            ]);
        }
        Engine::Postgres => {
            let url = server.store_setting("ATLASHUB_DATABASE_URL");
            let url: reqwest::Url = url.expect("a database").parse().expect("a URL");
            let database = format!("proj_{}", project.id.replace('-', ""));
            names.extend([
                ("victim_owner", format!("{database}_owner")),
                ("victim_app", format!("{database}_app")),
                ("victim_service", format!("{database}_service")),
                ("victim_plugin", format!("{database}_p_files")),
                ("victim_database", database),
                ("platform_database", url.path().replace('/', "")),
                ("platform_role", url.username().to_owned()),
            ]);
        }
    }
    names
}
