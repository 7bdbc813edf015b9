//! Books: the chapters in the order in which they are read.

use super::{
    Archive,
    xml::{self, Node},
};
use crate::{Found, broken, html, text::Text};
use atlashub_sdk::prelude::*;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;

const CONTAINER: &str = "META-INF/container.xml";
/// Most chapters that are read.
const MAX_CHAPTERS: usize = 5_000;

/// What the package document lists.
#[derive(Default)]
struct Package {
    title: Option<String>,
    /// Addresses by id.
    items: HashMap<String, String>,
    /// Ids, in order.
    spine: Vec<String>,
}

/// A book.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Result<Found> {
    let mut archive = Archive::open(bytes)?;
    let container = archive
        .text(CONTAINER)?
        .ok_or_else(|| broken("it has no container"))?;
    let at = package_path(&container)?.ok_or_else(|| broken("it names no package"))?;
    let document = archive
        .text(&at)?
        .ok_or_else(|| broken("its package is missing"))?;
    let package = package(&document)?;
    let mut chapters = 0;
    for id in package.spine.iter().take(MAX_CHAPTERS) {
        if text.is_full() {
            break;
        }
        let Some(path) = package.items.get(id).and_then(|href| resolve(&at, href)) else {
            continue;
        };
        if let Some(chapter) = archive.text(&path)? {
            html::words(&chapter, text);
            text.paragraph();
            chapters += 1;
        }
    }
    Ok(Found {
        title: package.title,
        pages: Some(chapters),
        encoding: None,
    })
}

fn package_path(container: &str) -> Result<Option<String>> {
    let mut path = None;
    xml::walk(container, |node| {
        if let Node::Open("rootfile", tag) = node {
            path = xml::attribute(tag, "full-path");
        }
        path.is_none()
    })?;
    Ok(path)
}

fn package(document: &str) -> Result<Package> {
    let mut package = Package::default();
    let mut is_title = false;
    xml::walk(document, |node| {
        match node {
            Node::Open("title", _) => is_title = package.title.is_none(),
            Node::Close("title") => is_title = false,
            Node::Text(text) if is_title => package.title.get_or_insert_default().push_str(text),
            Node::Open("item", tag) => {
                if let (Some(id), Some(href)) =
                    (xml::attribute(tag, "id"), xml::attribute(tag, "href"))
                {
                    package.items.insert(id, href);
                }
            }
            Node::Open("itemref", tag) => package.spine.extend(xml::attribute(tag, "idref")),
            _ => {}
        }
        true
    })?;
    Ok(package)
}

/// The entry that `href` means in the file at `base`; none when it leads out.
fn resolve(base: &str, href: &str) -> Option<String> {
    let href = href.split(['#', '?']).next()?;
    let href = percent_decode_str(href).decode_utf8().ok()?;
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in href.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_inside() {
        assert_eq!(
            resolve("a/b.opf", "c%20d.xhtml#x").as_deref(),
            Some("a/c d.xhtml")
        );
        assert_eq!(resolve("a/b.opf", "../c").as_deref(), Some("c"));
        assert_eq!(resolve("a/b.opf", "../../c"), None);
    }
}
