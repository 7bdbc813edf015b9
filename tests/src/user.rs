//! An end user of a project, signed in over the public contract.

use crate::{Project, Reply, unique};
use reqwest::Method;
use serde_json::{Value, json};

/// The password of users that tests sign up.
pub const PASSWORD: &str = "correct horse battery";

/// A signed-in end user. Requests go with a publishable key and the user's
/// access token.
#[derive(Clone, Debug)]
pub struct User {
    project: Project,
    /// The user's id.
    pub id: String,
    /// The address.
    pub email: String,
    /// Says who.
    pub access: String,
    /// Gets the next pair of tokens.
    pub refresh: String,
}

impl Project {
    /// A call of `/v1/auth` with nothing but a publishable key.
    pub async fn auth(&self, path: &str, body: Value) -> Reply {
        let request = self.bare_request(Method::POST, &format!("/v1/auth{path}"));
        Reply::to(request.header("apikey", &self.publishable).json(&body)).await
    }

    /// A new user with a name that no other test uses.
    pub async fn sign_up(&self) -> User {
        let email = format!("{}@example.com", unique("u"));
        let made = self
            .auth("/signup", json!({"email": email, "password": PASSWORD}))
            .await
            .expect(201)
            .json();
        let id = made["user"]["id"].as_str().expect("an id").to_owned();
        User::of(self, id, email, &made)
    }

    /// Signs in with the usual password.
    pub async fn sign_in(&self, email: &str) -> Reply {
        let body = json!({"email": email, "password": PASSWORD});
        self.auth("/login", body).await
    }
}

impl User {
    fn of(project: &Project, id: String, email: String, tokens: &Value) -> Self {
        let text = |name: &str| {
            let value = tokens[name].as_str();
            value
                .unwrap_or_else(|| panic!("no text `{name}` in {tokens}"))
                .to_owned()
        };
        Self {
            project: project.clone(),
            id,
            email,
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// The user that `/v1/auth/me` describes, with these tokens.
    ///
    /// # Panics
    /// When a member is missing.
    #[must_use]
    pub fn known(project: &Project, me: &Value, tokens: &Value) -> Self {
        let text = |name: &str| me[name].as_str().expect("a text").to_owned();
        Self::of(project, text("id"), text("email"), tokens)
    }

    /// The same user signed in once more.
    pub async fn again(&self) -> Self {
        let tokens = self.project.sign_in(&self.email).await.expect(200).json();
        Self::of(&self.project, self.id.clone(), self.email.clone(), &tokens)
    }

    /// The same user with other tokens.
    #[must_use]
    pub fn with_tokens(&self, tokens: &Value) -> Self {
        Self::of(&self.project, self.id.clone(), self.email.clone(), tokens)
    }

    /// The same user with another access token.
    #[must_use]
    pub fn with_access(&self, access: &str) -> Self {
        Self {
            access: access.to_owned(),
            ..self.clone()
        }
    }

    /// The same user as another node, or another project, serves it.
    #[must_use]
    pub fn at(&self, project: &Project) -> Self {
        Self {
            project: project.clone(),
            ..self.clone()
        }
    }

    /// A request with the access token.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.project
            .bare_request(method, path)
            .header("apikey", &self.project.publishable)
            .bearer_auth(&self.access)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::POST, path).json(&body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::PUT, path).json(&body)).await
    }

    /// DELETE with a JSON body.
    pub async fn delete(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::DELETE, path).json(&body)).await
    }
}
