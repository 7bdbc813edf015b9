//! Events between plugins: delivered, in order, again after a failure, given
//! up in the end, and never to somebody else.

use atlashub_tests::{Admin, DEADLINE, Engine, Project, TestServer, fixture, shared, until};
use serde_json::{Value, json};

/// A project with both fixtures.
async fn announced(admin: &Admin) -> Project {
    for name in ["announcer", "listener"] {
        let _ = admin.upload(fixture(name), None).await.expect_success();
    }
    admin.project_with(&["announcer", "listener"]).await
}

async fn publish(project: &Project, body: Value) -> Vec<String> {
    let answer = project.post("/announcer/publish", body).await;
    let ids = answer.expect(200).json();
    let text = |id: &Value| id.as_str().unwrap().to_owned();
    ids["ids"].as_array().unwrap().iter().map(text).collect()
}

async fn made(project: &Project, payload: Value) -> String {
    publish(project, json!({"name": "made", "payload": payload}))
        .await
        .remove(0)
}

/// What the listener has tried, in order.
async fn attempts(project: &Project) -> Vec<Value> {
    let taken = project.get("/listener/taken").await.expect(200).json();
    taken["items"].as_array().unwrap().clone()
}

async fn until_ended(project: &Project, count: usize) -> Vec<Value> {
    until("the end of the events", DEADLINE, || async {
        let all = attempts(project).await;
        let ended = all.iter().filter(|attempt| attempt["ended"] == 1).count();
        (ended >= count).then_some(all)
    })
    .await
}

fn queue(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/queue{rest}", project.slug)
}

/// The project's items, once one of them is in `state`.
async fn until_state(admin: &Admin, project: &Project, state: &str) -> Value {
    let path = queue(project, &format!("?state={state}"));
    until(&format!("an item that is {state}"), DEADLINE, || async {
        let items = admin.get(&path).await.expect(200).json();
        items["items"].get(0).cloned()
    })
    .await
}

#[tokio::test]
async fn an_event_reaches_its_subscriber_once_and_as_it_was_published() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    let payload = json!({"file": "ä\n\"\u{1f600}\"", "size": 3});
    let body = json!({"name": "made", "payload": payload, "key": "file 1"});
    let id = publish(&project, body).await.remove(0);
    let all = until_ended(&project, 1).await;
    assert_eq!(all.len(), 1, "{all:?}");
    let own: Value = serde_json::from_str(all[0]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(own, payload);
    assert_eq!(all[0]["event"], json!(id));
    assert_eq!(all[0]["name"], "announcer.made");
    assert_eq!(all[0]["caller"], "Plugin announcer");
    let done = until_state(&admin, &project, "done").await;
    assert_eq!(
        (&done["consumer"], &done["source"], &done["attempt"]),
        (&json!("listener"), &json!("announcer"), &json!(1)),
        "{done}"
    );
    assert_eq!(
        (&done["subject"], &done["error"]),
        (&json!(id), &Value::Null)
    );
}

#[tokio::test]
async fn what_nobody_listens_to_is_not_kept() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    let elsewhere = announced(&admin).await;
    publish(&project, json!({"name": "unmade", "payload": {}})).await;
    made(&project, json!({})).await;
    until_ended(&project, 1).await;
    let items = admin.get(&queue(&project, "")).await.expect(200).json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1, "{items}");
    // Nothing crosses projects.
    let theirs = admin.get(&queue(&elsewhere, "")).await.expect(200).json();
    assert_eq!(theirs["items"], json!([]));
    assert!(attempts(&elsewhere).await.is_empty());
    let foreign = items["items"][0]["id"].as_str().unwrap();
    for rest in ["", "/retry", "/cancel"] {
        let path = queue(&elsewhere, &format!("/{foreign}{rest}"));
        let answer = match rest {
            "" => admin.get(&path).await,
            _ => admin.post(&path, json!({})).await,
        };
        assert_eq!(answer.expect_problem(404), "not_found", "{rest}");
    }
}

