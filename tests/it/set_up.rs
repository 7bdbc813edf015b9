//! `atlashub doctor` and `atlashub migrate`: what they say of a set-up that is
//! whole, and of each thing that is missing or wrong.

use atlashub_tests::{Engine, Setup, TestServer};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::net::TcpListener;

/// What `doctor` says of one part.
#[track_caller]
fn line<'a>(said: &'a str, part: &str) -> &'a str {
    let found = said.lines().find(|line| {
        let mut words = line.trim_start().splitn(2, ' ');
        let _ = words.next();
        words
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with(part))
    });
    found.unwrap_or_else(|| panic!("nothing of {part} in:\n{said}"))
}

/// That `doctor` ends with a failure of `part`, and says each of `words` of it.
async fn expect_failure(setup: &Setup, variables: &[(&str, &str)], part: &str, words: &[&str]) {
    let (code, said) = setup.run(&["doctor"], variables).await;
    assert_eq!(code, 1, "with {variables:?}:\n{said}");
    let line = line(&said, part);
    assert!(line.trim_start().starts_with("FAIL"), "{line}");
    for word in words {
        assert!(line.contains(word), "`{word}` is not said: {line}");
    }
}

#[tokio::test]
async fn a_set_up_that_is_whole_is_said_to_be() {
    let setup = Setup::make().await;
    let (code, said) = setup.run(&["doctor"], &[]).await;
    assert_eq!(code, 0, "before the first start:\n{said}");
    assert!(said.contains("everything that a node needs"), "{said}");
    if Engine::of_this_run() == Engine::Sqlite {
        assert!(!setup.data_dir().exists(), "it has made the data folder");
    } else {
        assert!(line(&said, "database").contains("pending"), "{said}");
    }
    let _ = setup.run(&["migrate"], &[]).await;
    let (code, said) = setup.run(&["doctor"], &[]).await;
    assert_eq!(code, 0, "{said}");
    for (part, found) in [
        ("settings", "understood"),
        ("data folder", "is writable"),
        ("master key", "set by ATLASHUB_MASTER_KEY"),
        ("database", "answers, up to date"),
        ("object store", "writes, reads, deletes"),
        ("compile worker", "compiles"),
        ("address", "is free"),
    ] {
        let line = line(&said, part);
        assert!(
            line.trim_start().starts_with("ok") && line.contains(found),
            "{line}"
        );
    }
    assert!(!said.contains("FAIL"), "{said}");
}

