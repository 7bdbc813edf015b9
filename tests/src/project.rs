//! A client of one project.

use crate::Reply;
use reqwest::Method;
use serde_json::Value;

/// A project and its keys. Requests go with the secret key unless another is
/// asked for.
#[derive(Clone, Debug)]
pub struct Project {
    http: reqwest::Client,
    server: String,
    /// The project's id.
    pub id: String,
    /// Its name in addresses.
    pub slug: String,
    /// A key that may be shipped in a browser.
    pub publishable: String,
    /// A key that stays on a server.
    pub secret: String,
}

impl Project {
    pub(crate) fn new(http: reqwest::Client, server: &str, made: &Value) -> Self {
        let text = |pointer: &str| {
            let value = made.pointer(pointer).and_then(Value::as_str);
            value
                .unwrap_or_else(|| panic!("no text {pointer} in {made}"))
                .to_owned()
        };
        Self {
            http,
            server: server.to_owned(),
            id: text("/id"),
            slug: text("/slug"),
            publishable: text("/keys/publishable"),
            secret: text("/keys/secret"),
        }
    }

    /// The same project as another node of its stores serves it.
    #[must_use]
    pub fn on(&self, server: &crate::TestServer) -> Self {
        Self {
            server: server.url(""),
            ..self.clone()
        }
    }

    /// The same project as something in front of its server passes it on.
    #[must_use]
    pub fn behind(&self, balancer: &crate::Balancer) -> Self {
        Self {
            server: balancer.url(""),
            ..self.clone()
        }
    }

    /// The same project with another secret key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            secret: key.to_owned(),
            ..self.clone()
        }
    }

    /// A request without credentials: only the server is named.
    pub fn bare_request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server))
    }

    /// A request with the secret key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.bare_request(method, path)
            .header("x-api-key", &self.secret)
    }

    /// GET with the secret key.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::GET, path)).await
    }

    /// POST with the secret key and a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::POST, path).json(&body)).await
    }

    /// PATCH with the secret key and a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE with the secret key.
    pub async fn delete(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::DELETE, path)).await
    }

    /// Uploads `body` as a raw file at `path`.
    pub async fn upload(&self, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        Reply::to(
            self.request(Method::POST, "/files/upload")
                .header("file-path", path)
                .body(body),
        )
        .await
    }
}
