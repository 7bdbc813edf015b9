//! The smallest useful plugin: `GET /hello` and `GET /hello/{name}`. It asks
//! for nothing and keeps nothing.

use atlashub_sdk::prelude::*;

/// What it answers.
#[derive(Debug, Serialize)]
pub struct Greeting {
    message: String,
}

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .get("/hello", hello)
        .get("/hello/{name}", greet)
}

fn hello() -> ([(&'static str, &'static str); 1], &'static str) {
    (
        [("content-type", "application/json")],
        r#"{"message":"hello"}"#,
    )
}

fn greet(Path(name): Path<String>) -> Json<Greeting> {
    Json(Greeting {
        message: format!("hello, {name}"),
    })
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a failed test may panic"
    )]

    use super::*;

    #[test]
    fn the_description_names_the_routes() {
        atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn it_says_hello() {
        let response = routes().call(Request::get("/hello"));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.into_text().unwrap(), r#"{"message":"hello"}"#);
    }

    #[test]
    fn it_greets_by_name() {
        let response = routes().call(Request::get("/hello/Zo%C3%AB"));
        let greeting: serde_json::Value = response.into_json().unwrap();
        assert_eq!(greeting["message"], "hello, Zoë");
    }
}
