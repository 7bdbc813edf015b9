//! A client of the admin API.

use crate::{Project, Reply, TestServer, server::client, unique};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

/// How an admin proves who they are.
#[derive(Clone, Debug)]
enum Credential {
    None,
    DevToken(String),
    Bearer(String),
}

/// A client of the admin API of one server.
#[derive(Clone, Debug)]
pub struct Admin {
    http: reqwest::Client,
    server: String,
    credential: Credential,
}

impl Admin {
    pub(crate) fn with_dev_token(server: &TestServer, token: &str) -> Self {
        Self {
            http: client(),
            server: server.url(""),
            credential: Credential::DevToken(token.to_owned()),
        }
    }

    /// The same client without credentials.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self {
            credential: Credential::None,
            ..self.clone()
        }
    }

    /// The same client with a session's token.
    #[must_use]
    pub fn with_session(&self, token: &str) -> Self {
        Self {
            credential: Credential::Bearer(token.to_owned()),
            ..self.clone()
        }
    }

    /// A request with this client's credentials.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        match &self.credential {
            Credential::None => request,
            Credential::DevToken(token) => request.header("x-dev-admin-token", token),
            Credential::Bearer(token) => request.bearer_auth(token),
        }
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

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        Reply::to(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::DELETE, path)).await
    }

    /// A new project with a name that no other test uses.
    pub async fn project(&self) -> Project {
        let slug = unique("t");
        let made = self
            .post("/admin/v1/projects", json!({"name": "Test", "slug": slug}))
            .await
            .expect(201)
            .json();
        Project::new(self.http.clone(), &self.server, &made)
    }

    /// A new project in which `plugins` are installed and enabled with all
    /// that they ask for.
    pub async fn project_with(&self, plugins: &[&str]) -> Project {
        let project = self.project().await;
        for plugin in plugins {
            self.enable(&project, plugin).await;
        }
        project
    }

    /// Installs and enables a plugin with all that it asks for.
    pub async fn enable(&self, project: &Project, plugin: &str) -> Value {
        self.install(
            project,
            plugin,
            json!({"enabled": true, "grants": "requested"}),
        )
        .await
        .expect_success()
        .json()
    }

    /// Changes an installation.
    pub async fn install(&self, project: &Project, plugin: &str, body: Value) -> Reply {
        self.put(
            &format!("/admin/v1/projects/{}/plugins/{plugin}", project.slug),
            body,
        )
        .await
    }

    /// Uploads a component, with a manifest beside it or without.
    pub async fn upload(&self, component: Vec<u8>, manifest: Option<&str>) -> Reply {
        self.upload_fields(
            component,
            manifest.map(|text| ("manifest", text.to_owned())),
        )
        .await
    }

    /// Uploads a bare component under a name.
    pub async fn upload_named(&self, component: Vec<u8>, name: &str) -> Reply {
        self.upload_fields(component, Some(("name", name.to_owned())))
            .await
    }

    async fn upload_fields(
        &self,
        component: Vec<u8>,
        field: Option<(&'static str, String)>,
    ) -> Reply {
        let mut form = Form::new();
        if let Some((name, text)) = field {
            form = form.text(name, text);
        }
        let part = Part::bytes(component).file_name("plugin.wasm");
        let form = form.part("component", part);
        Reply::to(
            self.request(Method::POST, "/admin/v1/plugins")
                .multipart(form),
        )
        .await
    }

    /// What the project's list says of one of its plugins.
    ///
    /// # Panics
    /// When it is not installed.
    pub async fn installed(&self, project: &Project, plugin: &str) -> Value {
        let list = self
            .get(&format!("/admin/v1/projects/{}/plugins", project.slug))
            .await
            .expect(200)
            .json();
        let items = list["items"].as_array().expect("items");
        let found = items.iter().find(|item| item["name"] == plugin);
        found
            .unwrap_or_else(|| panic!("{plugin} is not in {list}"))
            .clone()
    }
}
