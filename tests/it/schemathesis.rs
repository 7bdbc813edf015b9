//! Schemathesis, as PyPI has it, against the descriptions of the host and of
//! a project: whatever fits a description, and much that does not, is
//! answered as the description says, and never with a failure of the server.

use crate::db;
use atlashub_tests::{Project, TestServer, shared};
use tokio::process::Command;

/// What every answer is checked for. What is refused is the server's to say:
/// it knows more than a description can.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance";
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
        std::fs::write(&settings, &self.settings).expect("write the settings");
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
    let admin = shared().await.admin();
    let _ = admin.enable(&project, "files").await;
    described(&project).await;
}

async fn described(project: &Project) {
    let server = shared().await;
    let run = Run {
        description: server.url(&format!("/p/{}/openapi.json", project.slug)),
        base: server.url(&format!("/p/{}", project.slug)),
        header: format!("x-api-key: {}", project.secret),
        examples: 20,
        left_out: &[],
        settings: String::new(),
        server,
    };
    run.expect_no_failure().await;
}
