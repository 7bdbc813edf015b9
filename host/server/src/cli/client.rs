//! The HTTP client behind the commands that work on a running server.

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::{future::Future, time::Duration};

/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a call; uploads of large components over slow lines included.
const CALL: Duration = Duration::from_secs(300);

/// Which server, and as whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// The server's address
    #[arg(
        long,
        env = "ATLASHUB_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    server: String,
    /// An admin's session token (`atlashub login` keeps one)
    #[arg(
        long,
        env = "ATLASHUB_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// The server's development token
    #[arg(
        long,
        env = "ATLASHUB_DEV_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    dev_token: Option<String>,
}

/// A server, and the credentials for it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    credentials: Credentials,
    http: reqwest::Client,
}

#[derive(Clone)]
enum Credentials {
    Session(String),
    Development(String),
    None,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Session(_) => "session",
            Self::Development(_) => "development token",
            Self::None => "none",
        })
    }
}

impl Client {
    /// A client for the server and credentials that `args` name; without any,
    /// those that `atlashub login` kept.
    ///
    /// # Errors
    /// When the address is not one.
    pub(crate) fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let base = base(&args.server)?;
        let credentials = match (&args.token, &args.dev_token) {
            (Some(token), _) => Credentials::Session(token.clone()),
            (None, Some(token)) => Credentials::Development(token.clone()),
            (None, None) => {
                super::login::kept(&base).map_or(Credentials::None, Credentials::Session)
            }
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .user_agent(concat!("atlashub/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self {
            base,
            credentials,
            http,
        })
    }

    /// The server's address, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// A request to `path`, with the credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.credentials {
            Credentials::Session(token) => request.bearer_auth(token),
            Credentials::Development(token) => request.header("x-dev-admin-token", token),
            Credentials::None => request,
        }
    }

    /// Sends `request`; an answer of 400 and above is an error in the
    /// server's words.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| {
            if error.is_connect() {
                anyhow::anyhow!(
                    "cannot reach {}: is the server running? name it with --server or ATLASHUB_URL",
                    self.base
                )
            } else {
                anyhow::Error::new(error).context(format!("the call to {} failed", self.base))
            }
        })?;
        if response.status().is_client_error() || response.status().is_server_error() {
            bail!("{}", refusal(response).await);
        }
        Ok(response)
    }

    /// Sends `request` and reads the answer as JSON; `null` when it is empty.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or answers something else.
    pub(crate) async fn json(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let bytes = self
            .send(request)
            .await?
            .bytes()
            .await
            .context("the answer was cut off")?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes)
            .context("the server did not answer with JSON; is it AtlasHub?")
    }

    /// `GET path` as JSON.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.json(self.request(Method::GET, path)).await
    }

    /// `path` with a JSON body.
    ///
    /// # Errors
    /// As [`Client::json`].
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        self.json(self.request(method, path).json(body)).await
    }
}

/// A refused call in words.
async fn refusal(response: Response) -> String {
    let status = response.status();
    let problem: Value = response
        .bytes()
        .await
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
    let detail = text("detail").unwrap_or_else(|| status.to_string());
    let mut words = match text("code") {
        Some(code) => format!("{detail} ({code})"),
        None => detail,
    };
    if status.is_server_error()
        && let Some(id) = text("request_id")
    {
        words.push_str(&format!(
            "; the server's log has the cause under request {id}"
        ));
    }
    if status == StatusCode::UNAUTHORIZED {
        words.push_str("; sign in with `atlashub login`, or give --token or ATLASHUB_TOKEN");
    }
    words
}

fn base(text: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .with_context(|| format!("--server must be an http or https address, not `{text}`"))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Runs one command's calls to their end, or until interrupted.
///
/// # Errors
/// The command's own.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?
        .block_on(work)
}

/// A member of an answer as text; empty when it is not there.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The members of a list answer.
pub(crate) fn items(value: &Value) -> &[Value] {
    value
        .get("items")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Reads all pages of a list.
///
/// # Errors
/// As [`Client::json`].
pub(crate) async fn all(client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let start = if path.contains('?') { '&' } else { '?' };
        let page = client
            .get(&format!("{path}{start}limit=200{after}"))
            .await?;
        found.extend_from_slice(items(&page));
        cursor = page
            .get("next_cursor")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
