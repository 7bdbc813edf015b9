//! The catalogue: what may come in, and what is said of what may not.

use atlashub_tests::{TestServer, built_in, fixture, shared, unique, wat, wat_text, with_manifest};

fn manifest(name: &str, more: &str) -> String {
    format!("name = \"{name}\"\nversion = \"1.0.0\"\n{more}\n[[routes]]\npath = \"/{name}\"\n")
}

#[tokio::test]
async fn the_built_in_plugins_are_there_from_the_start() {
    let admin = shared().await.admin();
    let list = admin
        .get("/admin/v1/plugins?limit=100")
        .await
        .expect(200)
        .json();
    for name in ["hello", "files"] {
        let found = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["name"] == name);
        let plugin = found.unwrap_or_else(|| panic!("{name} is not in {list}"));
        assert_eq!(plugin["built_in"], true, "{plugin}");
    }
}

#[tokio::test]
async fn an_upload_adds_a_revision_and_the_same_again_adds_none() {
    let admin = shared().await.admin();
    let name = unique("twice");
    let component = with_manifest(&built_in("hello"), &manifest(&name, ""));
    let first = admin
        .upload(component.clone(), None)
        .await
        .expect(201)
        .json();
    assert_eq!(first["name"], name, "{first}");
    assert_eq!(first["version"], "1.0.0", "{first}");
    let exports = first["exports"].to_string();
    assert!(
        exports.contains("wasi:http/incoming-handler@0.2"),
        "{first}"
    );
    let second = admin.upload(component, None).await.expect(200).json();
    assert_eq!(first["id"], second["id"]);
}

#[tokio::test]
async fn a_manifest_beside_the_component_takes_the_place_of_the_one_inside() {
    let admin = shared().await.admin();
    let name = unique("beside");
    let text = manifest(&name, "description = \"From beside\"");
    let revision = admin
        .upload(built_in("hello"), Some(&text))
        .await
        .expect(201)
        .json();
    assert_eq!(
        (&revision["name"], &revision["description"]),
        (&name.into(), &"From beside".into())
    );
}

#[tokio::test]
async fn what_is_not_a_component_is_refused_with_the_reason() {
    let admin = shared().await.admin();
    let mut elf = b"\x7fELF\x02\x01\x01\x00".to_vec();
    elf.resize(4096, 0);
    for (bytes, word) in [
        (Vec::new(), "component"),
        (b"hello".to_vec(), "component"),
        (elf, "machine code"),
        (b"\0asm\x01\0\0\0".to_vec(), "core"),
    ] {
        let reply = admin.upload_named(bytes, "wrong").await;
        reply.expect_problem(422);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(word),
            "`{detail}` does not speak of `{word}`"
        );
    }
}

#[tokio::test]
async fn a_truncated_component_is_refused() {
    let admin = shared().await.admin();
    let whole = built_in("hello");
    for share in [9, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        let reply = admin
            .upload_named(whole[..share].to_vec(), &unique("cut"))
            .await;
        reply.expect_problem(422);
    }
}

#[tokio::test]
async fn compiled_code_with_a_components_start_is_refused() {
    let admin = shared().await.admin();
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.extend_from_slice(&atlashub_tests::noise(100_000, 7));
    admin
        .upload_named(bytes, &unique("noise"))
        .await
        .expect_problem(422);
}

#[tokio::test]
async fn a_component_that_imports_what_there_is_not_is_refused_by_name() {
    let admin = shared().await.admin();
    let reply = admin
        .upload_named(wat("unknown-import"), &unique("unknown"))
        .await;
    reply.expect_problem(422);
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(':'), "`{detail}` does not name the import");
}

#[tokio::test]
async fn a_component_for_a_later_wasi_is_told_what_to_be_built_for() {
    let admin = shared().await.admin();
    for (direction, name) in [
        ("export", "wasi:http/handler@0.3.0"),
        ("export", "wasi:http/handler@0.3.0-rc-2025-09-16"),
        ("import", "wasi:http/client@0.3.0"),
    ] {
        let text = match direction {
            "export" => format!(
                "(component (component $c) (instance $i (instantiate $c)) \
                 (export \"{name}\" (instance $i)))"
            ),
            _ => format!("(component (import \"{name}\" (instance)))"),
        };
        let reply = admin.upload_named(wat_text(&text), &unique("later")).await;
        assert_eq!(reply.expect_problem(422), "unsupported_interface");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(name), "{detail}");
        assert!(
            detail.contains("wasi:http/incoming-handler@0.2"),
            "it does not say what to do: {detail}"
        );
    }
}

#[tokio::test]
async fn a_component_without_a_handler_is_refused() {
    let admin = shared().await.admin();
    let reply = admin.upload_named(wat("no-handler"), &unique("deaf")).await;
    reply.expect_problem(422);
    assert!(
        reply.text().contains("wasi:http/incoming-handler"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn a_component_that_asks_for_less_than_it_imports_is_refused() {
    let admin = shared().await.admin();
    let text = manifest(&unique("greedy"), "grants = [\"kv\"]");
    let reply = admin.upload(fixture("misbehave"), Some(&text)).await;
    assert_eq!(reply.expect_problem(422), "undeclared_import");
}

#[tokio::test]
async fn a_bare_component_needs_a_name() {
    let reply = shared().await.admin().upload(fixture("wstd"), None).await;
    reply.expect_problem(422);
}

#[tokio::test]
async fn a_wrong_manifest_is_refused_with_the_place() {
    let admin = shared().await.admin();
    for (text, word) in [
        ("name = ", ""),
        ("name = \"Upper\"\nversion = \"1.0.0\"", "lower-case"),
        ("name = \"a\"\nversion = \"one\"", "version"),
        (
            "name = \"a\"\nversion = \"1.0.0\"\ngrants = [\"exec:sh\"]",
            "exec:sh",
        ),
        (
            "name = \"a\"\nversion = \"1.0.0\"\nsurprise = 1",
            "surprise",
        ),
        (
            "name = \"a\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/admin/x\"",
            "/admin/x",
        ),
        (
            "name = \"a\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/a/../b\"",
            "/a/../b",
        ),
        ("name = \"public\"\nversion = \"1.0.0\"", "public"),
    ] {
        let reply = admin.upload(built_in("hello"), Some(text)).await;
        reply.expect_problem(422);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(word),
            "`{detail}` does not speak of `{word}`"
        );
    }
}

#[tokio::test]
async fn a_component_that_is_too_large_is_refused() {
    let server = TestServer::builder()
        .env("ATLASHUB_MAX_COMPONENT_BYTES", "6000000")
        .start()
        .await;
    let admin = server.admin();
    let mut large = built_in("hello");
    // A custom section, which any component may carry.
    large.extend_from_slice(&[0, 0x80, 0x80, 0x80, 0x03, 1, b'x']);
    large.resize(large.len() + 6 * 1024 * 1024 - 2, 0);
    let reply = admin.upload_named(large, &unique("large")).await;
    let status = reply.status;
    assert!(matches!(status, 413 | 422), "{status} {}", reply.text());
    assert_eq!(reply.expect_problem(status), "component_too_large");
}

#[tokio::test]
async fn a_refused_upload_leaves_no_trace_in_the_catalogue() {
    let admin = shared().await.admin();
    let name = unique("ghost");
    admin
        .upload_named(wat("unknown-import"), &name)
        .await
        .expect_problem(422);
    admin
        .get(&format!("/admin/v1/plugins/{name}"))
        .await
        .expect_problem(404);
}
