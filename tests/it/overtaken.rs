//! Two admins who change the same thing: with `If-Match` nobody writes unseen
//! over what the other has done, however close together they are.

use atlashub_tests::{Admin, Reply, shared};
use reqwest::Method;
use serde_json::{Value, json};

/// Admins who race.
const RACERS: usize = 12;

/// A change, where it is still as the tag says.
async fn change(admin: &Admin, method: &Method, path: &str, body: &Value, tag: &str) -> Reply {
    let request = admin.request(method.clone(), path).json(body);
    Reply::to(request.header("if-match", tag)).await
}

fn tag_of(reply: &Reply) -> String {
    let tag = reply.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    tag.to_owned()
}

/// A thing that is changed by `method` at `path`: the first of two who have
/// read the same changes it, the second is refused and has changed nothing,
/// also among many at once; who sends no tag, or `*`, changes it as before.
async fn one_after_the_other(
    admin: &Admin,
    method: Method,
    path: &str,
    bodies: [Value; 2],
    read: impl AsyncFn() -> (String, Value),
) {
    let (first, before) = read().await;
    let done = change(admin, &method, path, &bodies[0], &first).await;
    let _ = done.expect_success();
    let (second, now) = read().await;
    assert_ne!(first, second, "{path}");
    assert_ne!(before, now, "{path}");
    let late = change(admin, &method, path, &bodies[1], &first).await;
    assert_eq!(late.expect_problem(412), "precondition_failed", "{path}");
    assert_eq!(late.json()["etag"], second, "{path}");
    assert_eq!(read().await, (second.clone(), now.clone()), "{path}");
    let weak = change(admin, &method, path, &bodies[1], &format!("W/{second}")).await;
    assert_eq!(weak.expect_problem(412), "precondition_failed", "{path}");
    let unclear = change(admin, &method, path, &bodies[1], "7").await;
    assert_eq!(unclear.expect_problem(400), "invalid_if_match", "{path}");
    assert_eq!(read().await, (second.clone(), now), "{path}");

    let together = (0..RACERS).map(|_| change(admin, &method, path, &bodies[1], &second));
    let mut through = 0;
    for reply in futures::future::join_all(together).await {
        if reply.status < 300 {
            through += 1;
        } else {
            assert_eq!(reply.expect_problem(412), "precondition_failed", "{path}");
        }
    }
    assert_eq!(through, 1, "{path}");
    let last = read().await.0;
    assert_ne!(last, second, "{path}");

    let plain = admin.request(method.clone(), path).json(&bodies[0]);
    let _ = Reply::to(plain).await.expect_success();
    let any = change(admin, &method, path, &bodies[1], "*").await;
    let _ = any.expect_success();
    let present = format!("\"of another\", {}", read().await.0);
    let of_several = change(admin, &method, path, &bodies[0], &present).await;
    let _ = of_several.expect_success();
}

/// What one thing answers, and its tag.
async fn of_answer(admin: &Admin, path: &str) -> (String, Value) {
    let reply = admin.get(path).await.expect(200);
    let (tag, mut content) = (tag_of(&reply), reply.json());
    // Counts and times that go on by themselves.
    for name in ["health", "next_at", "next_test_at"] {
        content.as_object_mut().expect("members").remove(name);
    }
    (tag, content)
}

/// What a list says of one thing, and its tag.
async fn of_list(admin: &Admin, path: &str, name: &str) -> (String, Value) {
    let list = admin.get(path).await.expect(200).json();
    let items = list["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["name"] == name);
    let item = item.unwrap_or_else(|| panic!("no `{name}` in {list}"));
    (
        item["etag"].as_str().expect("a tag").to_owned(),
        item.clone(),
    )
}

#[tokio::test]
async fn of_two_who_change_a_plugin_the_second_is_told() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["cron"]).await;
    let path = format!("/admin/v1/projects/{}/plugins/cron", project.slug);
    let read = async || of_answer(&admin, &path).await;
    let allow = |host: &str| json!({"config": {"allowed_targets": [host]}});
    let hosts = [allow("a.example"), allow("b.example")];
    one_after_the_other(&admin, Method::PUT, &path, hosts, read).await;

    // A grant that somebody has taken does not come back with the list of
    // another.
    let (tag, installed) = read().await;
    let all = installed["grants"].as_array().expect("grants").clone();
    let others = all[..all.len() - 1].to_vec();
    let _ = admin
        .put(&path, json!({"grants": others}))
        .await
        .expect(200);
    let stale = change(&admin, &Method::PUT, &path, &json!({"grants": all}), &tag).await;
    assert_eq!(stale.expect_problem(412), "precondition_failed");
    assert_eq!(read().await.1["grants"], json!(others));
    let limits = json!({"limits": installed["limits"]});
    let stale = change(&admin, &Method::PUT, &path, &limits, &tag).await;
    assert_eq!(stale.expect_problem(412), "precondition_failed");
    // The list tells the same tag.
    let listed = admin.installed(&project, "cron").await;
    assert_eq!(listed["etag"], read().await.0);

    // What shall be new does not change what is there, and the other way round.
    let new = admin.request(Method::PUT, &path).json(&json!({}));
    let new = Reply::to(new.header("if-none-match", "*")).await;
    assert_eq!(new.expect_problem(412), "precondition_failed");
    let other = format!("/admin/v1/projects/{}/plugins/hello", project.slug);
    let gone = change(&admin, &Method::PUT, &other, &json!({}), "*").await;
    assert_eq!(gone.expect_problem(412), "precondition_failed");
    admin.get(&other).await.expect_problem(404);
    let new = admin.request(Method::PUT, &other).json(&json!({}));
    let new = Reply::to(new.header("if-none-match", "*")).await;
    assert_eq!(tag_of(&new.expect(201)), of_answer(&admin, &other).await.0);
}

