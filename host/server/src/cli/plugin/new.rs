//! `atlashub plugin new`: writes a plugin that builds and deploys as it
//! stands. What it writes lies in `template/`; this file fills in the name
//! and where the SDK is.

use super::sdk;
use anyhow::{Context as _, bail};
use atlashub_core::{PluginName, manifest::check_route};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Arguments of `plugin new`.
#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// The plugin's name: lower-case letters, digits and single dashes
    name: String,
    /// The folder to write; by default one of the plugin's name
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// The folder of the SDK (`sdk/rust` of the source tree); by default the
    /// one that is found above, else a copy that goes with the plugin
    #[arg(long, value_name = "DIR", env = "ATLASHUB_SDK")]
    sdk: Option<PathBuf>,
}

/// Path within the plugin, content before the names are filled in.
const TEMPLATE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("plugin.toml", include_str!("template/plugin.toml.in")),
    ("src/lib.rs", include_str!("template/lib.rs.in")),
    (".gitignore", include_str!("template/gitignore.in")),
];

/// Where a copy of the SDK goes, within the plugin; the template keeps it out
/// of the plugin's own workspace.
const COPY: &str = "vendor";

/// Writes the plugin.
///
/// # Errors
/// When the name is not one, the folder is there already, or cannot be
/// written.
pub(crate) fn run(args: &NewArgs) -> anyhow::Result<()> {
    let name: PluginName = args.name.parse()?;
    name.check_free()?;
    check_route(&format!("/{name}"))?;
    let folder = args
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(name.as_str()));
    if folder.exists() && fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_some())
    {
        bail!(
            "{} is there already: name another folder with --path",
            folder.display()
        );
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let found = match &args.sdk {
        Some(path) => Some(checked_sdk(path)?),
        None => sdk_above(&folder),
    };
    if found.is_none() {
        sdk::write(&folder.join(COPY))?;
    }
    let place = found.unwrap_or_else(|| Path::new(COPY).join("sdk/rust"));
    write(&folder, &name, &place)?;

    let shown = folder.display();
    println!(
        "wrote the plugin {name} to {shown}, with the SDK of {}",
        place.display()
    );
    println!("  test:    cargo test --manifest-path {shown}/Cargo.toml");
    println!("  build:   atlashub plugin build --path {shown}");
    println!("  deploy:  atlashub plugin deploy {shown} --project <slug>");
    Ok(())
}

fn write(folder: &Path, name: &PluginName, sdk: &Path) -> anyhow::Result<()> {
    for (path, content) in TEMPLATE {
        let content = content
            .replace("@NAME@", name.as_str())
            .replace("@SDK@", &dependency(sdk, false))
            .replace("@SDK_TESTING@", &dependency(sdk, true));
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// How `Cargo.toml` names the SDK. A literal string of TOML takes a path of
/// any system as it is.
fn dependency(sdk: &Path, testing: bool) -> String {
    let features = if testing {
        ", features = [\"testing\"]"
    } else {
        ""
    };
    format!("{{ path = '{}'{features} }}", sdk.display())
}

/// The SDK of the source tree in which `folder` lies.
fn sdk_above(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    folder
        .ancestors()
        .map(|above| above.join("sdk/rust"))
        .find(|path| is_sdk(path))
}

fn checked_sdk(path: &Path) -> anyhow::Result<PathBuf> {
    let whole = path
        .canonicalize()
        .with_context(|| format!("read {}", path.display()))?;
    if !is_sdk(&whole) {
        bail!(
            "{} is not the folder of the SDK: it lies in `sdk/rust` of the source",
            path.display()
        );
    }
    Ok(whole)
}

fn is_sdk(path: &Path) -> bool {
    fs::read_to_string(path.join("Cargo.toml")).is_ok_and(|text| {
        text.lines()
            .any(|line| line.trim() == "name = \"atlashub-sdk\"")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use atlashub_core::component_file::load_manifest_dir;

    #[test]
    fn the_template_is_filled_in() {
        let folder = std::env::temp_dir().join(format!("atlashub-{}", uuid::Uuid::now_v7()));
        let path = folder.join("my-notes");
        let args = NewArgs {
            name: "my-notes".into(),
            path: Some(path.clone()),
            sdk: None,
        };
        run(&args).unwrap();
        let again = run(&args);
        let manifest = load_manifest_dir(&path);
        let carried = is_sdk(&path.join("vendor/sdk/rust"));
        let texts: Vec<String> = TEMPLATE
            .iter()
            .map(|(file, _)| fs::read_to_string(path.join(file)).unwrap())
            .collect();
        fs::remove_dir_all(&folder).unwrap();
        assert!(again.is_err(), "a plugin was overwritten");
        assert!(carried, "the SDK was left out");
        assert_eq!(manifest.unwrap().name.as_str(), "my-notes");
        for text in texts {
            assert!(!text.contains('@'), "something was left out in:\n{text}");
        }
    }
}
