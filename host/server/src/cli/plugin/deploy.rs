//! `atlashub plugin deploy FILE|FOLDER`: builds when given a folder, uploads,
//! says what the plugin asks for, installs or upgrades.

use super::{
    build,
    consent::{self, strings},
};
use crate::cli::client::{self, Client, ServerArgs, text};
use anyhow::{Context as _, bail};
use atlashub_core::{component_file, openapi::Document};
use clap::Args;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// Arguments of `plugin deploy`.
#[derive(Args, Debug)]
pub(super) struct DeployArgs {
    /// A component (`.wasm`), or the folder of a plugin's source
    #[arg(default_value = ".")]
    source: PathBuf,
    /// The project's slug or id
    #[arg(long, short, env = "ATLASHUB_PROJECT")]
    project: String,
    /// The plugin's name, for a component without a manifest
    #[arg(long)]
    name: Option<String>,
    /// A manifest (TOML) for a component without one
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A description of its routes (OpenAPI 3.1, TOML or JSON), in place of the
    /// one inside
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
    /// The configuration, a JSON object
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Grant what it asks for without a question
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn run(args: &DeployArgs, server: &ServerArgs) -> anyhow::Result<()> {
    let client = Client::new(server)?;
    let file = component(&args.source)?;
    let started = Instant::now();
    client::block_on(deploy(args, &client, &file, started))
}

/// The component to upload: the file itself, or what its folder builds.
fn component(source: &Path) -> anyhow::Result<PathBuf> {
    if source.is_dir() {
        return build::build(source);
    }
    if !source.is_file() {
        bail!("{} is neither a component nor a folder", source.display());
    }
    Ok(source.to_path_buf())
}

async fn deploy(
    args: &DeployArgs,
    client: &Client,
    file: &Path,
    started: Instant,
) -> anyhow::Result<()> {
    let config = args
        .config
        .as_deref()
        .map(serde_json::from_str::<Value>)
        .transpose()
        .context("--config is not JSON")?;
    let revision = upload(args, client, file).await?;
    let plugin = text(&revision, "name");
    let path = format!("/admin/v1/projects/{}/plugins", args.project);
    let installed = client::all(client, &path)
        .await?
        .into_iter()
        .find(|installed| text(installed, "name") == plugin);
    println!(
        "{plugin} {} ({})",
        text(&revision, "version"),
        short(text(&revision, "digest"))
    );
    let granted = consent::ask(&revision, installed.as_ref(), args.yes)?;
    if !granted {
        bail!("nothing was installed; the revision stays in the catalogue");
    }
    let mut wanted =
        json!({ "revision": text(&revision, "id"), "enabled": true, "grants": "requested" });
    if let (Some(config), Some(members)) = (config, wanted.as_object_mut()) {
        members.insert("config".to_owned(), config);
    }
    let now = client
        .call(Method::PUT, &format!("{path}/{plugin}"), &wanted)
        .await?;
    let project = client
        .get(&format!("/admin/v1/projects/{}", args.project))
        .await?;
    let what = if installed.is_some() {
        "upgraded"
    } else {
        "installed"
    };
    println!(
        "{what} in {} after {:.1} s",
        text(&project, "slug"),
        started.elapsed().as_secs_f64()
    );
    for route in strings(&now, "routes") {
        println!("  {}/p/{}{route}", client.base(), text(&project, "slug"));
    }
    Ok(())
}

async fn upload(args: &DeployArgs, client: &Client, file: &Path) -> anyhow::Result<Value> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    // A file's name says nothing where a manifest says it.
    let named = args.manifest.is_some() || component_file::read_manifest(&bytes)?.is_some();
    let name = args
        .name
        .clone()
        .or_else(|| if named { None } else { name_from(file) });
    let mut form = Form::new().part(
        "component",
        Part::bytes(bytes)
            .file_name("component.wasm")
            .mime_str("application/wasm")?,
    );
    if let Some(path) = &args.manifest {
        let manifest = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        form = form.text("manifest", manifest);
    }
    if let Some(path) = &args.openapi {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let document = if path.extension().is_some_and(|end| end == "toml") {
            Document::from_toml(&text)?
        } else {
            Document::from_json(text.as_bytes())?
        };
        form = form.text("openapi", String::from_utf8(document.to_json()?)?);
    }
    if let Some(name) = name {
        form = form.text("name", name);
    }
    client
        .json(
            client
                .request(Method::POST, "/admin/v1/plugins")
                .multipart(form),
        )
        .await
}

/// A plugin name made from a file's name.
fn name_from(file: &Path) -> Option<String> {
    let stem = file
        .file_stem()?
        .to_str()?
        .to_ascii_lowercase()
        .replace(['_', ' ', '.'], "-");
    stem.parse::<atlashub_core::PluginName>()
        .ok()
        .map(String::from)
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
