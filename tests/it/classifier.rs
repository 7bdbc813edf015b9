//! The classifier of `documents` behind an endpoint that speaks OpenAI's
//! dialect: what the endpoint sees, and what the plugin does not.

use atlashub_tests::{Reply, ServerBuilder, User, until};
use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const KEY: &str = "sk-the-key-of-the-endpoint";

/// What the endpoint was asked: the field `authorization`, and the question.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// An endpoint that finds everything to be about law, and repeats what it was
/// sent.
async fn endpoint() -> (std::net::SocketAddr, Asked) {
    async fn answer(
        State(asked): State<Asked>,
        headers: HeaderMap,
        Json(question): Json<Value>,
    ) -> Json<Value> {
        let authorization = headers
            .get("authorization")
            .map_or("", |value| value.to_str().expect("text"));
        let content = json!({"topics": [
            {"name": "legal", "confidence": 0.9, "words": ["lease"]},
            {"name": "not a topic", "confidence": 1.0},
        ]});
        let entry = (authorization.to_owned(), question);
        asked.lock().expect("nobody panicked").push(entry);
        Json(json!({"choices": [{"message": {"content": content.to_string()}}]}))
    }
    let asked = Asked::default();
    let app = Router::new()
        .route("/v1/chat/completions", post(answer))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("an address");
    let address = listener.local_addr().expect("an address");
    drop(tokio::spawn(
        async move { axum::serve(listener, app).await },
    ));
    (address, asked)
}

async fn topics(user: &User, text: &'static str) -> Value {
    let request = user.request(Method::POST, "/files/upload");
    let sent = request.header("file-path", "note.txt").body(text);
    let file = Reply::to(sent).await.expect_success().json();
    let id = file["id"].as_str().expect("an id").to_owned();
    until(
        "the document to be read",
        atlashub_tests::DEADLINE,
        || async {
            let _ = user.post("/documents/process?limit=20", json!({})).await;
            let document = user.get(&format!("/documents/{id}")).await;
            let document = document.expect(200).json();
            // It is told what it is about after its text is there.
            let topics = document["topics"].clone();
            (document["status"] == "ready" && topics != json!([])).then_some(topics)
        },
    )
    .await
}

#[tokio::test]
async fn a_configured_endpoint_tells_topics_and_its_key_stays_with_the_host() {
    let (address, asked) = endpoint().await;
    let allowed = address.to_string();
    let server = ServerBuilder::default()
        .env("ATLASHUB_EGRESS_ALLOW", allowed)
        .start()
        .await;
    let admin = server.admin();
    let plugins = ["files", "search", "extract", "documents"];
    let project = admin.project_with(&plugins).await;
    let path = format!("/admin/v1/projects/{}/plugins/documents", project.slug);
    let config = json!({
        "classifier_url": format!("http://{address}/v1"), "classifier_model": "small",
        "classifier_key": KEY,
    });
    let body = json!({"enabled": true, "grants": "requested", "config": config});
    let shown = admin.put(&path, body).await.expect_success();
    assert!(!shown.text().contains(KEY), "{}", shown.text());
    let shown = admin.get(&path).await.expect(200);
    assert!(!shown.text().contains(KEY), "{}", shown.text());

    let user = project.sign_up().await;
    let topics = topics(&user, "A lease for the house by the lake.").await;
    assert_eq!(
        topics,
        json!([{"name": "legal", "source": "model", "confidence": 0.9, "words": ["lease"]}])
    );
    let (authorization, question) = asked.lock().expect("nobody panicked")[0].clone();
    assert_eq!(authorization, format!("Bearer {KEY}"));
    assert_eq!(question["model"], "small");
    assert!(
        question["messages"][1]["content"]
            .to_string()
            .contains("lease")
    );

    // A project that named no endpoint asks none, and is not let through.
    let count = asked.lock().expect("nobody panicked").len();
    let other = admin.project_with(&plugins).await.sign_up().await;
    let text = "The budget, the payment and the invoice of the budget.";
    let topics = self::topics(&other, text).await;
    assert_eq!(topics[0]["source"], "rule", "{topics}");
    assert_eq!(asked.lock().expect("nobody panicked").len(), count);
}
