//! Where things lie: the checkout, cargo's target folder, the cache.
//!
//! Builds use one profile, `release`, for the server, its tests and checks
//! alike; these chores and the plugins' own tests use `dev`.

use crate::process::Program;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// The checkout that this program works on.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Asks cargo where it builds.
    pub(crate) fn find() -> Result<Self> {
        // Asked for while running, not compiled in: two checkouts that share a
        // target folder share this program too.
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .ancestors()
            .nth(2)
            .context("find the root of the checkout")?
            .to_owned();
        let text = Program::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(&root)
            .output("ask cargo for its target folder")?;
        let metadata: serde_json::Value = serde_json::from_str(&text)?;
        let target = metadata
            .get("target_directory")
            .and_then(serde_json::Value::as_str)
            .context("cargo metadata names no target folder")?
            .into();
        Ok(Self { root, target })
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The server's binary as development and tests use it.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("release").join("atlashub")
    }

    /// The server's binary as it is shipped, for another machine when it is
    /// named.
    pub(crate) fn shipped(&self, target: Option<&str>) -> PathBuf {
        let folder = target.map_or_else(|| self.target.clone(), |triple| self.target.join(triple));
        folder.join("dist").join("atlashub")
    }

    /// An example's binary, built like what is shipped.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.target.join("dist").join("examples").join(name)
    }

    /// The target folder of the guests.
    pub(crate) fn guest_target(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// Cargo, run in the root of the checkout.
    pub(crate) fn cargo(&self, args: &[&str]) -> Program {
        Program::new("cargo").args(args).current_dir(&self.root)
    }

    /// Cargo in the workspace of the guests, with its own target folder.
    pub(crate) fn guest_cargo(&self, args: &[&str]) -> Program {
        Program::new("cargo")
            .args(args)
            .current_dir(self.root.join("plugins"))
            .env("CARGO_TARGET_DIR", self.guest_target())
    }
}

/// The folder that keeps fetched tools between runs: `~/.cache/atlashub`.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("atlashub"))
}
