//! Building the guests: the built-in plugins into `plugins/dist`, from where
//! the server takes them into itself, and the fixtures of the tests into
//! `plugins/dist/fixtures`.
//!
//! A file is written only when its content changed, so that the server is
//! not built anew for nothing.

use crate::{drive::DRIVE, setup, workspace::Workspace};
use anyhow::{Context as _, Result, bail};
use atlashub_core::component_file;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A guest as the compiler left it.
struct Guest {
    /// The folder of its package.
    folder: PathBuf,
    /// Its name: the folder's, or the target's when a package has several.
    name: String,
    /// The component.
    file: PathBuf,
}

/// Builds all guests.
pub(crate) fn build(repository: &Workspace) -> Result<()> {
    setup::guest_target()?;
    // What a component carries is there before it is put together.
    DRIVE.build(repository)?;
    let source = repository.root().join("plugins");
    let dist = source.join("dist");
    let fixtures = dist.join("fixtures");
    std::fs::create_dir_all(&fixtures).with_context(|| format!("create {}", fixtures.display()))?;

    setup::announce("building the plugins");
    let messages = repository
        .guest_cargo(&[
            "build",
            "--release",
            "--workspace",
            "--target",
            setup::GUEST_TARGET,
        ])
        .args(["--message-format=json-render-diagnostics"])
        .output_with_progress("build the plugins")?;

    let mut wanted = BTreeMap::new();
    for guest in read_messages(&messages, &source)? {
        let is_fixture = guest.folder.starts_with(source.join("fixtures"));
        let folder = if is_fixture { &fixtures } else { &dist };
        let path = folder.join(format!("{}.wasm", guest.name));
        if wanted.insert(path.clone(), finish(&guest)?).is_some() {
            bail!(
                "two guests would be written to {}: rename one",
                path.display()
            );
        }
    }
    for folder in [&dist, &fixtures] {
        remove_others(folder, &wanted)?;
    }
    for (path, bytes) in wanted {
        if std::fs::read(&path).ok().as_deref() != Some(&bytes) {
            std::fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        }
    }
    Ok(())
}

/// The component with its manifest and the description of its routes, if its
/// package has them.
fn finish(guest: &Guest) -> Result<Vec<u8>> {
    let bytes =
        std::fs::read(&guest.file).with_context(|| format!("read {}", guest.file.display()))?;
    if !guest.folder.join("plugin.toml").is_file() {
        return Ok(bytes);
    }
    let (_, component) = component_file::with_folder(&bytes, &guest.folder)
        .with_context(|| format!("describe {} by its folder", guest.file.display()))?;
    Ok(component)
}

/// Finds the components in what cargo said.
fn read_messages(messages: &str, source: &Path) -> Result<Vec<Guest>> {
    let mut by_folder: BTreeMap<PathBuf, Vec<(String, PathBuf)>> = BTreeMap::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("read a message of cargo")?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        if text(message.get("reason")).as_deref() != Some("compiler-artifact") {
            continue;
        }
        let (Some(manifest), Some(target)) = (
            text(message.get("manifest_path")),
            text(message.pointer("/target/name")),
        ) else {
            continue;
        };
        let Some(folder) = Path::new(&manifest)
            .parent()
            .filter(|path| path.starts_with(source))
        else {
            continue;
        };
        let files = message.get("filenames").and_then(Value::as_array);
        let components = files
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(PathBuf::from);
        let components: Vec<PathBuf> = components
            .filter(|path| path.extension().is_some_and(|end| end == "wasm"))
            .collect();
        let kinds = message
            .pointer("/target/crate_types")
            .and_then(Value::as_array);
        if !components.is_empty() && kinds.is_some_and(|kinds| kinds.len() > 1) {
            bail!(
                "{manifest}: what others may link is not optimized as a whole; leave `cdylib` \
                 alone in `crate-type` (docs/adr/0074)"
            );
        }
        by_folder.entry(folder.to_owned()).or_default().extend(
            components
                .into_iter()
                .map(|path| (target.replace('_', "-"), path)),
        );
    }
    let mut guests = Vec::new();
    for (folder, targets) in by_folder {
        let only_one = targets.len() == 1;
        for (target, file) in targets {
            let folder_name = folder.file_name().and_then(|name| name.to_str());
            let name = folder_name
                .filter(|_| only_one)
                .map_or(target, str::to_owned);
            guests.push(Guest {
                folder: folder.clone(),
                name,
                file,
            });
        }
    }
    Ok(guests)
}

/// Removes components of guests that are no more.
fn remove_others(folder: &Path, wanted: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_component = path.extension().is_some_and(|end| end == "wasm");
        if is_component && !wanted.contains_key(&path) {
            std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}
