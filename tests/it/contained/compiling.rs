//! Compiling what strangers send: bounded in time and memory, nothing of the
//! features that are off, and no machine code but what this host has made.

use crate::keys::until_refused;
use atlashub_tests::{AT_ONCE, Engine, TestServer, shared, unique, wat};
use serde_json::json;
use std::{fmt::Write as _, path::PathBuf};

/// A component of two functions that take long to compile, and much memory:
/// so many steps that all depend on what came before.
fn laborious(steps: usize) -> Vec<u8> {
    let mut code = String::new();
    for number in 0..2 {
        write!(code, "(func (param i64) (result i64) (local i64)").unwrap();
        for step in 0..steps {
            write!(
                code,
                "(local.set 1 (i64.mul (i64.add (local.get 1) (local.get 0)) (i64.const {})))\
                 (if (i64.eqz (local.get 1)) (then (local.set 0 (i64.const {step}))))",
                number + step
            )
            .unwrap();
        }
        code.push_str("(local.get 1))");
    }
    let text = format!(
        r#"(component
          (import "wasi:http/types@0.2.12" (instance $types
            (export "incoming-request" (type (sub resource)))
            (export "response-outparam" (type (sub resource)))))
          (alias export $types "incoming-request" (type $request))
          (alias export $types "response-outparam" (type $out))
          (core module $code {code} (func (export "handle") (param i32 i32) unreachable))
          (core instance $main (instantiate $code))
          (func $handle (param "request" (own $request)) (param "response-out" (own $out))
            (canon lift (core func $main "handle")))
          (instance $handler (export "handle" (func $handle)))
          (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))"#
    );
    atlashub_tests::wat_text(&text)
}

/// Files in the folder of compiled code.
fn compiled(server: &TestServer) -> Vec<PathBuf> {
    compiled_by(server, 0)
}

/// Files in the folder of what node number `node` has compiled.
fn compiled_by(server: &TestServer, node: usize) -> Vec<PathBuf> {
    let folder = server.folder().join(format!("node-{node}/data/compiled"));
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test]
async fn a_component_that_takes_long_to_compile_is_refused_and_the_server_answers_meanwhile() {
    let server = TestServer::builder()
        .env("ATLASHUB_COMPILE_SECONDS", "3")
        .start()
        .await;
    let admin = server.admin();
    // Compiled before by a server that has more time.
    let _ = shared().await.admin().project_with(&["hello"]).await;
    let project = admin.project_with(&["hello"]).await;
    let plugin = unique("slow");
    let upload = admin.upload_named(laborious(50_000), &plugin);
    let mut upload = std::pin::pin!(upload);
    let mut answers = 0;
    let refused = loop {
        tokio::select! {
            refused = &mut upload => break refused,
            answer = project.get("/hello") => {
                let _ = answer.expect(200);
                answers += 1;
            }
        }
    };
    assert_eq!(refused.expect_problem(422), "compile_timeout");
    assert!(answers > 0, "nobody was answered meanwhile");
    admin
        .get(&format!("/admin/v1/plugins/{plugin}"))
        .await
        .expect_problem(404);
    // The next one has its turn.
    let uploaded = admin.upload_named(wat("many-memories"), &plugin).await;
    let _ = uploaded.expect(201);
}

#[tokio::test]
async fn a_component_that_takes_much_memory_to_compile_is_refused() {
    let server = TestServer::builder()
        .env("ATLASHUB_COMPILE_MEMORY_MIB", "2048")
        .start()
        .await;
    let admin = server.admin();
    let plugin = unique("large");
    let refused = admin.upload_named(laborious(100_000), &plugin).await;
    assert_eq!(refused.expect_problem(422), "compile_failed");
    // It is the component that was too much, not the bound that was too little.
    let uploaded = admin
        .upload_named(wat("huge-table"), &unique("small"))
        .await;
    let _ = uploaded.expect(201);
    admin
        .get(&format!("/admin/v1/plugins/{plugin}"))
        .await
        .expect_problem(404);
}

#[tokio::test]
async fn features_that_are_off_are_refused_by_name() {
    let admin = shared().await.admin();
    for (name, word) in [
        ("feature-exceptions", "exceptions"),
        ("feature-gc", "gc"),
        ("feature-memory64", "memory64"),
        ("feature-stack-switching", "stack switching"),
        ("feature-threads", "threads"),
    ] {
        let reply = admin.upload_named(wat(name), &unique("f")).await;
        assert_eq!(reply.expect_problem(422), "invalid_component", "{name}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{name}: {detail}");
    }
}

#[tokio::test]
async fn more_tables_than_a_store_may_have_are_refused() {
    let admin = shared().await.admin();
    let reply = admin
        .upload_named(wat("too-many-tables"), &unique("t"))
        .await;
    reply.expect_problem(422);
}

