//! Schemathesis, as PyPI has it, against the descriptions of the host and of
//! a project: whatever fits a description, and much that does not, is
//! answered as the description says, and never with a failure of the server.

use crate::db;
use atlashub_tests::{Project, TestServer, plugin_routes, shared};
use std::collections::BTreeSet;
use tokio::process::Command;

/// What every answer is checked for. What is refused is the server's to say:
/// it knows more than a description can.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance,busy_for_a_while";
/// The check of its own among them: who is told to come again is answered.
const BUSY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/busy.py");
/// Where the generated requests begin: the same on every run.
const SEED: &str = "20261121";

/// One run of the program.
struct Run<'a> {
    server: &'a TestServer,
    /// Where the description is, and what its paths are appended to.
    description: String,
    base: String,
    /// The credentials, as a header.
    header: String,
    /// Requests made up for each operation.
    examples: u32,
    /// Operations that are left out.
    left_out: &'a [&'a str],
    /// Further settings of the program.
    settings: String,
}

impl Run<'_> {
    async fn expect_no_failure(&self) {
        let program = std::env::var("ATLASHUB_TEST_SCHEMATHESIS")
            .expect("ATLASHUB_TEST_SCHEMATHESIS is not set: `cargo xtask test` sets it");
        let folder = tempfile::tempdir().expect("a folder");
        let settings = folder.path().join("schemathesis.toml");
        // A busy machine may say that it is busy: [`BUSY`] comes again.
        let passing = "[checks.not_a_server_error]\nexpected-statuses = [\"2xx\", \"3xx\", \"4xx\", \"503\"]\n";
        std::fs::write(&settings, format!("{}\n{passing}", self.settings))
            .expect("write the settings");
        let mut command = Command::new(program);
        command
            .arg("--config-file")
            .arg(&settings)
            .args(["run", &self.description, "--url", &self.base])
            .args(["--header", &self.header])
            .args(["--phases", "examples,coverage,fuzzing", "--checks", CHECKS])
            .args(["--max-examples", &self.examples.to_string()])
            .args(["--seed", SEED, "--generation-deterministic", "--no-shrink"])
            .args(["--request-timeout", "20"])
            // CPython 3.11 confuses threads that parse Python at once (gh-106905).
            .args(["--workers", "1", "--suppress-health-check", "all"])
            .args(["--warnings", "off", "--continue-on-failure"])
            .env("SCHEMATHESIS_HOOKS", BUSY)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "200")
            .env("HOME", folder.path())
            .current_dir(folder.path());
        for operation in self.left_out {
            command.args(["--exclude-operation-id", operation]);
        }
        let output = command.output().await.expect("run schemathesis");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{said}{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            failures(&self.server.log())
        );
    }
}

/// What the server's log says of its own failures.
fn failures(log: &str) -> String {
    let lines = log.lines().filter(|line| line.contains("ERROR"));
    lines.take(40).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_host_answers_as_its_description_says() {
    let server = TestServer::builder()
        .env("ATLASHUB_AUTH_REQUESTS_PER_SECOND", "10000")
        .env("ATLASHUB_ADMIN_REQUESTS_PER_SECOND", "10000")
        .start()
        .await;
    let admin = server.admin();
    let project = admin.project_with(&["hello"]).await;
    let run = Run {
        description: server.url("/openapi.json"),
        base: server.url(""),
        header: "x-dev-admin-token: dev-token-of-the-tests".to_owned(),
        examples: 4,
        // The rest is about the project that it would remove.
        left_out: &["delete_project"],
        settings: format!(
            "[parameters]\n\"path.project\" = \"{}\"\n\"path.plugin\" = \"hello\"\n\
             \"query.follow\" = \"0\"\n",
            project.slug
        ),
        server: &server,
    };
    run.expect_no_failure().await;
}

#[tokio::test]
async fn a_project_answers_as_its_description_says() {
    let project = db::project().await;
    let server = shared().await;
    let secret = format!("x-api-key: {}", project.secret);
    described(server, &project, &secret, 20, &[], "").await;
}

#[tokio::test]
async fn a_projects_plugins_answer_as_they_describe() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let routes = plugin_routes();
    let plugins: BTreeSet<&str> = routes.iter().map(|route| route.plugin.as_str()).collect();
    let plugins: Vec<&str> = plugins.into_iter().collect();
    let project = admin.project_with(&plugins).await;
    let secret = format!("x-api-key: {}", project.secret);
    // Without an example of an id there is nothing behind most addresses.
    let file = project.upload("described.txt", "described").await;
    let file = file.expect(201).json();
    let ids = format!("[parameters]\n\"path.id\" = {}\n", file["id"]);
    // The program makes no bodies of the type of resumable uploads, which have
    // a client of their own in the tests.
    let resumable = ["files_tus_create", "files_tus_override", "files_tus_append"];
    described(&server, &project, &secret, 4, &resumable, &ids).await;
    described(&server, &project, &secret, 4, &resumable, "").await;
    // What only users have. A stream never ends by itself, and what users
    // connect is on servers that are made up, too.
    let user = project.sign_up().await;
    let bearer = format!("authorization: Bearer {}", user.access);
    let left_out = [
        &resumable[..],
        &["notifications_stream", "backends_connect"],
    ]
    .concat();
    described(&server, &project, &bearer, 4, &left_out, "").await;
}

/// A project against its description, for whoever `header` is. The description
/// is only told to servers of the project: it is read beforehand.
async fn described(
    server: &TestServer,
    project: &Project,
    header: &str,
    examples: u32,
    left_out: &[&str],
    settings: &str,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openapi.json");
    let path = format!("/p/{}/openapi.json", project.slug);
    let description = project.get(&path).await.expect(200).text();
    std::fs::write(&file, description).expect("write the description");
    let run = Run {
        description: file.display().to_string(),
        base: server.url(&format!("/p/{}", project.slug)),
        header: header.to_owned(),
        examples,
        left_out,
        settings: settings.to_owned(),
        server,
    };
    run.expect_no_failure().await;
}