#[tokio::test]
async fn events_of_a_key_come_in_order_and_those_of_others_beside() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    // The first fails once; those behind it wait.
    for key in ["a", "b"] {
        let first = json!({"key": key, "number": -1, "fail_until": u32::from(key == "a")});
        let body = json!({"name": "made", "payload": first, "key": key});
        publish(&project, body).await;
        let payload = json!({"key": key});
        let body = json!({"name": "made", "payload": payload, "key": key, "times": 20});
        publish(&project, body).await;
    }
    let all = until_ended(&project, 42).await;
    assert_eq!(all.len(), 43, "{all:?}");
    let numbers = |key: &str| -> Vec<i64> {
        let payloads = all
            .iter()
            .map(|attempt| serde_json::from_str(attempt["payload"].as_str().unwrap()).unwrap());
        payloads
            .filter(|payload: &Value| payload["key"] == key)
            .map(|payload| payload["number"].as_i64().unwrap())
            .collect()
    };
    let expected: Vec<i64> = (-1..20).collect();
    assert_eq!(numbers("b"), expected);
    assert_eq!(numbers("a"), [vec![-1], expected].concat());
}

#[tokio::test]
async fn a_trap_is_tried_again_later() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    let id = made(&project, json!({"trap_until": 1})).await;
    let all = until_ended(&project, 1).await;
    let tried: Vec<_> = all
        .iter()
        .map(|attempt| (attempt["attempt"].as_i64(), attempt["ended"].as_i64()))
        .collect();
    assert_eq!(tried, [(Some(1), Some(0)), (Some(2), Some(1))]);
    assert!(all.iter().all(|attempt| attempt["event"] == json!(id)));
    let elsewhere = announced(&admin).await;
    made(&elsewhere, json!({"trap_until": 3})).await;
    let dead = until_state(&admin, &elsewhere, "dead").await;
    assert_eq!(dead["error"]["code"], "plugin_trapped", "{dead}");
    // It was due some time after it was published, for the last attempt.
    assert!(
        dead["due_at"].as_str() > dead["created_at"].as_str(),
        "{dead}"
    );
}

#[tokio::test]
async fn what_keeps_failing_is_given_up_and_an_admin_can_have_it_tried_again() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    // It says that there is no use in trying again.
    made(&project, json!({"refuse": true})).await;
    let refused = until_state(&admin, &project, "dead").await;
    assert_eq!(
        (&refused["attempt"], &refused["error"]["code"]),
        (&json!(1), &json!("no_use")),
        "{refused}"
    );
    // An admin reads so in the log of the plugin that it was for.
    let logs = format!("/admin/v1/projects/{}/plugins/listener/logs", project.slug);
    let line = until("a line about it", DEADLINE, || async {
        let page = admin.get(&logs).await.expect(200).json();
        let lines = page["items"].as_array().unwrap().clone();
        lines.into_iter().find(|line| line["source"] == "host")
    })
    .await;
    assert_eq!(line["level"], "error", "{line}");
    let message = line["message"].as_str().unwrap();
    assert!(
        message.contains("announcer.made") && message.contains("no_use"),
        "{message}"
    );
    let project = announced(&admin).await;
    // After three attempts the host gives up; the next three would succeed at
    // the fourth of all, the first of theirs fails again.
    made(&project, json!({"fail_until": 3, "mark": 7})).await;
    let dead = until_state(&admin, &project, "dead").await;
    assert_eq!(dead["attempt"], 3, "{dead}");
    assert_eq!(dead["error"]["code"], "internal");
    let id = dead["id"].as_str().unwrap();
    let one = admin
        .get(&queue(&project, &format!("/{id}")))
        .await
        .expect(200)
        .json();
    assert_eq!(one["payload"]["mark"], 7, "{one}");
    let counts = admin
        .get(&queue(&project, "/counts"))
        .await
        .expect(200)
        .json();
    assert_eq!((&counts["dead"], &counts["done"]), (&json!(1), &json!(0)));
    assert_eq!(attempts(&project).await.len(), 3);
    let path = queue(&project, &format!("/{id}/retry"));
    let retried = admin.post(&path, json!({})).await.expect(200).json();
    assert_eq!(
        (&retried["state"], &retried["attempt"]),
        (&json!("ready"), &json!(0))
    );
    let audit = format!("/admin/v1/audit?project={}&action=queue.retry", project.id);
    let noted = admin.get(&audit).await.expect(200).json();
    assert_eq!(noted["items"][0]["target"], json!(id), "{noted}");
}