#[tokio::test]
async fn compiled_code_is_no_component() {
    let server = shared().await;
    let admin = server.admin();
    let _ = admin.project_with(&["hello"]).await;
    let file = compiled(server)
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "cwasm"))
        .expect("compiled code");
    let code = std::fs::read(file).unwrap();
    let reply = admin.upload_named(code, &unique("machine")).await;
    assert_eq!(reply.expect_problem(422), "not_a_component");
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("machine code"), "{detail}");
}

/// A server with a folder of compiled code of its own.
async fn with_own_cache() -> TestServer {
    let mut server = TestServer::start().await;
    keep_own_cache(&mut server, 0).await;
    server
}

/// Gives node number `node` a folder of compiled code of its own, empty.
pub(crate) async fn keep_own_cache(server: &mut TestServer, node: usize) {
    server.stop().await;
    let folder = server.folder().join(format!("node-{node}/data/compiled"));
    std::fs::remove_file(&folder).expect("the link to the shared folder");
    std::fs::create_dir(&folder).expect("a folder");
    server.start_again().await;
}

/// Uploads a component, and answers the file of its compiled code.
async fn compile(server: &TestServer, component: Vec<u8>, name: &str) -> PathBuf {
    let uploaded = server.admin().upload_named(component, name).await;
    let digest = uploaded.expect(201).json()["digest"].clone();
    let digest = digest.as_str().unwrap().trim_start_matches("sha256:");
    compiled(server)
        .into_iter()
        .find(|path| path.file_name().unwrap().to_str().unwrap().contains(digest))
        .expect("its compiled code")
}

#[tokio::test]
async fn compiled_code_that_was_touched_is_compiled_anew_and_never_loaded() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut server = with_own_cache().await;
    let admin = server.admin();
    let plugin = unique("kept");
    let file = compile(&server, wat("many-memories"), &plugin).await;
    let other = compile(&server, wat("huge-table"), &unique("other")).await;
    let folder = file.parent().unwrap();
    let mode = std::fs::metadata(folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others may look into {folder:?}");

    let genuine = std::fs::read(&file).unwrap();
    let other = std::fs::read(other).unwrap();
    let flipped = |at: usize| {
        let mut bytes = genuine.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bytes) in [
        ("code", flipped(genuine.len() / 2)),
        ("authenticator", flipped(genuine.len() - 1)),
        ("half a file", genuine[..genuine.len() / 2].to_vec()),
        ("the code of another component", other),
        ("nothing", Vec::new()),
    ] {
        server.stop().await;
        std::fs::write(&file, &bytes).unwrap();
        let warnings = server.log().matches("compiled code does not fit").count();
        server.start_again().await;
        let project = admin.project().await;
        let installed = admin
            .install(&project, &plugin, serde_json::json!({}))
            .await;
        let _ = installed.expect_success();
        let reply = project.get(&format!("/{plugin}")).await;
        assert_eq!(reply.expect_problem(502), "plugin_trapped", "{what}");
        let told = server.log().matches("compiled code does not fit").count();
        assert!(told > warnings, "{what} was loaded");
        assert_eq!(std::fs::read(&file).unwrap().len(), genuine.len(), "{what}");
    }
}

#[tokio::test]
async fn a_key_is_refused_on_a_node_that_still_compiles_what_was_installed_before() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    let first = TestServer::start().await;
    let mut second = first.second_node().await;
    keep_own_cache(&mut second, 1).await;
    let admin = first.admin();
    let project = admin.project_with(&["hello"]).await;
    let keys = format!("/admin/v1/projects/{}/keys", project.slug);
    let made = admin.post(&keys, json!({"kind": "secret"})).await;
    let made = made.expect(201).json();
    let key = made["key"].as_str().unwrap();
    let mut slow = Vec::new();
    for more in 0..4 {
        let name = unique("slow");
        let uploaded = admin.upload_named(laborious(10_000 + more), &name).await;
        let digest = uploaded.expect(201).json()["digest"].clone();
        slow.push((name, digest));
    }
    let there = project.on(&second);
    let _ = there.with_key(key).get("/hello").await.expect(200);
    for (name, _) in &slow {
        let _ = admin.install(&project, name, json!({})).await.expect(201);
    }
    let made = format!("{keys}/{}", made["id"].as_str().unwrap());
    let _ = admin.delete(&made).await.expect_success();
    until_refused(&there, key, AT_ONCE).await;
    let compiled = compiled_by(&second, 1);
    let (_, last) = slow.last().unwrap();
    let last = last.as_str().unwrap().trim_start_matches("sha256:");
    let is_compiled = compiled
        .iter()
        .any(|path| path.file_name().unwrap().to_str().unwrap().contains(last));
    assert!(!is_compiled, "the key was refused after all was compiled");
    let _ = there.get("/hello").await.expect(200);
}
