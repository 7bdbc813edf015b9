//! Many at once for what is left: exactly as many get it as there is room
//! for, also on two nodes.

use atlashub_tests::{Engine, Project, Reply, TestServer, User, built_in, unique};
use reqwest::Method;
use serde_json::{Value, json};

/// Uploads that race.
const RACERS: usize = 64;
/// Bytes of each.
const SIZE: usize = 1_000;
/// How many of them fit.
const FIT: usize = 10;

/// Two nodes, where the engine serves several; otherwise one.
async fn nodes() -> Vec<TestServer> {
    let first = TestServer::start().await;
    if Engine::of_this_run().serves_many_nodes() {
        let second = first.second_node().await;
        vec![first, second]
    } else {
        vec![first]
    }
}

/// An upload of [`SIZE`] bytes that no other has.
fn racer(request: reqwest::RequestBuilder, number: usize) -> reqwest::RequestBuilder {
    let body = format!("{number:0>SIZE$}");
    request
        .header("file-path", format!("r-{number}.txt"))
        .body(body)
}

/// Sends until it is decided whether it fits: of so many who wait for one
/// account some may be told to come again.
async fn decided(request: reqwest::RequestBuilder) -> Reply {
    loop {
        let again = request.try_clone().expect("a body of text");
        let reply = Reply::to(again).await;
        if reply.status != 503 {
            return reply;
        }
        assert_eq!(reply.expect_problem(503), "sql_busy");
    }
}

/// Sends all at once; how many got in. The others were told why not.
async fn race(requests: Vec<reqwest::RequestBuilder>, limit: u64) -> usize {
    let replies = requests
        .into_iter()
        .enumerate()
        .map(|(number, request)| tokio::spawn(decided(racer(request, number))));
    let mut through = 0;
    for reply in futures::future::join_all(replies).await {
        let reply = reply.unwrap();
        if reply.status < 300 {
            through += 1;
            continue;
        }
        assert_eq!(reply.expect_problem(413), "quota_exceeded");
        let problem = reply.json();
        let number = |name: &str| problem[name].as_u64().unwrap();
        assert_eq!(number("limit_bytes"), limit, "{problem}");
        assert_eq!(number("requested_bytes"), SIZE as u64, "{problem}");
        assert!(number("used_bytes") <= limit, "{problem}");
        assert!(number("used_bytes") + SIZE as u64 > limit, "{problem}");
    }
    through
}

async fn used(server: &TestServer, project: &Project) -> Value {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    server.admin().get(&path).await.expect(200).json()["storage"].clone()
}

#[tokio::test]
async fn of_many_uploads_for_the_last_bytes_of_a_project_those_that_fit_get_in() {
    let nodes = nodes().await;
    let project = nodes[0].admin().project_with(&["files"]).await;
    let _ = project
        .upload("first", "x".repeat(SIZE))
        .await
        .expect_success();
    let limit = SIZE * (FIT + 1) + SIZE / 2;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let body = json!({"storage_bytes": limit});
    let _ = nodes[0].admin().put(&quota, body).await.expect(200);
    let requests = (0..RACERS).map(|number| {
        let there = project.on(&nodes[number % nodes.len()]);
        there.request(Method::POST, "/files/upload")
    });
    let through = race(requests.collect(), limit as u64).await;
    assert_eq!(through, FIT);
    let storage = used(&nodes[0], &project).await;
    assert_eq!(storage["used_bytes"], SIZE * (FIT + 1), "{storage}");
    assert_eq!(storage["reserved_bytes"], 0, "{storage}");
    let listed = project.get("/files?limit=100").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), FIT + 1);
    let checked = crate::fsck::fsck(&nodes[0], &project, &[]).await;
    assert_eq!(checked.codes(), Vec::<&str>::new());
}

#[tokio::test]
async fn of_many_uploads_to_one_place_that_want_it_free_one_gets_it() {
    let nodes = nodes().await;
    let project = nodes[0].admin().project_with(&["files"]).await;
    let racers = (0..RACERS).map(|number| {
        let there = project.on(&nodes[number % nodes.len()]);
        let request = there.request(Method::POST, "/files/upload");
        let request = request.header("file-path", "one.txt");
        let request = request.header("if-none-match", "*");
        tokio::spawn(decided(request.body(format!("{number:0>SIZE$}"))))
    });
    let mut through = Vec::new();
    for reply in futures::future::join_all(racers).await {
        let reply = reply.unwrap();
        match reply.status {
            201 => through.push(reply.json()),
            _ => assert_eq!(reply.expect_problem(412), "precondition_failed"),
        }
    }
    assert_eq!(through.len(), 1, "{through:?}");
    let listed = project.get("/files").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["sha256"], through[0]["sha256"]);
    assert_eq!(listed["items"][0]["version"], 1);
    let storage = used(&nodes[0], &project).await;
    assert_eq!(storage["used_bytes"], SIZE, "{storage}");
}

#[tokio::test]
async fn of_many_uploads_for_the_last_bytes_of_a_user_those_that_fit_get_in() {
    let nodes = nodes().await;
    let admin = nodes[0].admin();
    let project = admin.project_with(&["files"]).await;
    let limit = SIZE * FIT + SIZE / 2;
    let config = json!({"config": {"user_quota_bytes": limit}});
    let _ = admin.install(&project, "files", config).await.expect(200);
    let user: User = project.sign_up().await;
    let wanted = json!(limit);
    for node in &nodes {
        atlashub_tests::until(
            "the limit on every node",
            atlashub_tests::DEADLINE,
            || async {
                let quota = user.at(&project.on(node)).get("/users/me/quota").await;
                (quota.status == 200 && quota.json()["limit_bytes"] == wanted).then_some(())
            },
        )
        .await;
    }
    let requests = (0..RACERS).map(|number| {
        let there = project.on(&nodes[number % nodes.len()]);
        user.at(&there).request(Method::POST, "/files/upload")
    });
    let through = race(requests.collect(), limit as u64).await;
    assert_eq!(through, FIT);
    let quota = user.get("/users/me/quota").await.expect(200).json();
    assert_eq!(quota["used_bytes"], SIZE * FIT, "{quota}");
    assert_eq!(quota["entries"], FIT, "{quota}");
    let checked = crate::fsck::fsck(&nodes[0], &project, &[]).await;
    assert_eq!(checked.codes(), Vec::<&str>::new());
}