#[tokio::test]
async fn a_disabled_subscriber_gets_nothing_new_and_what_waits_when_it_is_back() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    // It is under way when the plugin is switched off, and fails then.
    made(&project, json!({"wait_ms": 8_000, "fail_until": 1})).await;
    until_state(&admin, &project, "running").await;
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "listener", off).await.expect(200);
    until_state(&admin, &project, "held").await;
    made(&project, json!({"while": "off"})).await;
    let items = admin.get(&queue(&project, "")).await.expect(200).json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1, "{items}");
    let on = json!({"enabled": true});
    let _ = admin.install(&project, "listener", on).await.expect(200);
    let all = until_ended(&project, 1).await;
    let tried: Vec<_> = all
        .iter()
        .map(|attempt| attempt["attempt"].as_i64())
        .collect();
    assert_eq!(tried, [Some(1), Some(2)]);
    // Without the grant it is not told.
    let bare = json!({"grants": ["sql"]});
    let _ = admin.install(&project, "listener", bare).await.expect(200);
    made(&project, json!({})).await;
    let items = admin.get(&queue(&project, "")).await.expect(200).json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1, "{items}");
}

#[tokio::test]
async fn a_plugin_that_is_removed_leaves_no_work_behind() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    let payload = json!({"wait_ms": 20_000});
    let body = json!({"name": "made", "payload": payload, "key": "a", "times": 3});
    publish(&project, body).await;
    until_state(&admin, &project, "running").await;
    let plugin = format!("/admin/v1/projects/{}/plugins/listener", project.slug);
    let _ = admin.delete(&plugin).await.expect_success();
    let items = admin.get(&queue(&project, "")).await.expect(200).json();
    assert_eq!(items["items"], json!([]));
}

#[tokio::test]
async fn events_are_bounded() {
    let admin = shared().await.admin();
    let project = announced(&admin).await;
    let answer = project.post("/announcer/raw?bytes=65537", json!({})).await;
    assert_eq!(answer.expect_problem(413), "event_too_large");
    let _ = project
        .post("/announcer/raw?bytes=65536", json!({}))
        .await
        .expect(200);
    for (body, code) in [
        (json!({"name": "other", "payload": 1}), "event_not_declared"),
        (
            json!({"name": "made", "payload": 1, "key": ""}),
            "invalid_event",
        ),
        (
            json!({"name": "made", "payload": 1, "key": "a\nb"}),
            "invalid_event",
        ),
    ] {
        let answer = project.post("/announcer/publish", body.clone()).await;
        assert_eq!(answer.expect_problem(422), code, "{body}");
    }
    // A chain of events that lead to one another ends.
    let _ = project.post("/listener/echo", json!({})).await.expect(202);
    let dead = until("the end of the chain", DEADLINE, || async {
        let path = queue(&project, "?state=dead&name=listener.heard");
        let items = admin.get(&path).await.expect(200).json();
        items["items"].get(0).cloned()
    })
    .await;
    assert_eq!(dead["error"]["code"], "event_loop", "{dead}");
}