#[tokio::test]
async fn doctor_looks_at_a_running_node_and_leaves_it_alone() {
    let server = TestServer::start().await;
    let project = server.admin().project_with(&["hello"]).await;
    let (code, said) = server.doctor(&[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(line(&said, "address").contains("is in use"), "{said}");
    assert!(
        line(&said, "database").contains("answers, up to date"),
        "{said}"
    );
    if Engine::of_this_run() == Engine::Sqlite {
        let store = line(&said, "object store");
        assert!(store.contains("another node is using"), "{store}");
    }
    let _ = project.get("/hello").await.expect(200);
}

#[tokio::test]
async fn a_master_key_that_is_another_one_is_said_to_be() {
    let server = TestServer::start().await;
    let project = server.admin().project().await;
    let _ = project.sign_up().await;
    let (code, said) = server.doctor(&[]).await;
    assert_eq!(code, 0, "{said}");
    let other = STANDARD.encode([1; 32]);
    let wrong = [("ATLASHUB_MASTER_KEY", other.as_str())];
    let (code, said) = server.doctor(&wrong).await;
    assert_eq!(code, 1, "{said}");
    let line = line(&said, "database");
    assert!(
        line.trim_start().starts_with("FAIL") && line.contains("another master key"),
        "{line}"
    );
    assert!(!said.contains(&other), "{said}");
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_named() {
    let setup = Setup::make().await;
    for (name, value) in [
        ("ATLASHUB_DATABASE_URL", "mysql://x"),
        ("ATLASHUB_STORAGE_URL", "ftp://x"),
        ("ATLASHUB_MASTER_KEY", "short"),
        ("ATLASHUB_LOG_FORMAT", "xml"),
    ] {
        expect_failure(&setup, &[(name, value)], "settings", &[name]).await;
    }
    let slip = [("ATLASHUB_LISTENN", "127.0.0.1:1")];
    let (code, said) = setup.run(&["doctor"], &slip).await;
    assert_eq!(code, 0, "{said}");
    let line = line(&said, "settings");
    assert!(
        line.trim_start().starts_with("note") && line.contains("ATLASHUB_LISTENN"),
        "{line}"
    );
}

#[tokio::test]
async fn a_data_folder_that_is_none_is_said_to_be() {
    let setup = Setup::make().await;
    let file = setup.data_dir().with_file_name("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let path = file.to_str().unwrap();
    let there = [("ATLASHUB_DATA_DIR", path)];
    expect_failure(&setup, &there, "data folder", &[path, "--data-dir"]).await;
}

#[tokio::test]
async fn a_master_key_that_is_missing_is_said_to_be_before_a_start_fails() {
    let setup = Setup::make().await;
    let without = [("ATLASHUB_MASTER_KEY", "")];
    if Engine::of_this_run() == Engine::Postgres {
        let words = ["ATLASHUB_MASTER_KEY", "openssl rand -base64 32"];
        expect_failure(&setup, &without, "master key", &words).await;
        return;
    }
    let (code, said) = setup.run(&["migrate"], &without).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = setup.run(&["doctor"], &without).await;
    assert_eq!(code, 0, "a key was to be made with the database:\n{said}");
    assert!(line(&said, "master key").contains("keep a copy"), "{said}");
    std::fs::remove_file(setup.data_dir().join("master.key")).unwrap();
    let words = ["master.key", "put the file back"];
    expect_failure(&setup, &without, "master key", &words).await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_said_to_be_without_its_password() {
    let setup = Setup::make().await;
    let url = "postgres://nobody:password-of-nobody@127.0.0.1:1/none";
    let nobody = [("ATLASHUB_DATABASE_URL", url)];
    expect_failure(&setup, &nobody, "database", &["ATLASHUB_DATABASE_URL"]).await;
    for command in ["doctor", "migrate"] {
        let (code, said) = setup.run(&[command], &nobody).await;
        assert_eq!(code, 1, "{command}: {said}");
        assert!(!said.contains("password-of-nobody"), "{command}: {said}");
    }
}

#[tokio::test]
async fn an_object_store_that_does_not_answer_is_said_to_be_without_its_keys() {
    let setup = Setup::make().await;
    let nobody = [
        (
            "ATLASHUB_STORAGE_URL",
            "s3://none?endpoint=http://127.0.0.1:1&region=none",
        ),
        ("AWS_ACCESS_KEY_ID", "the-id-of-nobody"),
        ("AWS_SECRET_ACCESS_KEY", "the-key-of-nobody"),
    ];
    expect_failure(&setup, &nobody, "object store", &["does not answer"]).await;
    let (_, said) = setup.run(&["doctor"], &nobody).await;
    assert!(!said.contains("the-key-of-nobody"), "{said}");
}

#[tokio::test]
async fn an_address_that_is_taken_or_not_ours_is_said_to_be() {
    let setup = Setup::make().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = setup.run(&["doctor", "--listen", &address], &[]).await;
    assert_eq!(code, 0, "{said}");
    let line = line(&said, "address");
    assert!(
        line.trim_start().starts_with("note") && line.contains("is in use"),
        "{line}"
    );
    // An address for documentation (RFC 5737): no machine has it.
    let elsewhere = [("ATLASHUB_LISTEN", "192.0.2.1:8080")];
    expect_failure(&setup, &elsewhere, "address", &["192.0.2.1:8080"]).await;
}

#[tokio::test]
async fn a_compile_worker_that_cannot_be_started_is_said() {
    let setup = Setup::make().await;
    // A program whose file is gone, as after an upgrade beneath it, runs on and
    // finds no worker.
    let (code, said) = setup.run_from_a_removed_file(&["doctor"]).await;
    assert_eq!(code, 1, "{said}");
    let line = line(&said, "compile worker");
    assert!(line.trim_start().starts_with("FAIL"), "{line}");
    for word in ["ATLASHUB_COMPILE_SECONDS", "start the compile worker"] {
        assert!(line.contains(word), "`{word}` is not said: {line}");
    }
    assert!(said.contains("1 of "), "nothing else is wrong: {said}");
}

#[tokio::test]
async fn what_only_building_plugins_needs_is_a_note() {
    let setup = Setup::make().await;
    let (code, said) = setup.run(&["doctor"], &[("PATH", "/nowhere")]).await;
    assert_eq!(code, 0, "{said}");
    for (part, word) in [("cargo", "rustup.rs"), ("wasm", "rustup target add")] {
        let line = line(&said, part);
        assert!(
            line.trim_start().starts_with("note") && line.contains(word),
            "{line}"
        );
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing_the_second_time() {
    let setup = Setup::make().await;
    let (code, said) = setup.run(&["migrate", "--check"], &[]).await;
    assert_eq!(code, 1, "nothing is pending before the first start: {said}");
    assert!(said.contains("pending"), "{said}");
    let (code, said) = setup.run(&["migrate"], &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("applied") && said.contains("up to date"));
    let (code, said) = setup.run(&["migrate"], &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        !said.contains("applied") && said.contains("up to date"),
        "{said}"
    );
    let (code, said) = setup.run(&["migrate", "--check"], &[]).await;
    assert_eq!((code, said.trim()), (0, "0 pending"));
}
