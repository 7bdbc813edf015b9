//! What a project says of itself: the routes of its plugins, where they are
//! mounted, in one document.

use atlashub_tests::{
    Project, built_in, plugin_routes, shared, unique, with_manifest, with_openapi,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn description(project: &Project) -> Value {
    let path = format!("/p/{}/openapi.json", project.slug);
    project.get(&path).await.expect(200).json()
}

fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let item = &document["paths"][path];
    let standard = &item[method.to_lowercase()];
    if standard.is_null() {
        &item["x-operations"][method]
    } else {
        standard
    }
}

/// Every call that it describes: its method, its path, and what is told of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let others = item["x-operations"].as_object().into_iter().flatten();
        let members = item.as_object().unwrap().iter().chain(others);
        for (method, told) in members.filter(|(_, told)| told["responses"].is_object()) {
            all.push((method.to_uppercase(), path.clone(), told));
        }
    }
    all
}

/// Every reference in it.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members
                .values()
                .for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_project_describes_every_route_of_its_plugins() {
    let admin = shared().await.admin();
    let routes = plugin_routes();
    let plugins: BTreeSet<&str> = routes.iter().map(|route| route.plugin.as_str()).collect();
    let plugins: Vec<&str> = plugins.into_iter().collect();
    let project = admin.project_with(&plugins).await;
    let document = description(&project).await;
    for route in &routes {
        let path = route.path.replace("{*", "{");
        let described = operation(&document, &route.method, &path);
        assert_eq!(
            described.is_object(),
            !route.internal,
            "{} {}: {described}",
            route.method,
            route.path
        );
        if !route.internal {
            assert_eq!(described["tags"], json!([route.plugin]), "{described}");
            assert!(described["responses"]["default"].is_object(), "{described}");
        }
    }
    // Nor does it describe what no plugin has.
    let known: BTreeSet<(String, String)> = routes
        .iter()
        .map(|route| (route.method.clone(), route.path.replace("{*", "{")))
        .collect();
    for (method, path, told) in operations(&document) {
        let is_a_plugins = plugins.iter().any(|plugin| told["tags"] == json!([plugin]));
        let is_known = known.contains(&(method.clone(), path.clone()));
        assert!(!is_a_plugins || is_known, "nothing answers {method} {path}");
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        let there = document.pointer(reference.trim_start_matches('#'));
        assert!(there.is_some(), "{reference} leads nowhere");
    }
    let notify = &document["paths"]["/notifications"]["post"]["security"];
    assert_eq!(
        *notify,
        json!([{"user": ["notifications:send"]}, {"key": ["secret"]}])
    );
    assert!(document["components"]["schemas"]["files.File"].is_object());
    let off = json!({"enabled": false, "grants": "requested"});
    let _ = admin
        .install(&project, "search", off)
        .await
        .expect_success();
    let document = description(&project).await;
    assert!(document["paths"]["/files/search"].is_null(), "{document}");
    assert!(document["paths"]["/files/{id}"]["get"].is_object());
}

const NOTES: &str = r##"
    [paths."/NAME".get]
    operationId = "notes"
    summary = "All notes"
    security = []
    responses.200 = { description = "Notes", content."application/json".schema."$ref" = "#/components/schemas/Notes" }
    [paths."/NAME/{id}".get]
    responses.200.description = "A note"
    [components.schemas.Notes]
    type = "array"
"##;

#[tokio::test]
async fn an_uploaded_plugin_is_described_where_it_is_mounted() {
    let admin = shared().await.admin();
    let name = unique("notes");
    let manifest =
        format!("name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/{name}\"\n");
    let bare = with_manifest(&built_in("hello"), &manifest);
    let told = with_openapi(&bare, &NOTES.replace("NAME", &name));
    let _ = admin.upload(told, None).await.expect(201);
    let project = admin.project_with(&[&name]).await;
    let document = description(&project).await;
    let notes = &document["paths"][format!("/{name}")]["get"];
    assert_eq!(notes["summary"], "All notes", "{document}");
    assert_eq!(notes["operationId"], format!("{name}_notes"));
    let id = &document["paths"][format!("/{name}/{{id}}")]["get"]["parameters"][0];
    assert_eq!((&id["name"], &id["required"]), (&json!("id"), &json!(true)));

    let body = json!({"enabled": true, "grants": "requested", "routes": ["/elsewhere"]});
    let _ = admin.install(&project, &name, body).await.expect_success();
    let document = description(&project).await;
    assert!(
        document["paths"]["/elsewhere/{id}"].is_object(),
        "{document}"
    );
    assert!(
        document["paths"][format!("/{name}")].is_null(),
        "{document}"
    );

    // One that says nothing is there by its mount, which stays.
    let version = manifest.replace("1.0.0", "2.0.0");
    let silent = with_manifest(&built_in("hello"), &version);
    let revision = admin.upload(silent, None).await.expect(201).json();
    let body = json!({"revision": revision["id"], "enabled": true, "grants": "requested"});
    let _ = admin.install(&project, &name, body).await.expect_success();
    let document = description(&project).await;
    let mount = &document["paths"]["/elsewhere/{path}"]["get"];
    assert_eq!(mount["tags"], json!([name]), "{document}");
}

#[tokio::test]
async fn a_description_that_is_not_of_the_plugin_is_refused_with_the_reason() {
    let admin = shared().await.admin();
    let name = unique("untrue");
    let manifest =
        format!("name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/{name}\"\n");
    let bare = with_manifest(&built_in("hello"), &manifest);
    let answer = "responses.200.description = \"done\"";
    for (text, named) in [
        (format!("[paths.\"/other\".get]\n{answer}"), "GET /other"),
        (format!("[paths.\"/{name}\".get]\n"), "responses"),
        (
            format!(
                "[paths.\"/{name}\".get]\nsecurity = [{{ user = [\"{name}:fly\"] }}]\n{answer}"
            ),
            "permissions",
        ),
        (
            format!(
                "[paths.\"/{name}\".get]\n{answer}\n\
                 [paths.\"/{name}\".post]\nrequestBody.content.\"a/b\".schema.\"$ref\" = \"http://169.254.169.254/\"\n{answer}"
            ),
            "$ref",
        ),
    ] {
        let reply = admin.upload(with_openapi(&bare, &text), None).await;
        let problem = reply.expect(422).json();
        assert_eq!(problem["code"], "invalid_openapi", "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(named), "{detail}");
    }
    let form = |openapi: &str| {
        reqwest::multipart::Form::new()
            .part("component", reqwest::multipart::Part::bytes(bare.clone()))
            .text("openapi", openapi.to_owned())
    };
    for (openapi, status) in [("{}", 422), ("{\"paths\": {}}", 201)] {
        let request = admin.request(reqwest::Method::POST, "/admin/v1/plugins");
        let reply = atlashub_tests::Reply::to(request.multipart(form(openapi))).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
}
