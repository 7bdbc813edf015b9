//! Tags and search against a host in memory, with a stand-in for `files`
//! that keeps metadata in a list.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::{routes, subscriptions};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

#[derive(Clone, Default)]
struct Files(Rc<RefCell<Vec<Value>>>, Rc<RefCell<Vec<String>>>);

impl Files {
    /// A file of `owner`, changed last of all.
    fn put(&self, id: &str, owner: &str, name: &str, tags: &[&str]) {
        let at = self.0.borrow().len();
        self.0.borrow_mut().push(json!({
            "id": id, "owner_id": owner, "filename": name, "visibility": "private",
            "mime_type": if name.ends_with(".png") { "image/png" } else { "text/plain" },
            "tags": tags, "created_at": format!("2024-01-{:02}T12:00:00Z", at % 28 + 1),
            "updated_at": format!("2024-02-01T00:{:02}:{:02}Z", at / 60, at % 60),
        }));
    }

    fn remove(&self, id: &str) {
        self.0.borrow_mut().retain(|file| file["id"] != id);
    }

    fn change(&self, id: &str, name: &str, value: Value) {
        let mut files = self.0.borrow_mut();
        let file = files.iter_mut().find(|file| file["id"] == id).unwrap();
        file[name] = value;
        file["updated_at"] = json!("2024-03-01T00:00:00.5Z");
    }

    fn answer(&self, mut request: Request) -> Response {
        let path = request.target().to_owned();
        let caller = identity::caller();
        let sees = |file: &Value| {
            caller.kind == CallerKind::SecretKey
                || file["visibility"] == "public"
                || caller.id.is_some() && file["shared_with"].as_str() == caller.id.as_deref()
                || caller.id.is_some()
                    && file["folder_shared_with"].as_str() == caller.id.as_deref()
                || file["owner_id"].as_str() == caller.id.as_deref()
        };
        if let Some(query) = path.strip_prefix("/files?") {
            let wish = |name: &str| {
                query
                    .split('&')
                    .find_map(|part| part.strip_prefix(name))
                    .and_then(|value| value.parse::<usize>().ok())
            };
            let mut files: Vec<Value> = self
                .0
                .borrow()
                .iter()
                .filter(|file| {
                    sees(file)
                        && (caller.kind == CallerKind::SecretKey
                            || file["owner_id"].as_str() == caller.id.as_deref())
                })
                .cloned()
                .collect();
            files.sort_by_key(|file| {
                std::cmp::Reverse(file["updated_at"].as_str().unwrap().to_owned())
            });
            let start = wish("cursor=").unwrap_or(0);
            let limit = wish("limit=").unwrap();
            let next = (files.len() > start + limit).then(|| (start + limit).to_string());
            let items: Vec<Value> = files.into_iter().skip(start).take(limit).collect();
            return Json(json!({"items": items, "next_cursor": next})).into_response();
        }
        if path == "/retell" {
            self.1.borrow_mut().push(caller.id.unwrap_or_default());
            return StatusCode::ACCEPTED.into_response();
        }
        if path == "/readable" {
            let files = self.0.borrow();
            let shared = |name: &str, id: &str| -> Vec<Value> {
                let shared = files
                    .iter()
                    .filter(|file| file[name].as_str() == caller.id.as_deref());
                shared.map(|file| file[id].clone()).collect()
            };
            return Json(json!({
                "files": shared("shared_with", "id"), "folders": shared("folder_shared_with", "folder_id"),
                "next_cursor": null,
            }))
            .into_response();
        }
        if path == "/files/lookup" {
            let body = request.take_body().bytes(10_000).unwrap();
            let wishes: Value = serde_json::from_slice(&body).unwrap();
            let files = self.0.borrow();
            let items: Vec<&Value> = wishes["ids"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|id| files.iter().find(|file| file["id"] == *id && sees(file)))
                .collect();
            return Json(json!({ "items": items })).into_response();
        }
        let id = path.strip_prefix("/files/").unwrap().to_owned();
        let found = self
            .0
            .borrow()
            .iter()
            .find(|file| file["id"] == id.as_str() && sees(file))
            .cloned();
        let Some(found) = found else {
            return Error::not_found("file").into_response();
        };
        if *request.method() == Method::PATCH {
            let body: Value =
                serde_json::from_slice(&request.take_body().bytes(1000).unwrap()).unwrap();
            self.change(&id, "tags", body["tags"].clone());
            let changed = self
                .0
                .borrow()
                .iter()
                .find(|file| file["id"] == id.as_str())
                .cloned();
            return Json(changed).into_response();
        }
        Json(found).into_response()
    }
}

