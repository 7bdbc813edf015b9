//! What was acknowledged survives the sudden end of the process.

use crate::fixture::{new_project, sqlite_url};
use atlashub_core::ProjectId;
use atlashub_data::platform::{Platform, PlatformOptions};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// Set for the process that writes until it is killed.
const WRITER: &str = "ATLASHUB_TEST_WRITER_URL";

async fn connect(url: &str) -> Platform {
    let platform = Platform::connect(&url.into(), PlatformOptions::default())
        .await
        .unwrap();
    platform.migrate().await.unwrap();
    platform
}

/// Makes projects and names each once it has been acknowledged.
async fn write_until_killed(url: &str) {
    let platform = connect(url).await;
    for n in 0.. {
        let project = platform
            .projects()
            .create(new_project(&format!("demo-{n}"), None))
            .await
            .unwrap();
        println!("made {}", project.id);
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    if let Ok(url) = std::env::var(WRITER) {
        return write_until_killed(&url).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(folder.path());
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::acknowledged_writes_survive_a_kill",
            "--nocapture",
        ])
        .env(WRITER, &url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged: Vec<ProjectId> = Vec::new();
    let output = BufReader::new(writer.stdout.take().unwrap());
    let mut lines = output.lines().map_while(Result::ok);
    while acknowledged.len() < 50 {
        let line = lines.next().expect("the writer ended by itself");
        acknowledged.extend(
            line.split("made ")
                .nth(1)
                .map(|id| id.parse::<ProjectId>().unwrap()),
        );
    }
    // SIGKILL, amid a write.
    writer.kill().unwrap();
    acknowledged
        .extend(lines.filter_map(|line| line.split("made ").nth(1)?.parse::<ProjectId>().ok()));
    writer.wait().unwrap();

    let platform = connect(&url).await;
    for id in &acknowledged {
        let project = platform.projects().find(*id).await.unwrap();
        assert!(project.is_some(), "an acknowledged project is lost");
        // Nothing of it is missing.
        assert_eq!(platform.buckets().list(*id).await.unwrap().len(), 2);
        assert_eq!(platform.usage().get(*id).await.unwrap().used_bytes, 0);
    }
    // At most the one under way was committed without being acknowledged.
    let all = platform.projects().load_all().await.unwrap();
    assert!(all.len() - acknowledged.len() <= 1);
    platform.close().await.unwrap();
}
