//! Host names of a project's own: who has one, from when on and until when, and
//! whose word is taken for the host that a request meant.

use atlashub_tests::{Admin, Engine, Project, Reply, TestServer, shared, unique, until_told};
use reqwest::Method;
use serde_json::json;

fn domains(project: &Project) -> String {
    format!("/admin/v1/projects/{}/domains", project.slug)
}

/// A project that answers at a name of its own.
async fn with_domain(admin: &Admin) -> (Project, String) {
    let project = admin.project_with(&["hello"]).await;
    let host = format!("{}.example.org", unique("shop"));
    let made = admin
        .post(&domains(&project), json!({"host": host}))
        .await
        .expect(201);
    assert_eq!(made.json()["host"], host.as_str());
    (project, host)
}

/// What is answered to whoever asks for `host` and names nothing else.
async fn at(project: &Project, host: &str) -> Reply {
    Reply::to(
        project
            .bare_request(Method::GET, "/hello")
            .header("host", host),
    )
    .await
}

#[tokio::test]
async fn a_project_answers_at_its_own_name_at_once() {
    let admin = shared().await.admin();
    let (project, host) = with_domain(&admin).await;
    for written in [
        host.clone(),
        host.to_uppercase(),
        format!("{host}:8443"),
        format!("{host}."),
    ] {
        assert_eq!(
            at(&project, &written).await.expect(200).json(),
            json!({"message": "hello"}),
            "{written}"
        );
    }
    let list = admin.get(&domains(&project)).await.expect(200).json();
    assert_eq!(list["items"][0]["host"], host.as_str(), "{list}");
    // Names below it, and its parents, are not part of it.
    for other in [format!("www.{host}"), "example.org".to_owned()] {
        at(&project, &other).await.expect_problem(404);
    }
}

#[tokio::test]
async fn a_name_that_another_project_holds_is_refused_and_stays_where_it_is() {
    let admin = shared().await.admin();
    let (holder, host) = with_domain(&admin).await;
    let other = admin.project().await;
    for written in [host.clone(), host.to_uppercase(), format!("{host}.")] {
        let refused = admin.post(&domains(&other), json!({"host": written})).await;
        assert_eq!(refused.expect_problem(409), "domain_taken");
    }
    assert!(
        !admin
            .get(&domains(&other))
            .await
            .expect(200)
            .text()
            .contains(&host)
    );
    let _ = at(&holder, &host).await.expect(200);
    // Who has it may ask for it again.
    let again = admin.post(&domains(&holder), json!({"host": host})).await;
    let _ = again.expect(201);
    // Nobody takes it away from another's.
    let path = format!("{}/{host}", domains(&other));
    admin.delete(&path).await.expect_problem(404);
    let _ = at(&holder, &host).await.expect(200);
    // A key of another project does not go with it.
    let mixed = other.request(Method::GET, "/hello").header("host", &host);
    let mixed = Reply::to(mixed).await;
    assert_eq!(mixed.expect_problem(400), "project_conflict");
}

#[tokio::test]
async fn a_name_that_was_taken_away_leads_nowhere_at_once() {
    let server = shared().await;
    let admin = server.admin();
    let (project, host) = with_domain(&admin).await;
    let _ = at(&project, &host).await.expect(200);
    let path = format!("{}/{host}", domains(&project));
    let _ = admin.delete(&path).await.expect(204);
    at(&project, &host).await.expect_problem(404);
    admin.delete(&path).await.expect_problem(404);
    let _ = project.get("/hello").await.expect(200);
    // It is anybody's then.
    let other = admin.project_with(&["hello"]).await;
    let taken = admin.post(&domains(&other), json!({"host": host})).await;
    let _ = taken.expect(201);
    let _ = at(&other, &host).await.expect(200);
    // And gone with its project.
    let path = format!("/admin/v1/projects/{}", other.slug);
    let _ = admin.delete(&path).await.expect_success();
    at(&other, &host).await.expect_problem(404);
}

#[tokio::test]
async fn other_nodes_learn_of_a_name_and_of_its_end() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    let first = TestServer::start().await;
    let second = first.second_node().await;
    let (project, host) = with_domain(&first.admin()).await;
    let there = project.on(&second);
    until_told("the name on the other node", &second, || async {
        (at(&there, &host).await.status == 200).then_some(())
    })
    .await;
    let path = format!("{}/{host}", domains(&project));
    let _ = first.admin().delete(&path).await.expect(204);
    until_told("the name's end on the other node", &second, || async {
        (at(&there, &host).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn names_that_are_none_or_the_platforms_own_are_refused() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    for (host, code) in [
        ("hub.test", "reserved_domain"),
        ("anything.hub.test", "reserved_domain"),
        ("ANYTHING.Hub.Test.", "reserved_domain"),
        ("", "invalid_host"),
        ("-a.example.org", "invalid_host"),
        ("a..example.org", "invalid_host"),
        ("a b.example.org", "invalid_host"),
        ("a.example.org/x", "invalid_host"),
        ("a.example.org:443", "invalid_host"),
        ("*.example.org", "invalid_host"),
        ("bücher.example.org", "invalid_host"),
    ] {
        let refused = admin.post(&domains(&project), json!({"host": host})).await;
        assert_eq!(refused.expect_problem(422), code, "{host}");
    }
}

#[tokio::test]
async fn a_forwarded_host_counts_from_a_trusted_proxy_only() {
    let server = shared().await;
    let (project, host) = with_domain(&server.admin()).await;
    let forwarded = |project: &Project, value: &str| {
        project
            .bare_request(Method::GET, "/hello")
            .header("x-forwarded-host", value)
    };
    // Anybody could say so.
    let refused = Reply::to(forwarded(&project, &host)).await;
    assert_eq!(refused.expect_problem(404), "project_not_named");

    let behind = TestServer::builder()
        .env("ATLASHUB_TRUSTED_PROXIES", "127.0.0.1/32")
        .start()
        .await;
    let admin = behind.admin();
    let (project, host) = with_domain(&admin).await;
    let (_, other) = with_domain(&admin).await;
    let _ = Reply::to(forwarded(&project, &host)).await.expect(200);
    // What was said before the proxy is not its word.
    let added = format!("{other}, {host}");
    let mixed = forwarded(&project, &added).header("x-api-key", &project.secret);
    let _ = Reply::to(mixed).await.expect(200);
    let swapped = format!("{host}, {other}");
    let mixed = forwarded(&project, &swapped).header("x-api-key", &project.secret);
    let refused = Reply::to(mixed).await;
    assert_eq!(refused.expect_problem(400), "project_conflict");
}