#[tokio::test]
async fn a_full_queue_refuses_more_until_some_are_done() {
    let server = TestServer::builder()
        .env("ATLASHUB_QUEUE_BACKLOG_ITEMS", "5")
        .start()
        .await;
    let admin = server.admin();
    let project = announced(&admin).await;
    // Those behind the first of the key cannot be done.
    let payload = json!({"wait_ms": 8_000});
    let body = json!({"name": "made", "payload": payload, "key": "a", "times": 5});
    publish(&project, body).await;
    let body = json!({"name": "made", "payload": {}});
    let full = project.post("/announcer/publish", body.clone()).await;
    assert_eq!(full.expect_problem(503), "queue_full");
    until("room in the queue", DEADLINE, || async {
        let answer = project.post("/announcer/publish", body.clone()).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_is_killed_with_its_server_is_called_again() {
    let mut server = TestServer::builder()
        .env("ATLASHUB_QUEUE_LEASE_SECONDS", "4")
        .start()
        .await;
    let admin = server.admin();
    let project = announced(&admin).await;
    let id = made(&project, json!({"wait_ms": 20_000})).await;
    until("the first attempt", DEADLINE, || async {
        (attempts(&project).await.len() == 1).then_some(())
    })
    .await;
    server.kill();
    server.start_again().await;
    let all = until_ended(&project, 1).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(
        (&all[1]["event"], &all[1]["attempt"]),
        (&json!(id), &json!(2))
    );
    until_state(&admin, &project, "done").await;
}

#[tokio::test]
async fn a_server_that_ends_in_order_hands_its_work_back() {
    let mut server = TestServer::builder()
        .env("ATLASHUB_QUEUE_LEASE_SECONDS", "600")
        .start()
        .await;
    let admin = server.admin();
    let project = announced(&admin).await;
    made(&project, json!({"wait_ms": 20_000})).await;
    until("the first attempt", DEADLINE, || async {
        (attempts(&project).await.len() == 1).then_some(())
    })
    .await;
    server.stop().await;
    server.start_again().await;
    // As if it had not been tried, and long before the lease would run out.
    let running = until_state(&admin, &project, "running").await;
    assert_eq!(running["attempt"], 1, "{running}");
}

#[tokio::test]
async fn a_cancelled_item_stops_its_handler() {
    let server = TestServer::builder()
        .env("ATLASHUB_QUEUE_LEASE_SECONDS", "8")
        .start()
        .await;
    let admin = server.admin();
    let project = announced(&admin).await;
    made(&project, json!({"wait_ms": 25_000})).await;
    let running = until_state(&admin, &project, "running").await;
    let path = queue(
        &project,
        &format!("/{}/cancel", running["id"].as_str().unwrap()),
    );
    let cancelled = admin.post(&path, json!({})).await.expect(200).json();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(
        admin.post(&path, json!({})).await.expect_problem(409),
        "queue_item_ended"
    );
    let plugin = format!(
        "/admin/v1/projects/{}/plugins/listener/metrics",
        project.slug
    );
    until("the end of the handler", DEADLINE, || async {
        let metrics = admin.get(&plugin).await.expect(200).json();
        (metrics["running"] == 0).then_some(())
    })
    .await;
    let listed = server
        .command(&["queue", "list", &project.slug, "--state", "cancelled"])
        .await;
    assert!(listed.contains(running["id"].as_str().unwrap()), "{listed}");
    let id = running["id"].as_str().unwrap();
    let retried = server.command(&["queue", "retry", &project.slug, id]).await;
    assert!(retried.contains("ready"), "{retried}");
}

#[tokio::test]
async fn on_two_nodes_each_event_is_handled_once() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    let first = TestServer::start().await;
    let second = first.second_node().await;
    let admin = first.admin();
    let project = announced(&admin).await;
    let there = project.on(&second);
    until("the project on both nodes", DEADLINE, || async {
        let answers = [&project, &there].map(|node| node.get("/announcer"));
        let [one, other] = futures::future::join_all(answers).await.try_into().ok()?;
        (one.status == 200 && other.status == 200).then_some(())
    })
    .await;
    let wishes = [&project, &there].map(|node| async move {
        let body = json!({"name": "made", "payload": {}, "times": 60});
        publish(node, body).await
    });
    let published: Vec<String> = futures::future::join_all(wishes).await.concat();
    let all = until_ended(&project, 120).await;
    let mut handled: Vec<&str> = all
        .iter()
        .map(|one| one["event"].as_str().unwrap())
        .collect();
    handled.sort_unstable();
    let mut expected: Vec<&str> = published.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(handled, expected);
}