struct World {
    host: TestHost,
    files: Files,
}

fn world() -> World {
    let files = Files::default();
    let answering = files.clone();
    let host = TestHost::new("search")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_permissions(["files:read", "files:write"])
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_service("files.internal", move |request| answering.answer(request));
    World { host, files }
}

impl World {
    fn call(&self, request: Request) -> (u16, Value) {
        let response = self.host.call(&routes(), request);
        let status = response.status().as_u16();
        let body = response.into_text().unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    fn get(&self, target: &str) -> Value {
        let (status, body) = self.call(Request::get(target));
        assert_eq!(status, 200, "{target}: {body}");
        body
    }

    /// The ids that a search finds, in order.
    fn found(&self, query: &str) -> Vec<String> {
        let body = self.get(&format!("/files/search?{query}"));
        let items = body["items"].as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn content(&self, id: &str, text: &str) -> u16 {
        let owner = Caller {
            via_plugin: Some("documents".into()),
            ..Caller::new(CallerKind::User, "u1")
        };
        self.host.set_caller(owner);
        let body = json!({ "text": text }).to_string();
        let request = Request::new(Method::PUT, format!("/index/{id}/content"))
            .with_header("content-type", "application/json")
            .with_body(body);
        let status = self.call(request).0;
        self.host.set_caller(Caller::new(CallerKind::User, "u1"));
        status
    }
}

/// Hands an event of `files` to the plugin, as the host does.
fn tell(world: &World, name: &str, payload: &Value) {
    let mut follower = Caller::new(CallerKind::SecretKey, "files");
    follower.via_plugin = Some("search".into());
    world.host.set_caller(follower);
    let event = Event::new(name, payload).unwrap();
    world.host.deliver(&subscriptions(), event).unwrap();
    world.host.set_caller(Caller::new(CallerKind::User, "u1"));
}

fn tag(id: &str, tags: &[&str]) -> Request {
    Request::post(
        format!("/files/{id}/tags"),
        json!({ "tags": tags }).to_string(),
    )
    .with_header("content-type", "application/json")
}

#[test]
fn files_are_found_by_words_of_their_names() {
    let world = world();
    world.files.put("a", "u1", "Budget_2024-final.txt", &[]);
    world.files.put("b", "u1", "Übersicht.png", &[]);
    assert_eq!(world.found("q=budget"), ["a"]);
    assert_eq!(world.found("q=final%20BUD"), ["a"]);
    assert_eq!(world.found("q=ubersicht"), ["b"]);
    assert_eq!(world.found("q="), ["b", "a"]);
    assert_eq!(world.found("q=%22%20%2A%20%28"), [""; 0]);
}

#[test]
fn a_word_that_is_nowhere_is_taken_for_one_near_it() {
    let world = world();
    world.files.put("a", "u1", "Quarterly report.txt", &[]);
    let body = world.get("/files/search?q=quaterly+reprot");
    assert_eq!(body["items"][0]["id"], "a", "{body}");
    assert_eq!(
        body["corrections"],
        json!({"quaterly": ["quarterly"], "reprot": ["report"]})
    );
    assert_eq!(world.get("/files/search?q=quart")["corrections"], json!({}));
    assert_eq!(world.found("q=zebra"), [""; 0]);
}

#[test]
fn nobody_finds_what_they_may_not_see() {
    let world = world();
    world.files.put("mine", "u1", "plan.txt", &["x"]);
    world.files.put("theirs", "u2", "plan.txt", &["x"]);
    world.files.put("open", "u2", "plan.txt", &[]);
    world.files.change("open", "visibility", json!("public"));
    world
        .host
        .set_caller(Caller::new(CallerKind::SecretKey, "k"));
    assert_eq!(world.found("q=plan").len(), 3);
    world.host.set_caller(Caller::new(CallerKind::User, "u1"));
    assert_eq!(world.found("q=plan").len(), 2);
    assert_eq!(world.get("/tags")["items"][0]["count"], 1);
    // The index still has it as public.
    world.files.change("open", "visibility", json!("private"));
    assert_eq!(world.found("q=plan"), ["mine"]);
    world.host.set_caller(Caller::default());
    assert_eq!(world.call(Request::get("/files/search?q=plan")).0, 401);
    world
        .host
        .set_caller(Caller::new(CallerKind::PublishableKey, "k"));
    assert_eq!(world.call(Request::get("/tags")).0, 403);
}

#[test]
fn what_is_shared_is_found_as_long_as_it_is_shared() {
    let world = world();
    world.files.put("theirs", "u2", "plan.txt", &["x"]);
    assert_eq!(world.found("q=plan"), [""; 0]);
    world.files.change("theirs", "shared_with", json!("u1"));
    assert_eq!(world.found("q=plan"), ["theirs"]);
    assert_eq!(world.found("q=plan&owner=u2"), ["theirs"]);
    // The same, by the folder in which it lies.
    world.files.change("theirs", "shared_with", Value::Null);
    assert_eq!(world.found("q=plan"), [""; 0]);
    world.files.change("theirs", "folder_id", json!("folder"));
    tell(&world, "files.changed", &json!({"id": "theirs"}));
    assert_eq!(world.found("q=plan"), [""; 0]);
    world
        .files
        .change("theirs", "folder_shared_with", json!("u1"));
    assert_eq!(world.found("q=plan"), ["theirs"]);
    assert_eq!(world.get("/tags")["items"][0]["count"], 1);
    world
        .files
        .change("theirs", "folder_shared_with", Value::Null);
    assert_eq!(world.get("/tags")["items"], json!([]));
    assert_eq!(
        world.get("/files/search?q=plan")["facets"]["types"],
        json!([])
    );
}

#[test]
fn the_index_follows_what_changes_and_what_goes() {
    let world = world();
    for at in 0..250 {
        world
            .files
            .put(&format!("f{at}"), "u1", &format!("number{at}.txt"), &[]);
    }
    let first = world.get("/files/search?q=number0");
    assert_eq!(
        (&first["complete"], &first["items"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(world.get("/files/search?q=number0")["complete"], true);
    assert_eq!(world.found("q=number0"), ["f0"]);
    world.files.change("f0", "filename", json!("renamed.txt"));
    assert_eq!(world.found("q=renamed"), ["f0"]);
    assert_eq!(world.found("q=number0"), [""; 0]);
    world.files.remove("f0");
    assert_eq!(world.found("q=renamed"), [""; 0]);
}

#[test]
fn more_than_are_ranked_are_told_of() {
    let world = world();
    for at in 0..499 {
        let id = format!("f{at}");
        world.files.put(&id, "u1", &format!("plan {at}.txt"), &[]);
    }
    while world.get("/files/search?q=plan")["complete"] == false {}
    assert_eq!(world.get("/files/search?q=plan")["truncated"], false);
    world.files.put("one-more", "u1", "plan.txt", &[]);
    assert_eq!(world.get("/files/search?q=plan")["truncated"], true);
    assert_eq!(world.get("/files/search?q=7")["truncated"], false);
    assert_eq!(world.get("/files/search")["truncated"], false);
    assert_eq!(world.get("/files/search?q=.")["truncated"], false);
}

#[test]
fn the_index_can_be_thrown_away() {
    let world = world();
    world.files.put("a", "u1", "plan.txt", &["x"]);
    assert_eq!(world.found("q=plan"), ["a"]);
    assert_eq!(
        world.call(Request::post("/files/search/rebuild", "")).0,
        403
    );
    world.host.set_permissions(["files:read", "search:rebuild"]);
    assert_eq!(
        world.call(Request::post("/files/search/rebuild", "")).0,
        200
    );
    world
        .host
        .set_caller(Caller::new(CallerKind::SecretKey, "k"));
    let (status, body) = world.call(Request::post("/files/search/rebuild", ""));
    assert_eq!((status, body), (200, json!({"done": true})));
    assert_eq!(world.found("q=plan&tags=x"), ["a"]);
}

#[test]
fn content_is_found_and_shown_around_the_words() {
    let world = world();
    world.files.put("a", "u1", "a.txt", &[]);
    world.files.put("b", "u1", "b.txt", &[]);
    assert_eq!(
        world.content("a", "The <harvest> of millet was plentiful."),
        204
    );
    let body = world.get("/files/search?q=harvest");
    assert_eq!(body["items"][0]["id"], "a");
    assert_eq!(
        body["items"][0]["highlights"]["content"],
        "The &lt;<mark>harvest</mark>&gt; of millet was plentiful."
    );
    // A new name leaves the text where it is.
    world.files.change("a", "filename", json!("c.txt"));
    assert_eq!(world.found("q=millet%20c"), ["a"]);
    assert_eq!(world.content("unknown", "x"), 404);
    let direct = Request::new(Method::PUT, "/index/a/content").with_json(&json!({"text": "x"}));
    assert_eq!(world.call(direct.unwrap()).0, 404);
}

#[test]
fn names_and_tags_outweigh_content() {
    let world = world();
    world.files.put("content", "u1", "c.txt", &[]);
    world.files.put("name", "u1", "millet.txt", &[]);
    world.files.put("tag", "u1", "t.txt", &["millet"]);
    for at in 0..20 {
        world
            .files
            .put(&format!("f{at}"), "u1", &format!("other{at}.txt"), &[]);
    }
    let _ = world.found("q=x");
    assert_eq!(world.content("content", "millet and other things"), 204);
    assert_eq!(world.found("q=millet"), ["name", "tag", "content"]);
}

#[test]
fn finds_are_filtered_and_counted() {
    let world = world();
    world.files.put("a", "u1", "plan.txt", &["red", "blue"]);
    world.files.put("b", "u1", "plan.png", &["red"]);
    world.files.put("c", "u1", "plan.png", &[]);
    assert_eq!(world.found("q=plan&tags=red,Blue"), ["a"]);
    assert_eq!(world.found("tags=red"), ["b", "a"]);
    assert_eq!(world.found("q=plan&type=image/"), ["c", "b"]);
    assert_eq!(world.found("from=2024-01-02&to=2024-01-02"), ["b"]);
    assert_eq!(world.found("to=2024-01-02T00:00:00Z"), ["a"]);
    assert_eq!(world.found("owner=u2"), [""; 0]);
    let facets = &world.get("/files/search?q=plan")["facets"];
    assert_eq!(
        facets["tags"],
        json!([{"value": "red", "count": 2}, {"value": "blue", "count": 1}])
    );
    assert_eq!(
        facets["types"][0],
        json!({"value": "image/png", "count": 2})
    );
    assert_eq!(world.call(Request::get("/files/search?from=soon")).0, 400);
}

#[test]
fn finds_come_in_pages() {
    let world = world();
    for at in 0..5 {
        world.files.put(&format!("f{at}"), "u1", "plan.txt", &[]);
    }
    let first = world.get("/files/search?q=plan&limit=3");
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let second = world.get(&format!("/files/search?q=plan&limit=3&cursor={cursor}"));
    assert_eq!(second["items"].as_array().unwrap().len(), 2);
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(world.call(Request::get("/files/search?cursor=x")).0, 400);
}

#[test]
fn tags_are_lower_case_and_stand_once() {
    let world = world();
    world.files.put("a", "u1", "a.txt", &["old"]);
    let (status, body) = world.call(tag("a", &["New", " new ", "OLD", ""]));
    assert_eq!(status, 200, "{body}");
    let names: Vec<&str> = body["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["new", "old"]);
    assert_eq!(world.files.0.borrow()[0]["tags"], json!(["old", "new"]));
    let id = body["tags"][0]["id"].as_str().unwrap().to_owned();
    let remove = || {
        world
            .call(Request::new(Method::DELETE, format!("/files/a/tags/{id}")))
            .0
    };
    assert_eq!((remove(), remove()), (204, 404));
    assert_eq!(world.files.0.borrow()[0]["tags"], json!(["old"]));
    assert_eq!(world.call(tag("unknown", &["x"])).0, 404);
    world.host.set_permissions(["files:read"]);
    assert_eq!(world.call(tag("a", &["x"])).0, 403);
}

#[test]
fn tags_are_counted_renamed_and_merged() {
    let world = world();
    world.files.put("a", "u1", "a.txt", &["bil"]);
    world.files.put("b", "u1", "b.txt", &["bil", "bill"]);
    world.files.put("c", "u2", "c.txt", &["bil"]);
    let tags = world.get("/tags?q=bi");
    assert_eq!(
        (&tags["items"][0]["name"], &tags["items"][0]["count"]),
        (&json!("bil"), &json!(2))
    );
    let id = tags["items"][0]["id"].as_str().unwrap().to_owned();
    let request = Request::new(Method::PATCH, format!("/tags/{id}"));
    let request = request.with_json(&json!({"name": "Bill"})).unwrap();
    let (status, body) = world.call(request);
    assert_eq!(
        (status, &body["renamed"], &body["done"]),
        (200, &json!(2), &json!(true)),
        "{body}"
    );
    let tags = world.get("/tags");
    assert_eq!(tags["items"].as_array().unwrap().len(), 1, "{tags}");
    assert_eq!(
        (&tags["items"][0]["name"], &tags["items"][0]["count"]),
        (&json!("bill"), &json!(2))
    );
    assert_eq!(world.files.0.borrow()[2]["tags"], json!(["bil"]));
}

#[test]
fn without_files_it_says_so() {
    let host = TestHost::new("search")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_permissions(["files:read"])
        .with_caller(Caller::new(CallerKind::User, "u1"));
    let response = host.call(&routes(), Request::get("/files/search?q=x"));
    assert_eq!(response.status().as_u16(), 503);
}

#[test]
fn an_event_of_files_brings_a_file_into_the_index_and_out_of_it() {
    let world = world();
    let tell = |name: &str, id: &str| tell(&world, name, &json!({ "id": id }));
    let indexed =
        || -> i64 { sql::query_one("SELECT count(*) FROM search.entries", params![]).unwrap() };
    world.files.put("a", "u1", "Budget.txt", &[]);
    tell("files.uploaded", "a");
    tell("files.uploaded", "a");
    assert_eq!(indexed(), 1);
    assert_eq!(world.found("q=budget"), ["a"]);
    world.files.change("a", "filename", json!("Plan.txt"));
    tell("files.changed", "a");
    let name: String = sql::query_one("SELECT filename FROM search.entries", params![]).unwrap();
    assert_eq!(name, "Plan.txt");
    tell("files.trashed", "a");
    assert_eq!(indexed(), 0);
    tell("files.restored", "a");
    world
        .files
        .change("a", "deleted_at", json!("2024-03-02T00:00:00Z"));
    // It comes late: the file is in the trash again.
    tell("files.changed", "a");
    assert_eq!(indexed(), 0);
    world.files.remove("a");
    tell("files.replaced", "a");
    assert_eq!(indexed(), 0);
}

#[test]
fn a_word_of_files_that_one_may_not_see_is_as_if_it_were_nowhere() {
    let world = world();
    world
        .files
        .put("theirs", "u2", "Severance Zanzibar.txt", &[]);
    world.files.put("mine", "u1", "Reverence.txt", &[]);
    for id in ["theirs", "mine"] {
        tell(&world, "files.uploaded", &json!({ "id": id }));
    }
    let corrections =
        |query: &str| world.get(&format!("/files/search?q={query}"))["corrections"].clone();
    assert_eq!(corrections("zanzibaar"), json!({}));
    assert_eq!(
        corrections("severence"),
        json!({"severence": ["reverence"]})
    );
    // It stands in another's file as it is written, and decides nothing.
    world.files.put("other", "u2", "Reverance.txt", &[]);
    tell(&world, "files.uploaded", &json!({"id": "other"}));
    assert_eq!(
        corrections("reverance"),
        json!({"reverance": ["reverence"]})
    );
    assert_eq!(world.found("q=reverance"), ["mine"]);
    world.files.change("theirs", "folder_id", json!("folder"));
    world
        .files
        .change("theirs", "folder_shared_with", json!("u1"));
    tell(&world, "files.changed", &json!({"id": "theirs"}));
    assert_eq!(corrections("zanzibaar"), json!({"zanzibaar": ["zanzibar"]}));
    // Gone, with its words.
    world.files.remove("theirs");
    tell(&world, "files.deleted", &json!({"id": "theirs"}));
    assert_eq!(corrections("zanzibaar"), json!({}));
}

#[test]
fn an_index_that_begins_anew_gets_the_files_of_everybody() {
    let world = world();
    let ids: Vec<String> = (0..1_100).map(|at| format!("f{at}")).collect();
    for (at, id) in ids.iter().enumerate() {
        let owner = if at % 2 == 0 { "u1" } else { "u2" };
        world.files.put(id, owner, &format!("number{at}.txt"), &[]);
    }
    let fill = || {
        for ids in ids.chunks(20) {
            tell(&world, "files.retold", &json!({ "ids": ids }));
        }
    };
    let indexed =
        || -> i64 { sql::query_one("SELECT count(*) FROM search.entries", params![]).unwrap() };
    // Whoever comes first has all told of again, once.
    let _ = world.found("q=x");
    let _ = world.found("q=x");
    assert_eq!(*world.files.1.borrow(), ["u1"]);
    fill();
    assert_eq!(indexed(), 1_100);
    world.host.set_permissions(["files:read", "search:rebuild"]);
    let rebuild = Request::post("/files/search/rebuild", "");
    assert_eq!(world.call(rebuild).0, 200);
    assert_eq!(world.files.1.borrow().len(), 2);
    // Files that are gone meanwhile do not come back.
    world.files.remove("f0");
    fill();
    assert_eq!(indexed(), 1_099);
    world.host.set_caller(Caller::new(CallerKind::User, "u2"));
    assert_eq!(world.found("q=number1099"), ["f1099"]);
}

#[test]
fn a_text_goes_when_nothing_is_written_any_more() {
    let world = world();
    world.files.put("a", "u1", "a.txt", &[]);
    assert_eq!(world.content("a", "millet"), 204);
    assert_eq!(world.found("q=millet"), ["a"]);
    assert_eq!(world.content("a", ""), 204);
    assert_eq!(world.found("q=millet"), [""; 0]);
}

#[test]
fn what_goes_to_the_trash_with_its_folder_counts_no_more_until_it_is_back() {
    let world = world();
    world.files.put("a", "u1", "plan.txt", &["x"]);
    assert_eq!(world.found("q=plan"), ["a"]);
    let file = world.files.0.borrow()[0].clone();
    world.files.remove("a");
    tell(&world, "files.retold", &json!({"ids": ["a"]}));
    assert_eq!(world.get("/tags")["items"], json!([]));
    world
        .host
        .set_caller(Caller::new(CallerKind::SecretKey, "k"));
    assert_eq!(world.found("q=plan"), [""; 0]);
    // Nothing of it has changed.
    world.files.0.borrow_mut().push(file);
    tell(&world, "files.retold", &json!({"ids": ["a"]}));
    assert_eq!(world.found("q=plan"), ["a"]);
    assert_eq!(world.get("/tags")["items"][0]["count"], 1);
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
