//! Calls of the host that happen once with one `Idempotency-Key`: those that
//! the description says do, and no others.

use super::{Access, ROUTES, address, named_project, request};
use atlashub_tests::{Reply, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

/// Whether the description names the header at this call.
fn is_described(described: &Value, path: &str) -> bool {
    let parameters = described["paths"][path]["post"]["parameters"].as_array();
    parameters.is_some_and(|all| {
        all.iter()
            .any(|one| one["in"] == "header" && one["name"] == "Idempotency-Key")
    })
}

/// A key that is too long is refused before anything happens, by whoever looks
/// at it; who does not look at it answers something else.
#[tokio::test]
async fn a_post_looks_at_its_idempotency_key_when_it_says_so() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = named_project(&admin).await;
    let described = admin.get("/openapi.json").await.expect(200).json();
    let (mut heeding, mut other) = (0, 0);
    for (method, path, access) in ROUTES {
        // Nobody in particular has no keys: what anybody may call takes none.
        if *method != "POST" || *access == Access::Open {
            assert!(!is_described(&described, path) || *access != Access::Open);
            continue;
        }
        let address = address(&admin, &project, path).await;
        let call = match access {
            // One each: signing out ends a session.
            Access::User => {
                let user = project.sign_up().await;
                let body = json!({"name": "Renamed"});
                user.request(Method::POST, &address).json(&body)
            }
            _ => request(&admin, method, &address),
        };
        let reply = Reply::to(call.header("idempotency-key", "x".repeat(256))).await;
        let text = reply.text();
        let heeds = reply.status == 400 && text.contains("\"invalid_idempotency_key\"");
        let says = is_described(&described, path);
        assert_eq!(heeds, says, "POST {path}: {} {text}", reply.status);
        *(if heeds { &mut heeding } else { &mut other }) += 1;
    }
    assert!(heeding >= 18 && other > 0, "{heeding} do, {other} do not");
}