#[tokio::test]
async fn of_two_who_change_how_users_sign_in_the_second_is_told() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let at = format!("/admin/v1/projects/{}", project.slug);
    let path = format!("{at}/auth");
    let settings = |characters: u8, subject: &str| {
        json!({
            "password_min_characters": characters,
            "mail_templates": {"invite": {"subject": subject, "text": "{{link}}"}},
        })
    };
    let bodies = [settings(12, "Come"), settings(14, "Come in")];
    let read = async || of_answer(&admin, &path).await;
    one_after_the_other(&admin, Method::PUT, &path, bodies, read).await;

    let path = format!("{at}/auth/providers/work");
    let provider = |client: &str| {
        json!({
            "kind": "oidc", "issuer": "https://accounts.example.com", "client_id": client,
            "client_secret": "s3cr3t",
        })
    };
    let new = async || {
        let request = admin.request(Method::PUT, &path).json(&provider("zero"));
        Reply::to(request.header("if-none-match", "*")).await
    };
    let _ = new().await.expect(200);
    assert_eq!(new().await.expect_problem(412), "precondition_failed");
    let bodies = [provider("one"), provider("two")];
    let read = async || {
        let (tag, shown) = of_answer(&admin, &path).await;
        let listed = of_list(&admin, &format!("{at}/auth/providers"), "work").await;
        assert_eq!(listed.0, tag);
        (tag, shown)
    };
    one_after_the_other(&admin, Method::PUT, &path, bodies, read).await;
    // Another secret is another provider, though it is not shown.
    let (tag, _) = read().await;
    let _ = admin.put(&path, provider("one")).await.expect(200);
    let stale = change(&admin, &Method::PUT, &path, &provider("one"), &tag).await;
    assert_eq!(stale.expect_problem(412), "precondition_failed");
}

#[tokio::test]
async fn of_two_who_change_what_users_may_the_second_is_told() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["db", "files"]).await;
    let at = format!("/admin/v1/projects/{}", project.slug);
    let roles = format!("{at}/roles");
    let declared = admin.get(&format!("{at}/permissions")).await.expect(200);
    let declared = declared.json()["items"].clone();
    let one = |place: usize| json!({"permissions": [declared[place]["permission"]]});
    let role = json!({"name": "clerk", "permissions": []});
    let _ = admin.post(&roles, role).await.expect(201);
    let path = format!("{roles}/clerk");
    let read = async || of_list(&admin, &roles, "clerk").await;
    one_after_the_other(&admin, Method::PATCH, &path, [one(0), one(1)], read).await;

    let table = json!({"name": "notes", "columns": [{"name": "id", "type": "bigint", "primary_key": true}, {"name": "text", "type": "text"}]});
    let _ = admin.post(&format!("{at}/tables"), table).await.expect(201);
    let policies = format!("{at}/tables/notes/policies");
    let path = format!("{policies}/own");
    let rules =
        |using: Value| json!({"roles": ["authenticated"], "actions": ["select"], "using": using});
    let new = async || {
        let request = admin
            .request(Method::PUT, &path)
            .json(&rules(json!("id > 5")));
        Reply::to(request.header("if-none-match", "*")).await
    };
    let _ = new().await.expect(201);
    assert_eq!(new().await.expect_problem(412), "precondition_failed");
    let bodies = [rules(json!(true)), rules(json!("id > 10"))];
    let read = async || of_list(&admin, &policies, "own").await;
    one_after_the_other(&admin, Method::PUT, &path, bodies, read).await;
}

#[tokio::test]
async fn of_two_who_change_when_backups_are_made_the_second_is_told() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let path = format!("/admin/v1/projects/{}/backup-policy", project.slug);
    let bodies = [json!({"keep_last": 3}), json!({"keep_last": 4})];
    let read = async || of_answer(&admin, &path).await;
    one_after_the_other(&admin, Method::PUT, &path, bodies, read).await;
}
