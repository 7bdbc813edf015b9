//! Pages that are built with npm: the dashboard's and those that plugins carry.
//!
//! Nothing is written when nothing that they are made of has changed, so that
//! what takes them into itself is not built anew for nothing.

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

/// Pages, and where they lie in the repository.
pub(crate) struct Pages {
    /// What is said of them.
    pub(crate) name: &'static str,
    /// The folder of their package.
    pub(crate) folder: &'static str,
    /// What they are made of below it, besides the parts that the lock file
    /// names.
    pub(crate) sources: &'static [&'static str],
    /// What else they are made of.
    pub(crate) others: &'static [&'static str],
    /// Where it is written what they were built from, below the folder.
    pub(crate) stamp: &'static str,
    /// The page that a build leaves, below the folder.
    pub(crate) index: &'static str,
}

/// Made from the description of the interface, and so no source.
const GENERATED: &str = "schema.d.ts";

impl Pages {
    /// Builds them, if they are not there as they should be.
    pub(crate) fn build(&self, repository: &Workspace) -> Result<()> {
        let folder = repository.root().join(self.folder);
        let stamp = folder.join(self.stamp);
        let digest = self.digest(repository.root())?;
        let is_current = std::fs::read_to_string(&stamp).is_ok_and(|text| text == digest)
            && folder.join(self.index).is_file();
        if is_current {
            return Ok(());
        }
        install(&folder, self.name)?;
        announce(&format!("building {}", self.name));
        npm(&folder, &["run", "--silent", "build"]).output(&format!("build {}", self.name))?;
        std::fs::write(&stamp, digest).with_context(|| format!("write {}", stamp.display()))
    }

    /// The types, the lint, and the pages in a browser against the server's
    /// binary; servers keep in `compiled` what they have compiled.
    pub(crate) fn test(
        &self,
        repository: &Workspace,
        compiled: &Path,
        words: &[String],
    ) -> Result<()> {
        let folder = repository.root().join(self.folder);
        install(&folder, self.name)?;
        npm(&folder, &["run", "--silent", "check"])
            .run(&format!("check the types of {}", self.name))?;
        let browser = browser(repository)?;
        let data = Folder::new("tests-of-pages", None)?;
        npm(&folder, &["run", "--silent", "e2e", "--"])
            .args(words)
            .env("ATLASHUB_BIN", repository.binary())
            .env("ATLASHUB_TEST_CHROMIUM", browser)
            .env("ATLASHUB_TEST_COMPILED", compiled)
            .env(
                "ATLASHUB_TEST_COMPONENTS",
                repository.root().join("plugins/dist"),
            )
            .env("TMPDIR", data.path())
            .run(&format!("pass the tests of {}", self.name))
    }

    /// What their script `e2e/measure.js` measures in a browser, as JSON.
    pub(crate) fn measure(&self, repository: &Workspace, words: &[&str]) -> Result<String> {
        Program::new("node")
            .args(["e2e/measure.js"])
            .args(words)
            .current_dir(repository.root().join(self.folder))
            .env("ATLASHUB_TEST_CHROMIUM", browser(repository)?)
            .output(&format!("measure {}", self.name))
    }

    /// The digest of everything that they are made of.
    fn digest(&self, root: &Path) -> Result<String> {
        let mut files = Vec::new();
        for source in self.sources {
            collect(&root.join(self.folder).join(source), &mut files)?;
        }
        for other in self.others {
            collect(&root.join(other), &mut files)?;
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
}

/// The browser, and what drives it.
fn browser(repository: &Workspace) -> Result<PathBuf> {
    install(&repository.root().join("tests/browser"), "tests/browser")?;
    setup::browser()
}

/// Fetches the parts that the lock file in `folder` names, unless they are
/// there.
fn install(folder: &Path, name: &str) -> Result<()> {
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))
        .with_context(|| format!("read the lock file of {name}"))?;
    let mark = folder.join("node_modules/.atlashub-installed");
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == lock) {
        return Ok(());
    }
    announce(&format!("fetching the parts of {name}"));
    npm(
        folder,
        &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    )
    .output(&format!(
        "fetch the parts of {name} from npm (Node 20.19 or later is needed)"
    ))?;
    std::fs::write(&mark, lock).with_context(|| format!("write {}", mark.display()))
}

fn npm(folder: &Path, words: &[&str]) -> Program {
    Program::new("npm").args(words).current_dir(folder)
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
