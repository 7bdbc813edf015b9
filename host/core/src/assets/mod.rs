//! The static files of a plugin: what its manifest says of them, and how they
//! travel inside the component, in the custom section [`SECTION`]. The host
//! serves them itself, without an instance.
//!
//! The section is an index, as JSON, and the contents after it: each file as it
//! is and, where that is smaller, compressed with Brotli (RFC 7932) and gzip
//! (RFC 1952), so that nothing is compressed while requests wait.

mod content_type;
mod index;
mod pack;
mod path;

pub use content_type::content_type;
pub use index::{AssetFile, AssetIndex, Span};
pub use pack::pack_folder;

use crate::{
    Error, Result,
    manifest::{Route, check_route},
};
use serde::{Deserialize, Serialize};

/// Name of the custom section that carries the files.
pub const SECTION: &str = "atlashub:assets";

/// Most files of a plugin.
pub const MAX_FILES: usize = 2_000;
/// Largest file, bytes.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of all files, as they are.
pub const MAX_TOTAL_BYTES: usize = 24 * 1024 * 1024;

/// Most pages of a plugin in the dashboard.
const MAX_PAGES: usize = 8;
/// Longest title of one, characters.
const MAX_TITLE: usize = 40;

/// What a manifest says of the plugin's static files.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Assets {
    /// Where they lie when the component is put together, relative to the
    /// plugin's folder.
    pub folder: String,
    /// Where they are served in a project. Routes that say more go first.
    pub mount: String,
    /// The file that answers for the mount itself and for folders.
    #[serde(default = "index_page")]
    pub index: String,
    /// The file that answers below the mount for what no file is, if the
    /// last segment has no extension: a page that finds its way itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// A page that a plugin brings into the dashboard.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// What it is called there.
    pub title: String,
    /// The file, below the folder of the assets.
    pub path: String,
}

impl Page {
    /// Checks what can be checked without the files.
    ///
    /// # Errors
    /// `invalid_pages`.
    pub(crate) fn check_all(pages: &[Self], assets: Option<&Assets>) -> Result<()> {
        let invalid = |message: String| Error::invalid("invalid_pages", message);
        if pages.is_empty() {
            return Ok(());
        }
        if assets.is_none() {
            return Err(invalid("`pages` lie below `assets`: name those".to_owned()));
        }
        if pages.len() > MAX_PAGES {
            return Err(invalid(format!(
                "a plugin brings at most {MAX_PAGES} pages"
            )));
        }
        for (index, page) in pages.iter().enumerate() {
            let length = page.title.trim().chars().count();
            if length == 0 || length > MAX_TITLE || page.title.chars().any(char::is_control) {
                return Err(invalid(format!(
                    "the `title` of a page has 1 to {MAX_TITLE} characters"
                )));
            }
            path::check(&page.path)?;
            if content_type(&page.path) != content_type("index.html") {
                return Err(invalid(format!(
                    "`{}` is no page: name an .html",
                    page.path
                )));
            }
            let others = pages.get(index + 1..).unwrap_or_default();
            if others.iter().any(|other| other.path == page.path) {
                return Err(invalid(format!("`{}` is named twice", page.path)));
            }
        }
        Ok(())
    }
}

fn index_page() -> String {
    "index.html".to_owned()
}

impl Assets {
    /// Checks what can be checked without the files.
    ///
    /// # Errors
    /// `invalid_assets`, `invalid_route` or `reserved_route`.
    pub(crate) fn check(&self, routes: &[Route]) -> Result<()> {
        path::check(&self.folder)?;
        check_route(&self.mount)?;
        if self.mount.contains('*') {
            return Err(invalid(format!(
                "`mount` is one place, `{}` would be many",
                self.mount
            )));
        }
        if routes.iter().any(|route| route.path == self.mount) {
            return Err(invalid(format!(
                "`{}` is the mount of the assets and a route: leave one",
                self.mount
            )));
        }
        path::check(&self.index)?;
        if self.index.contains('/') {
            return Err(invalid("`index` is the name of a file, without a folder"));
        }
        self.fallback.as_deref().map_or(Ok(()), path::check)
    }

    /// Checks the files against what is said of them.
    ///
    /// # Errors
    /// `invalid_assets`, when the fallback or one of the pages is none of them.
    pub fn check_files(&self, pages: &[Page], index: &AssetIndex) -> Result<()> {
        if let Some(fallback) = &self.fallback
            && index.find(fallback).is_none()
        {
            return Err(invalid(format!(
                "the fallback `{fallback}` is none of the files"
            )));
        }
        let missing = pages.iter().find(|page| index.find(&page.path).is_none());
        match missing {
            Some(page) => Err(invalid(format!(
                "the page `{}` is none of the files",
                page.path
            ))),
            None => Ok(()),
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_assets", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use crate::Manifest;

    #[test]
    fn doubtful_pages_are_refused() {
        let read = |assets: &str, pages: &str| {
            Manifest::from_toml(&format!(
                "name = \"pages\"\nversion = \"1.0.0\"\n{assets}\npages = [{pages}]\n"
            ))
        };
        let assets = "assets = { folder = \"web\", mount = \"/pages\" }";
        let page =
            |title: &str, path: &str| format!("{{ title = \"{title}\", path = \"{path}\" }}");
        let fine = page("Settings", "admin/index.html");
        assert_eq!(read(assets, &fine).unwrap().pages.len(), 1);
        for bad in [
            page("", "a.html"),
            page(&"t".repeat(41), "a.html"),
            page("Script", "a.js"),
            page("Climbs", "../a.html"),
            format!("{fine}, {fine}"),
        ] {
            assert!(read(assets, &bad).is_err(), "{bad}");
        }
        assert_eq!(read("", &fine).unwrap_err().code(), "invalid_pages");
    }

    #[test]
    fn doubtful_assets_are_refused() {
        let read = |assets: &str| {
            Manifest::from_toml(&format!(
                "name = \"pages\"\nversion = \"1.0.0\"\nassets = {{ {assets} }}\n\
                 [[routes]]\npath = \"/pages/api\"\n"
            ))
        };
        let fine = read("folder = \"web/dist\", mount = \"/pages\"").unwrap();
        assert_eq!(fine.assets.unwrap().index, "index.html");
        for (bad, code) in [
            ("folder = \"../web\", mount = \"/pages\"", "invalid_assets"),
            ("folder = \"/etc\", mount = \"/pages\"", "invalid_assets"),
            ("folder = \"web\", mount = \"pages\"", "invalid_route"),
            ("folder = \"web\", mount = \"/admin/x\"", "reserved_route"),
            ("folder = \"web\", mount = \"/a/*\"", "invalid_assets"),
            ("folder = \"web\", mount = \"/pages/api\"", "invalid_assets"),
            (
                "folder = \"web\", mount = \"/pages\", index = \"a/b.html\"",
                "invalid_assets",
            ),
            (
                "folder = \"web\", mount = \"/pages\", fallback = \"../b.html\"",
                "invalid_assets",
            ),
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.code(), code, "{bad}: {error}");
        }
    }
}