#[tokio::test]
async fn of_fifty_downloads_by_a_link_that_has_one_left_one_gets_it() {
    let nodes = nodes().await;
    let project = nodes[0].admin().project_with(&["files"]).await;
    let file = project
        .upload("secret.txt", "once")
        .await
        .expect_success()
        .json();
    let path = format!("/files/{}/share", file["id"].as_str().unwrap());
    let made = project
        .post(&path, json!({"max_downloads": 3}))
        .await
        .expect_success()
        .json();
    let download = format!("/share/{}/download", made["token"].as_str().unwrap());
    let get = |number: usize| {
        let there = project.on(&nodes[number % nodes.len()]);
        let request = there.bare_request(Method::GET, &download);
        tokio::spawn(Reply::to(request.header("apikey", &project.publishable)))
    };
    for _ in 0..2 {
        let _ = get(0).await.unwrap().expect(200);
    }
    let replies = futures::future::join_all((0..50).map(get)).await;
    let mut through = 0;
    for reply in replies {
        let reply = reply.unwrap();
        if reply.status == 200 {
            assert_eq!(reply.text(), "once");
            through += 1;
        } else {
            let _ = reply.expect_problem(410);
        }
    }
    assert_eq!(through, 1);
    let shares = project.get(&path).await.expect(200).json();
    assert_eq!(shares["items"][0]["downloads"], 3, "{shares}");
}

/// How a link answers many at once who bring a password.
async fn guess(project: &Project, link: &str, password: &str, count: usize) -> Vec<u16> {
    let asked = (0..count).map(|_| {
        let request = project.bare_request(Method::GET, link);
        let request = request.header("apikey", &project.publishable);
        let request = request.header("share-password", password);
        tokio::spawn(async move {
            loop {
                let reply = Reply::to(request.try_clone().expect("no body")).await;
                // Nobody has looked at it.
                if reply.status != 503 {
                    return reply;
                }
            }
        })
    });
    let replies = futures::future::join_all(asked).await;
    let statuses = replies.into_iter().map(|reply| reply.unwrap().status);
    statuses.collect()
}

#[tokio::test]
async fn many_who_know_the_password_of_a_link_get_in_and_guesses_are_counted() {
    let server = TestServer::start().await;
    let project = server.admin().project_with(&["files"]).await;
    let file = project.upload("secret.txt", "it").await.expect(201).json();
    let path = format!("/files/{}/share", file["id"].as_str().unwrap());
    let wish = json!({"password": "open sesame"});
    let made = project.post(&path, wish).await.expect_success().json();
    let link = format!("/share/{}", made["token"].as_str().unwrap());
    let right = guess(&project, &link, "open%20sesame", 30).await;
    assert_eq!(right, [200; 30]);
    let wrong = guess(&project, &link, "open%20barley", 40).await;
    let told = wrong.iter().filter(|status| **status == 401).count();
    assert_eq!(told, 10, "{wrong:?}");
    let others = wrong.iter().filter(|status| **status == 429).count();
    assert_eq!(others, 30, "{wrong:?}");
    // Now it rests for all.
    assert_eq!(guess(&project, &link, "open%20sesame", 1).await, [429]);
}

/// Changes installations of plugins that all want one route, at once; how
/// many were changed. The others were told why not.
async fn contend(nodes: &[TestServer], project: &Project, plugins: &[String]) -> usize {
    let attempts = plugins.iter().enumerate().map(|(number, plugin)| {
        let path = format!("/admin/v1/projects/{}/plugins/{plugin}", project.slug);
        let admin = nodes[number % nodes.len()].admin();
        let request = admin.request(Method::PUT, &path);
        tokio::spawn(decided(request.json(&json!({"enabled": true}))))
    });
    let mut through = 0;
    for reply in futures::future::join_all(attempts).await {
        let reply = reply.unwrap();
        if reply.status < 300 {
            through += 1;
        } else {
            assert_eq!(reply.expect_problem(409), "route_taken");
        }
    }
    through
}

#[tokio::test]
async fn of_plugins_that_want_one_route_at_once_one_gets_it() {
    let nodes = nodes().await;
    let admin = nodes[0].admin();
    let mut plugins = Vec::new();
    for _ in 0..6 {
        let name = unique("rival");
        let text =
            format!("name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/wanted\"\n");
        let _ = admin
            .upload(built_in("hello"), Some(&text))
            .await
            .expect(201);
        plugins.push(name);
    }
    // Installed at once,
    let project = admin.project().await;
    assert_eq!(contend(&nodes, &project, &plugins).await, 1);
    // and switched on at once.
    for plugin in &plugins {
        let off = json!({"enabled": false});
        let _ = admin.install(&project, plugin, off).await.expect_success();
    }
    assert_eq!(contend(&nodes, &project, &plugins).await, 1);
    let mut enabled = 0;
    for plugin in &plugins {
        let shown = admin.installed(&project, plugin).await;
        enabled += usize::from(shown["enabled"] == true);
    }
    assert_eq!(enabled, 1);
}
