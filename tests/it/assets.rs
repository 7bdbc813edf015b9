//! Static files of plugins: the host serves them itself, as the component
//! carries them.

use atlashub_core::component_file;
use atlashub_tests::{Admin, Project, Reply, built_in, fixture, shared, unique, with_manifest};
use reqwest::Method;
use serde_json::json;

/// A project with the fixture `pages`.
async fn with_pages() -> (Admin, Project) {
    let admin = shared().await.admin();
    let _ = admin.upload(fixture("pages"), None).await.expect_success();
    let project = admin.project_with(&["pages"]).await;
    (admin, project)
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    let value = reply.headers.get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// As a browser asks: without a key, by the project's path.
async fn browse(project: &Project, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(project, Method::GET, path, headers).await
}

async fn send(project: &Project, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let path = format!("/p/{}{path}", project.slug);
    let mut request = project.bare_request(method, &path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::to(request).await
}

#[tokio::test]
async fn a_plugin_has_pages_beside_its_routes() {
    let (_, project) = with_pages().await;
    let page = browse(&project, "/pages/", &[]).await.expect(200);
    assert!(page.text().contains("<title>Pages</title>"));
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "cache-control"), "no-cache");
    assert_eq!(header(&page, "referrer-policy"), "same-origin");
    let policy = header(&page, "content-security-policy");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    // The dashboard is at this host, too.
    assert!(policy.contains("sandbox allow-scripts"), "{policy}");
    assert!(!header(&page, "x-request-id").is_empty());
    // What a page names beside itself is found from there.
    let script = browse(&project, "/pages/assets/app-BxYz12_4.js", &[]).await;
    assert_eq!(script.status, 200);
    assert!(header(&script, "cache-control").contains("immutable"));
    assert_eq!(
        header(&script, "content-type"),
        "text/javascript; charset=utf-8"
    );
    let own = browse(&project, "/pages/api", &[]).await.expect(200);
    assert_eq!(own.text(), "from the plugin");
    // By a key instead of the path, too.
    let page = project.get("/pages/guide/").await.expect(200);
    assert!(page.text().contains("A guide in a folder"));
}

#[tokio::test]
async fn a_folder_is_a_page_and_an_application_finds_its_way_itself() {
    let (_, project) = with_pages().await;
    for (path, to) in [
        ("/pages", "/pages/"),
        ("/pages?a=1&b=2", "/pages/?a=1&b=2"),
        ("/pages/guide", "/pages/guide/"),
    ] {
        let moved = unfollowed(&project, path).await;
        assert_eq!(moved.status().as_u16(), 308, "{path}");
        let location = moved.headers()["location"].to_str().unwrap();
        assert_eq!(location, format!("/p/{}{to}", project.slug));
    }
    let guide = browse(&project, "/pages/guide/", &[]).await.expect(200);
    assert!(guide.text().contains("A guide in a folder"));
    for path in ["/pages/somewhere", "/pages/some/where/", "/pages/guide/x"] {
        let page = browse(&project, path, &[]).await.expect(200);
        assert!(page.text().contains("<title>Pages</title>"), "{path}");
        assert_eq!(header(&page, "cache-control"), "no-cache", "{path}");
    }
    for path in [
        "/pages/missing.js",
        "/pages/..%2fplugin.toml",
        "/pages/%2e%2e/plugin.toml",
        "/pages/%ff",
        "/pages/assets/%5c..%5cplugin.toml",
    ] {
        let reply = browse(&project, path, &[]).await;
        reply.expect_problem(404);
    }
}

