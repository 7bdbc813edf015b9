//! Sessions of end users: refreshed once, ended everywhere, second factors.

use atlashub_tests::{
    Engine, PASSWORD, Project, Reply, TestServer, User, shared, totp_code, until_told,
};
use serde_json::{Value, json};

async fn user() -> (Project, User) {
    let project = shared().await.admin().project().await;
    let user = project.sign_up().await;
    (project, user)
}

async fn refresh(project: &Project, token: &str) -> Reply {
    project
        .auth("/refresh", json!({"refresh_token": token}))
        .await
}

/// Expects that the session has ended: there is nothing to wait for on the node
/// that ended it.
async fn refused(user: &User) {
    user.get("/v1/auth/me").await.expect_problem(401);
}

#[tokio::test]
async fn a_refresh_token_gets_the_next_pair_and_its_reuse_ends_the_session() {
    let (project, user) = user().await;
    let second = refresh(&project, &user.refresh).await.expect(200).json();
    assert_eq!(second["token_type"], "bearer");
    let second = user.with_tokens(&second);
    assert_ne!(second.refresh, user.refresh);
    let third = refresh(&project, &second.refresh).await.expect(200).json();
    let third = user.with_tokens(&third);
    let _ = third.get("/v1/auth/me").await.expect(200);
    // The first is not the immediate parent of the current one.
    let code = refresh(&project, &user.refresh).await.expect_problem(401);
    assert_eq!(code, "invalid_refresh_token");
    refresh(&project, &third.refresh).await.expect_problem(401);
    refused(&third).await;
}

#[tokio::test]
async fn many_refreshes_at_once_get_one_successor() {
    let (project, user) = user().await;
    let asked = (0..32).map(|_| refresh(&project, &user.refresh));
    let answers = futures::future::join_all(asked).await;
    let mut successors: Vec<String> = answers
        .into_iter()
        .map(|reply| {
            let tokens = reply.expect(200).json();
            tokens["refresh_token"].as_str().unwrap().to_owned()
        })
        .collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let _ = refresh(&project, &successors[0]).await.expect(200);
}

#[tokio::test]
async fn signing_out_ends_all_sessions_or_the_one() {
    let (_, first) = user().await;
    let second = first.again().await;
    let third = first.again().await;
    let _ = third
        .post("/v1/auth/logout?scope=local", json!({}))
        .await
        .expect(204);
    refused(&third).await;
    let _ = second.get("/v1/auth/me").await.expect(200);
    let _ = second.post("/v1/auth/logout", json!({})).await.expect(204);
    refused(&first).await;
    refused(&second).await;
    let _ = first.again().await.get("/v1/auth/me").await.expect(200);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let (project, first) = user().await;
    let second = first.again().await;
    let list = second.get("/v1/auth/sessions").await.expect(200).json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[0]["current"], &items[1]["current"]),
        (&json!(true), &json!(false))
    );
    let path = format!("/v1/auth/sessions/{}", items[1]["id"].as_str().unwrap());
    let stranger = project.sign_up().await;
    stranger.delete(&path, json!({})).await.expect_problem(404);
    let _ = first.get("/v1/auth/me").await.expect(200);
    let _ = second.delete(&path, json!({})).await.expect(204);
    refused(&first).await;
    refresh(&project, &first.refresh).await.expect_problem(401);
    let _ = second.get("/v1/auth/me").await.expect(200);
    second.delete(&path, json!({})).await.expect_problem(404);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions() {
    let (project, first) = user().await;
    let second = first.again().await;
    let other = "a very different phrase";
    let change = |present: &str| json!({"current_password": present, "password": other});
    let code = first
        .put("/v1/auth/password", change("wrong one"))
        .await
        .expect_problem(401);
    assert_eq!(code, "invalid_credentials");
    let tokens = first
        .put("/v1/auth/password", change(PASSWORD))
        .await
        .expect(200)
        .json();
    refused(&first).await;
    refused(&second).await;
    let _ = first
        .with_tokens(&tokens)
        .get("/v1/auth/me")
        .await
        .expect(200);
    project.sign_in(&first.email).await.expect_problem(401);
    let body = json!({"email": first.email, "password": other});
    let _ = project.auth("/login", body).await.expect(200);
}

