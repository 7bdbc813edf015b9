//! `/readyz` while a part of the node is away, and when it is back; `/healthz`
//! meanwhile.

use atlashub_tests::{Admin, DEADLINE, Engine, Line, Reply, TestServer, until};

/// What an answer must not give away.
const SECRETS: [&str; 6] = ["127.0.0.1", "postgres", "sqlite", "s3:", "/tmp", "http"];

/// Waits until the node says that `part` is away, and nothing else is.
async fn until_away(admin: &Admin, part: &str) -> Reply {
    let reply = until("the part's absence", DEADLINE, || async {
        let reply = admin.get("/readyz").await;
        (reply.status != 200).then_some(reply)
    })
    .await;
    assert_eq!(reply.expect_problem(503), "not_ready");
    let problem = reply.json();
    for one in ["database", "storage"] {
        let word = if one == part { "away" } else { "ok" };
        assert_eq!(problem[one], word, "{problem}");
    }
    assert!(!reply.header("retry-after").is_empty());
    let text = reply.text().to_lowercase();
    for secret in SECRETS {
        assert!(!text.contains(secret), "`{secret}` is in {text}");
    }
    let _ = admin.get("/healthz").await.expect(200);
    reply
}

async fn until_ready(admin: &Admin) {
    until("the node to be ready again", DEADLINE, || async {
        let reply = admin.get("/readyz").await;
        assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
        (reply.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_whose_parts_are_away_says_which_and_comes_back() {
    if Engine::of_this_run() == Engine::Sqlite {
        return folder_goes_away().await;
    }
    let (server, lines) = TestServer::builder().start_over_lines().await;
    let admin = server.admin().anonymous();
    let project = server.admin().project_with(&["files", "hello"]).await;
    let file = project.upload("kept.txt", "kept").await.expect_success();
    let away: [(&str, &Line, fn(&Line)); 4] = [
        ("database", &lines.database, Line::cut),
        ("database", &lines.database, Line::fall_silent),
        ("storage", &lines.store, Line::cut),
        ("storage", &lines.store, Line::fall_silent),
    ];
    for (part, line, goes) in away {
        let _ = admin.get("/readyz").await.expect(200);
        goes(line);
        let _ = until_away(&admin, part).await;
        // What needs neither is served on.
        let _ = project.get("/hello").await.expect(200);
        line.mend();
        until_ready(&admin).await;
    }
    lines.database.cut();
    lines.store.cut();
    let reply = until("both to be away", DEADLINE, || async {
        let reply = admin.get("/readyz").await;
        let problem = reply.json();
        (problem["database"] == "away" && problem["storage"] == "away").then_some(reply)
    })
    .await;
    assert_eq!(reply.expect_problem(503), "not_ready");
    lines.database.mend();
    lines.store.mend();
    until_ready(&admin).await;
    let path = format!("/files/{}/download", file.json()["id"].as_str().unwrap());
    until("the file to be there again", DEADLINE, || async {
        let reply = project.get(&path).await;
        (reply.status == 200 && reply.text() == "kept").then_some(())
    })
    .await;
}

/// The folder of objects is on another disk, say, that is gone for a while.
async fn folder_goes_away() {
    let server = TestServer::start().await;
    let admin = server.admin().anonymous();
    let objects = server.folder().join("node-0/data/objects");
    let entries: Vec<_> = std::fs::read_dir(&objects)
        .expect("the folder of objects")
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!entries.is_empty(), "nothing is in {}", objects.display());
    let elsewhere = objects.with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let there = |path: &std::path::PathBuf| elsewhere.join(path.file_name().unwrap());
    for path in &entries {
        std::fs::rename(path, there(path)).unwrap();
    }
    let _ = until_away(&admin, "storage").await;
    for path in &entries {
        std::fs::rename(there(path), path).unwrap();
    }
    until_ready(&admin).await;
}