/// The answer itself, without going where it leads.
async fn unfollowed(project: &Project, path: &str) -> reqwest::Response {
    let url = shared().await.url(&format!("/p/{}{path}", project.slug));
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    client.get(url).send().await.unwrap()
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again_and_forms_are_chosen() {
    let (_, project) = with_pages().await;
    let path = "/pages/assets/style-CnWx81_b.css";
    let plain = browse(&project, path, &[]).await.expect(200);
    assert_eq!(header(&plain, "content-encoding"), "");
    assert_eq!(header(&plain, "vary"), "accept-encoding");
    let mut tags = vec![header(&plain, "etag").to_owned()];
    for (asked, given) in [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
    ] {
        let reply = browse(&project, path, &[("accept-encoding", asked)]).await;
        assert_eq!(header(&reply, "content-encoding"), given, "{asked}");
        assert!(reply.body.len() < plain.body.len());
        assert_eq!(
            header(&reply, "content-length"),
            reply.body.len().to_string()
        );
        let tag = header(&reply, "etag").to_owned();
        let again = [("accept-encoding", asked), ("if-none-match", &tag)];
        let again = browse(&project, path, &again).await.expect(304);
        assert!(again.body.is_empty());
        assert_eq!(header(&again, "etag"), tag);
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "each form has a tag of its own: {tags:?}");
    let known = format!("\"other\", W/{}", tags[0]);
    let _ = browse(&project, path, &[("if-none-match", &known)])
        .await
        .expect(304);
    let _ = browse(&project, path, &[("if-none-match", "\"other\"")])
        .await
        .expect(200);
}

#[tokio::test]
async fn a_part_of_a_file_is_served_and_a_head_has_no_body() {
    let (_, project) = with_pages().await;
    let path = "/pages/note.txt";
    let part = browse(&project, path, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(header(&part, "content-range"), "bytes 2-4/11");
    let tag = header(&part, "etag").to_owned();
    let kept = [("range", "bytes=-2"), ("if-range", &tag)];
    let part = browse(&project, path, &kept).await.expect(206);
    assert_eq!(part.text(), "9\n");
    let other = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    let whole = browse(&project, path, &other).await.expect(200);
    assert_eq!(whole.text(), "0123456789\n");
    let none = browse(&project, path, &[("range", "bytes=11-")]).await;
    assert_eq!(none.status, 416);
    assert_eq!(header(&none, "content-range"), "bytes */11");
    let head = send(&project, Method::HEAD, path, &[]).await.expect(200);
    assert_eq!(header(&head, "content-length"), "11");
    assert!(head.body.is_empty());
    let refused = send(&project, Method::POST, path, &[]).await;
    refused.expect_problem(405);
    assert_eq!(header(&refused, "allow"), "GET, HEAD");
}

#[tokio::test]
async fn a_plugin_that_is_switched_off_has_no_pages() {
    let (admin, project) = with_pages().await;
    let _ = browse(&project, "/pages/", &[]).await.expect(200);
    let _ = admin
        .install(&project, "pages", json!({"enabled": false}))
        .await
        .expect_success();
    browse(&project, "/pages/", &[]).await.expect_problem(404);
    let _ = admin
        .install(&project, "pages", json!({"enabled": true}))
        .await
        .expect_success();
    let _ = browse(&project, "/pages/", &[]).await.expect(200);
}

#[tokio::test]
async fn pages_are_mounted_elsewhere_and_two_plugins_do_not_share_a_place() {
    let (admin, project) = with_pages().await;
    let moved = json!({"routes": ["/api-of-pages", "/site"]});
    let moved = admin
        .install(&project, "pages", moved)
        .await
        .expect_success()
        .json();
    assert_eq!(moved["routes"], json!(["/api-of-pages", "/site"]));
    let _ = browse(&project, "/site/", &[]).await.expect(200);
    let own = browse(&project, "/api-of-pages", &[]).await.expect(200);
    assert_eq!(own.text(), "from the plugin");
    browse(&project, "/pages/", &[]).await.expect_problem(404);
    let name = unique("other");
    let text = format!("name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/site\"\n");
    let _ = admin
        .upload(with_manifest(&built_in("hello"), &text), None)
        .await
        .expect_success();
    let taken = admin
        .install(&project, &name, json!({"enabled": true}))
        .await;
    taken.expect_problem(409);
    let detail = taken.json()["detail"].to_string();
    assert!(
        detail.contains("pages") && detail.contains(&name),
        "{detail}"
    );
}

#[tokio::test]
async fn an_upload_whose_files_do_not_add_up_is_refused() {
    let admin = shared().await.admin();
    let bare = built_in("hello");
    let name = unique("bare");
    let text = |more: &str| {
        format!(
            "name = \"{name}\"\nversion = \"1.0.0\"\n\
             assets = {{ folder = \"web\", mount = \"/{name}\"{more} }}\n"
        )
    };
    // It names files and carries none.
    let reply = admin.upload(with_manifest(&bare, &text("")), None).await;
    reply.expect_problem(422);
    assert_eq!(reply.json()["code"], "invalid_assets");
    // It carries files, but not the one that it falls back to.
    let other = text(", fallback = \"app.html\"");
    let reply = admin.upload(fixture("pages"), Some(&other)).await;
    reply.expect_problem(422);
    assert!(reply.text().contains("app.html"), "{}", reply.text());
    // One of the files is not what the index says.
    let mut damaged = fixture("pages");
    let at = damaged
        .windows(10)
        .rposition(|window| window == b"0123456789")
        .unwrap();
    damaged[at] = b'x';
    let reply = admin.upload(damaged, None).await;
    reply.expect_problem(422);
    assert!(reply.text().contains("note.txt"), "{}", reply.text());
    // The files stay when a manifest beside the component takes over.
    let revision = admin.upload(fixture("pages"), Some(&text(""))).await;
    let _ = revision.expect(201);
    let project = admin.project_with(&[&name]).await;
    let path = format!("/{name}/note.txt");
    assert_eq!(browse(&project, &path, &[]).await.text(), "0123456789\n");
}

#[tokio::test]
async fn a_component_says_which_files_it_carries() {
    let described = component_file::describe(&fixture("pages")).unwrap();
    let files = described.assets.unwrap();
    assert!(files.find("guide/index.html").is_some());
    assert_eq!(files.find("note.txt").unwrap().plain.length, 11);
}

#[tokio::test]
async fn at_a_domain_of_the_project_a_page_keeps_its_origin() {
    let (admin, project) = with_pages().await;
    let host = format!("{}.example.org", unique("pages"));
    let domains = format!("/admin/v1/projects/{}/domains", project.slug);
    let _ = admin
        .post(&domains, json!({"host": host}))
        .await
        .expect(201);
    let request = project.bare_request(Method::GET, "/pages/");
    let page = Reply::to(request.header("host", &host)).await.expect(200);
    let policy = header(&page, "content-security-policy");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("sandbox"), "{policy}");
}
