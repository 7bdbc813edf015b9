//! `cargo xtask dev`: a server on the embedded default, with a project to
//! try things in.
//!
//! Everything lies in `data/` of the checkout and is there again next time.
//! What the server shows only once (keys) or never (the owner's password) is
//! kept beside it in `dev-credentials.json`, readable by its owner alone.

use crate::{
    http::Client, process::Program, services::random_word, setup::announce, workspace::Workspace,
};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Where the server listens unless `ATLASHUB_LISTEN` says otherwise.
const LISTEN: &str = "127.0.0.1:8080";

/// The project that is made.
const PROJECT: &str = "demo";

/// Who may sign in.
const OWNER: &str = "owner@example.com";

/// What is remembered between runs.
struct Credentials {
    file: PathBuf,
    values: Value,
}

impl Credentials {
    fn load(file: PathBuf) -> Result<Self> {
        let values = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("read {}", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({}),
            Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
        };
        Ok(Self { file, values })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// The value of `name`; made and kept when it is not there.
    fn get_or_make(&mut self, name: &str) -> Result<String> {
        if let Some(value) = self.get(name) {
            return Ok(value.to_owned());
        }
        let value = random_word()?;
        self.keep(&[(name, &value)])?;
        Ok(value)
    }

    fn keep(&mut self, pairs: &[(&str, &str)]) -> Result<()> {
        let values = self
            .values
            .as_object_mut()
            .context("the credentials are not an object")?;
        for (name, value) in pairs {
            values.insert((*name).to_owned(), json!(value));
        }
        let text = serde_json::to_string_pretty(&self.values)?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.file)
            .with_context(|| format!("write {}", self.file.display()))?;
        writeln!(file, "{text}")?;
        Ok(())
    }
}

/// Builds, starts and fills the server, and waits until it ends.
pub(crate) fn run(repository: &Workspace) -> Result<()> {
    crate::plugins::build(repository)?;
    crate::dashboard::DASHBOARD.build(repository)?;
    crate::server(repository, "release", None)?;
    let listen = std::env::var("ATLASHUB_LISTEN").unwrap_or_else(|_| LISTEN.to_owned());
    let address: SocketAddr = listen
        .parse()
        .with_context(|| format!("read ATLASHUB_LISTEN: `{listen}` is not `address:port`"))?;
    if TcpListener::bind(address).is_err() {
        bail!(
            "{address} is taken: end what listens there, or set ATLASHUB_LISTEN to another address"
        );
    }
    let data = repository.root().join("data");
    std::fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
    let mut credentials = Credentials::load(data.join("dev-credentials.json"))?;
    let admin_token = credentials.get_or_make("dev_admin_token")?;

    announce("starting the server");
    let server = Program::new(repository.binary())
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .args([&data])
        .env("ATLASHUB_ENV", "development")
        .env("ATLASHUB_DEV_ADMIN_TOKEN", &admin_token)
        .start("run the server", None)?;
    let mut near = address;
    if near.ip().is_unspecified() {
        near.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let client = Client::new(near, &admin_token);
    server.wait_until(|| client.is_ready())?;
    make_owner(&client, &mut credentials)?;
    make_project(&client, &mut credentials)?;
    switch_plugins_on(&client)?;
    println!("{}", welcome(near, &credentials, &data));
    let status = server.wait()?;
    if !status.success() {
        bail!("the server ended with {status}");
    }
    Ok(())
}

fn make_owner(client: &Client, credentials: &mut Credentials) -> Result<()> {
    let password = credentials.get_or_make("owner_password")?;
    credentials.keep(&[("owner_email", OWNER)])?;
    let answer = client.call(
        "POST",
        "/admin/v1/setup",
        Some(&json!({"email": OWNER, "password": password})),
    )?;
    // Refused with a conflict when there is an owner already.
    if answer.status != 409 {
        answer.expect_success("make the first owner")?;
    }
    Ok(())
}

fn make_project(client: &Client, credentials: &mut Credentials) -> Result<()> {
    let path = format!("/admin/v1/projects/{PROJECT}");
    let found = client.call("GET", &path, None)?;
    if found.status == 404 {
        let made = client
            .call(
                "POST",
                "/admin/v1/projects",
                Some(&json!({"name": "Demo", "slug": PROJECT})),
            )?
            .expect_success("make the demo project")?;
        return keep_keys(
            credentials,
            made.pointer("/keys/publishable"),
            made.pointer("/keys/secret"),
        );
    }
    found.expect_success("look for the demo project")?;
    if credentials.get("publishable_key").is_some() && credentials.get("secret_key").is_some() {
        return Ok(());
    }
    // The file was removed, and keys are shown only once: make new ones.
    let new_key = |kind: &str| -> Result<Value> {
        client
            .call(
                "POST",
                &format!("{path}/keys"),
                Some(&json!({"kind": kind, "name": "dev"})),
            )?
            .expect_success("make a key of the demo project")
    };
    let (publishable, secret) = (new_key("publishable")?, new_key("secret")?);
    keep_keys(credentials, publishable.get("key"), secret.get("key"))
}

fn keep_keys(
    credentials: &mut Credentials,
    publishable: Option<&Value>,
    secret: Option<&Value>,
) -> Result<()> {
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .map(str::to_owned)
            .context("the server answered no key")
    };
    credentials.keep(&[
        ("publishable_key", &text(publishable)?),
        ("secret_key", &text(secret)?),
    ])
}

/// Installs each built-in plugin that the demo project does not have yet;
/// one that was switched off stays off.
fn switch_plugins_on(client: &Client) -> Result<()> {
    let items = |body: Value| {
        body.get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
    let catalogue = client
        .call("GET", "/admin/v1/plugins?limit=100", None)?
        .expect_success("list the plugins")?;
    let base = format!("/admin/v1/projects/{PROJECT}/plugins");
    let installed = client
        .call("GET", &base, None)?
        .expect_success("list the demo project's plugins")?;
    let installed: Vec<String> = items(installed).iter().filter_map(name).collect();
    for plugin in items(catalogue) {
        let built_in = plugin
            .get("built_in")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let Some(plugin) = name(&plugin).filter(|name| built_in && !installed.contains(name))
        else {
            continue;
        };
        client
            .call(
                "PUT",
                &format!("{base}/{plugin}"),
                Some(&json!({"enabled": true, "grants": "requested"})),
            )?
            .expect_success(&format!("switch the plugin {plugin} on"))?;
    }
    Ok(())
}

fn welcome(address: SocketAddr, credentials: &Credentials, data: &Path) -> String {
    let value = |name: &str| credentials.get(name).unwrap_or("(unknown)");
    let publishable = value("publishable_key");
    format!(
        "
  AtlasHub is ready.

  Dashboard        http://{address}/dashboard
  Admin sign-in    {email}  {password}
  Project          {PROJECT}
  Publishable key  {publishable}
  Secret key       {secret}

  Try it:
    curl -H 'x-api-key: {publishable}' http://{address}/hello

  Keys and passwords are kept in {file}
  Ctrl-C ends the server; the data stays in {data}
",
        email = value("owner_email"),
        password = value("owner_password"),
        secret = value("secret_key"),
        file = credentials.file.display(),
        data = data.display(),
    )
}
