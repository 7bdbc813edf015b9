//! The SDK as this binary carries it: a plugin written where the source tree
//! is not at hand gets a copy, and builds without a package registry.

use anyhow::Context as _;
use std::{fs, path::Path};

/// The SDK and the WIT that it is made from, as the build script found them:
/// path within the source tree, content.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The source tree's own manifest: versions and lints that the SDK inherits.
const WORKSPACE: &str = include_str!("../../../../../Cargo.toml");

/// Writes the SDK into `folder`, laid out as in the source tree.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    for (path, content) in FILES {
        write_file(&folder.join(path), content)?;
    }
    write_file(&folder.join("Cargo.toml"), &workspace()?)
}

fn write_file(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    fs::write(path, content).with_context(|| format!("write {}", path.display()))
}

/// A workspace of the SDK alone: what it inherits, without the other rooms.
fn workspace() -> anyhow::Result<String> {
    let whole: toml::Table = WORKSPACE.parse().context("read the workspace's manifest")?;
    let mut own = whole
        .get("workspace")
        .and_then(toml::Value::as_table)
        .cloned()
        .context("the workspace's manifest has no workspace")?;
    own.insert(
        "members".to_owned(),
        toml::Value::Array(vec!["sdk/rust".into()]),
    );
    own.remove("exclude");
    if let Some(dependencies) = own
        .get_mut("dependencies")
        .and_then(toml::Value::as_table_mut)
    {
        dependencies.retain(|_, dependency| dependency.get("path").is_none());
    }
    let mut manifest = toml::Table::new();
    manifest.insert("workspace".to_owned(), toml::Value::Table(own));
    toml::to_string(&manifest).context("write the workspace's manifest")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use std::{collections::BTreeSet, path::PathBuf};

    fn files_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("released") {
                    files_below(&path, found);
                }
            } else if path
                .extension()
                .is_some_and(|end| end == "rs" || end == "wit")
                || path.ends_with("Cargo.toml")
            {
                found.insert(path);
            }
        }
    }

    #[test]
    fn the_whole_sdk_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut there = BTreeSet::new();
        files_below(&root.join("sdk/rust"), &mut there);
        files_below(&root.join("wit"), &mut there);
        let carried: BTreeSet<PathBuf> = FILES.iter().map(|(path, _)| root.join(path)).collect();
        assert_eq!(carried, there);
        assert!(carried.contains(&root.join("sdk/rust/src/lib.rs")));
        assert!(carried.contains(&root.join("wit/world.wit")));
    }

    #[test]
    fn the_copy_has_a_workspace_of_its_own() {
        let workspace: toml::Table = workspace().unwrap().parse().unwrap();
        let inherited = |key: &str| workspace["workspace"].get(key).is_some();
        assert!(inherited("package") && inherited("lints") && inherited("dependencies"));
        assert_eq!(
            workspace["workspace"]["members"].as_array().unwrap().len(),
            1
        );
        assert!(
            workspace["workspace"]["dependencies"]
                .get("atlashub-core")
                .is_none()
        );
    }
}