#[tokio::test]
async fn a_session_that_ends_is_over_on_every_node() {
    let first = TestServer::start().await;
    let project = first.admin().project().await;
    let user = project.sign_up().await;
    let second = match Engine::of_this_run().serves_many_nodes() {
        true => Some(first.second_node().await),
        false => None,
    };
    let there = second
        .as_ref()
        .map_or(user.clone(), |second| user.at(&project.on(second)));
    // Both nodes have the session in mind.
    let _ = user.get("/v1/auth/me").await.expect(200);
    let _ = there.get("/v1/auth/me").await.expect(200);
    let _ = user.post("/v1/auth/logout", json!({})).await.expect(204);
    refused(&user).await;
    let node = second.as_ref().unwrap_or(&first);
    until_told("the end of the session", node, || async {
        (there.get("/v1/auth/me").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_profile_is_changed_by_its_owner_and_seen_by_all() {
    let (project, user) = user().await;
    let body = json!({"name": "Ada", "bio": "Counts.\nAnd more.", "handle": "ada"});
    let me = user.put("/users/me", body).await.expect(200).json();
    assert_eq!(
        (&me["handle"], &me["bio"]),
        (&json!("ada"), &json!("Counts.\nAnd more."))
    );
    let me = user
        .put("/users/me", json!({"bio": null}))
        .await
        .expect(200)
        .json();
    assert_eq!((&me["name"], &me["bio"]), (&json!("Ada"), &Value::Null));
    let other = project.sign_up().await;
    let seen = other
        .get(&format!("/users/{}", user.id))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&seen["name"], &seen["handle"]),
        (&json!("Ada"), &json!("ada"))
    );
    assert_eq!(seen["email"], Value::Null);
    let taken = other.put("/users/me", json!({"handle": "ADA"})).await;
    assert_eq!(taken.expect_problem(409), "handle_taken");
    let bare = Reply::to(
        project
            .bare_request(reqwest::Method::GET, "/users/me")
            .header("apikey", &project.publishable),
    )
    .await;
    bare.expect_problem(401);
    for id in ["nonsense", "0190b0f0-0000-7000-8000-000000000000"] {
        other.get(&format!("/users/{id}")).await.expect_problem(404);
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_works_once() {
    let (project, user) = user().await;
    let code_of = |reply: &Reply| reply.expect_problem(401);
    let made = user
        .post("/v1/auth/totp/enroll", json!({}))
        .await
        .expect(200)
        .json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(made["otpauth_url"].as_str().unwrap().contains(&secret));
    // Not asked for before it is proven.
    let _ = project.sign_in(&user.email).await.expect(200);
    let wrong = user
        .post("/v1/auth/totp/verify", json!({"code": "000000"}))
        .await;
    assert_eq!(code_of(&wrong), "invalid_totp_code");
    let body = json!({"code": totp_code(&secret, 0)});
    let _ = user.post("/v1/auth/totp/verify", body).await.expect(204);
    assert_eq!(user.get("/users/me").await.json()["totp_enabled"], true);
    assert_eq!(
        code_of(&project.sign_in(&user.email).await),
        "totp_required"
    );
    let again = user.post("/v1/auth/totp/enroll", json!({})).await;
    assert_eq!(again.expect_problem(409), "totp_enabled");
    let login = |code: String| {
        project.auth(
            "/login",
            json!({"email": user.email, "password": PASSWORD, "totp_code": code}),
        )
    };
    let guessed =
        json!({"email": user.email, "password": "wrong", "totp_code": totp_code(&secret, 1)});
    assert_eq!(
        code_of(&project.auth("/login", guessed).await),
        "invalid_credentials"
    );
    let now = totp_code(&secret, 1);
    let tries = futures::future::join_all((0..3).map(|_| login(now.clone()))).await;
    let accepted = tries.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(
        accepted,
        1,
        "{:?}",
        tries.iter().map(Reply::text).collect::<Vec<_>>()
    );
    let spare = made["recovery_codes"][3].as_str().unwrap().to_uppercase();
    let _ = login(spare.clone()).await.expect(200);
    assert_eq!(code_of(&login(spare).await), "invalid_totp_code");
    let bare = user.delete("/v1/auth/totp", json!({})).await;
    assert_eq!(code_of(&bare), "totp_required");
    let body = json!({"code": made["recovery_codes"][0]});
    let _ = user.delete("/v1/auth/totp", body).await.expect(204);
    let _ = project.sign_in(&user.email).await.expect(200);
    let none = user.delete("/v1/auth/totp", json!({})).await;
    assert_eq!(none.expect_problem(409), "totp_not_enrolled");
}

/// Where the sessions of a user are, for an admin.
fn path_of(project: &Project, user: &User) -> String {
    format!(
        "/admin/v1/projects/{}/users/{}/sessions",
        project.slug, user.id
    )
}

#[tokio::test]
async fn an_admin_sees_where_a_user_is_signed_in_and_ends_one_session() {
    let admin = shared().await.admin();
    let (project, user) = user().await;
    let second = user.again().await;
    let path = path_of(&project, &user);
    let list = admin.get(&path).await.expect(200).json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    assert!(items.iter().all(|one| one["current"] == false), "{list}");
    let newest = items[0]["id"].as_str().unwrap();

    let one = format!("{path}/{newest}");
    let _ = admin.delete(&one).await.expect(204);
    refused(&second).await;
    refresh(&project, &second.refresh).await.expect_problem(401);
    let _ = user.get("/v1/auth/me").await.expect(200);
    admin.delete(&one).await.expect_problem(404);
    let left = admin.get(&path).await.expect(200).json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "{left}");

    let audit = format!("/admin/v1/audit?project={}&limit=100", project.slug);
    let audit = admin.get(&audit).await.expect(200).json();
    let mut events = audit["items"].as_array().unwrap().iter();
    let event = events.find(|event| event["action"] == "session.delete");
    let event = event.unwrap_or_else(|| panic!("it is not in {audit}"));
    assert_eq!(event["actor_kind"], "admin");
    assert_eq!(event["target"], newest);
    assert_eq!(event["details"]["user_id"], user.id.as_str());
}

#[tokio::test]
async fn an_admin_ends_all_sessions_of_a_user_and_of_nobody_else() {
    let admin = shared().await.admin();
    let (project, user) = user().await;
    let second = user.again().await;
    let other = project.sign_up().await;
    let path = path_of(&project, &user);
    let _ = admin.delete(&path).await.expect(204);
    refused(&user).await;
    refused(&second).await;
    let _ = other.get("/v1/auth/me").await.expect(200);
    let left = admin.get(&path).await.expect(200).json();
    assert_eq!(left["items"], json!([]));

    let elsewhere = admin.project().await;
    admin
        .get(&path_of(&elsewhere, &user))
        .await
        .expect_problem(404);
    admin
        .delete(&path_of(&elsewhere, &other))
        .await
        .expect_problem(404);
    let _ = other.get("/v1/auth/me").await.expect(200);
    // Nobody's session is ended by the name of another user.
    let mine = admin
        .get(&path_of(&project, &other))
        .await
        .expect(200)
        .json();
    let id = mine["items"][0]["id"].as_str().unwrap();
    admin
        .delete(&format!("{path}/{id}"))
        .await
        .expect_problem(404);
    let _ = other.get("/v1/auth/me").await.expect(200);
}
