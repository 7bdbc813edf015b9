//! What admins of the lower roles reach of the host's routes: a viewer
//! changes nothing, and nobody but an owner decides about others.

use super::{
    Access, address, all_routes,
    callers::{owner, platform_admin},
    named_project, request, state_of,
};
use atlashub_tests::{Admin, Project, Reply, TestServer};
use serde_json::{Value, json};

/// What an owner sees that an admin must not have changed.
async fn admins(owner: &Admin) -> [Value; 2] {
    let mut seen = [json!(null), json!(null)];
    for (place, path) in ["/admin/v1/admins", "/admin/v1/invitations"]
        .into_iter()
        .enumerate()
    {
        seen[place] = owner.get(path).await.expect(200).json();
        super::forget_times(&mut seen[place]);
    }
    seen
}

/// Asks as `admin` for every route that asks for more than `rank`; each is
/// refused, and nothing changes.
async fn refused_above(owner: &Admin, project: &Project, admin: &Admin, rank: &[Access]) {
    let before = (state_of(owner, project).await, admins(owner).await);
    let mut count = 0;
    for (method, path, access) in all_routes() {
        if !rank.contains(access) {
            continue;
        }
        let address = address(owner, project, path).await;
        let reply = Reply::to(request(admin, method, &address)).await;
        let what = format!("{method} {path}: {}", reply.text());
        assert_eq!(reply.status, 403, "{what}");
        assert_eq!(reply.expect_problem(403), "forbidden", "{what}");
        count += 1;
    }
    assert!(count > 0, "there is no route above");
    let after = (state_of(owner, project).await, admins(owner).await);
    assert_eq!(after, before, "a refused request has changed something");
}

#[tokio::test]
async fn no_admin_of_a_lower_role_reaches_what_is_above() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let project = named_project(&owner).await;
    let viewer = owner.with_session(&platform_admin(&owner, "viewer").await);
    let above = [Access::Admin, Access::Owner];
    refused_above(&owner, &project, &viewer, &above).await;
    let admin = owner.with_session(&platform_admin(&owner, "admin").await);
    refused_above(&owner, &project, &admin, &[Access::Owner]).await;
}

#[tokio::test]
async fn a_viewer_reads_what_there_is_to_read() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let viewer = owner.with_session(&platform_admin(&owner, "viewer").await);
    let project = named_project(&owner).await;
    let _ = project.get("/hello").await.expect(200);
    for (method, path, access) in all_routes() {
        if *access != Access::Viewer || *method != "GET" {
            continue;
        }
        let address = address(&owner, &project, path).await;
        let reply = Reply::to(request(&viewer, method, &address)).await;
        assert!(
            !matches!(reply.status, 401 | 403 | 405) && reply.status < 500,
            "{method} {path}: {} {}",
            reply.status,
            reply.text()
        );
    }
}

#[tokio::test]
async fn an_admin_whose_role_is_lowered_is_bound_by_it_at_once() {
    let server = TestServer::start().await;
    let owner = owner(&server).await;
    let project = named_project(&owner).await;
    let admin = owner.with_session(&platform_admin(&owner, "admin").await);
    let session = admin.get("/admin/v1/session").await.expect(200).json();
    let id = session["admin"]["id"].as_str().expect("an id");
    let path = format!("/admin/v1/admins/{id}");
    let lowered = owner.patch(&path, json!({"role": "viewer"})).await;
    let _ = lowered.expect(200);
    let session = admin.get("/admin/v1/session").await.expect(200).json();
    assert_eq!(session["admin"]["role"], "viewer");
    let above = [Access::Admin, Access::Owner];
    refused_above(&owner, &project, &admin, &above).await;
}
