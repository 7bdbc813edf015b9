//! Building the dashboard into `host/dashboard/dist`, from where the server
//! takes it into itself, and its own tests.
//!
//! Nothing is written when nothing that it is made of has changed, so that the
//! server is not built anew for nothing.

use crate::{
    process::{Folder, Program},
    setup::{self, announce},
    workspace::Workspace,
};
use anyhow::{Context as _, Result};
use atlashub_core::Digest;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// What the dashboard is made of, besides the parts that the lock file names.
const SOURCES: &[&str] = &[
    "host/dashboard/src",
    "host/dashboard/public",
    "host/dashboard/scripts",
    "host/dashboard/index.html",
    "host/dashboard/package.json",
    "host/dashboard/package-lock.json",
    "host/dashboard/vite.config.ts",
    "docs/openapi.json",
];

/// Made from the description of the interface, and so no source.
const GENERATED: &str = "schema.d.ts";

/// Builds the pages, if they are not there as they should be.
pub(crate) fn build(repository: &Workspace) -> Result<()> {
    let folder = repository.root().join("host/dashboard");
    let stamp = folder.join("dist/built-from");
    let digest = digest(repository.root())?;
    let is_current = std::fs::read_to_string(&stamp).is_ok_and(|text| text == digest)
        && folder.join("dist/www/index.html").is_file();
    if is_current {
        return Ok(());
    }
    install(&folder)?;
    announce("building the dashboard");
    npm(&folder, &["run", "--silent", "build"]).output("build the dashboard")?;
    std::fs::write(&stamp, digest).with_context(|| format!("write {}", stamp.display()))
}

/// The types, the lint, and the pages in a browser against the server's
/// binary.
pub(crate) fn test(repository: &Workspace, words: &[String]) -> Result<()> {
    let folder = repository.root().join("host/dashboard");
    install(&folder)?;
    npm(&folder, &["run", "--silent", "check"]).run("check the dashboard's types")?;
    let browser = setup::browser()?;
    let data = Folder::new("tests-of-the-dashboard", None)?;
    npm(&folder, &["run", "--silent", "e2e", "--"])
        .args(words)
        .env("ATLASHUB_BIN", repository.binary())
        .env("ATLASHUB_TEST_CHROMIUM", browser)
        .env(
            "ATLASHUB_TEST_COMPONENTS",
            repository.root().join("plugins/dist"),
        )
        .env("TMPDIR", data.path())
        .run("pass the tests of the dashboard")
}

/// What a browser measures of a server's pages, as JSON.
pub(crate) fn measure(repository: &Workspace, words: &[&str]) -> Result<String> {
    let folder = repository.root().join("host/dashboard");
    install(&folder)?;
    Program::new("node")
        .args(["e2e/measure.js"])
        .args(words)
        .current_dir(&folder)
        .env("ATLASHUB_TEST_CHROMIUM", setup::browser()?)
        .output("measure the dashboard")
}

/// Fetches the parts that the lock file names, unless they are there.
fn install(folder: &Path) -> Result<()> {
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))
        .context("read the dashboard's lock file")?;
    let mark = folder.join("node_modules/.atlashub-installed");
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == lock) {
        return Ok(());
    }
    announce("fetching the parts of the dashboard");
    npm(
        folder,
        &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    )
    .output("fetch the parts of the dashboard from npm (Node 20.19 or later is needed)")?;
    std::fs::write(&mark, lock).with_context(|| format!("write {}", mark.display()))
}

fn npm(folder: &Path, words: &[&str]) -> Program {
    Program::new("npm").args(words).current_dir(folder)
}

/// The digest of everything that the dashboard is made of.
fn digest(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut list = String::new();
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display();
        writeln!(list, "{} {name}", Digest::of(&bytes))?;
    }
    Ok(Digest::of(list.as_bytes()).to_string())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        let entry = entry?;
        if entry.file_name() != GENERATED {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}
