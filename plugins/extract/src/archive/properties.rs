//! What office documents say about themselves: `docProps/core.xml` and
//! `docProps/app.xml`.

use super::{
    Archive,
    xml::{self, Node},
};
use atlashub_sdk::prelude::*;

/// More pages than that are not believed.
const MOST_PAGES: usize = 100_000;

/// The document's title.
pub(crate) fn title(archive: &mut Archive<'_>) -> Result<Option<String>> {
    property(archive, "docProps/core.xml", "title")
}

/// How many pages the program that wrote the document counted.
pub(crate) fn pages(archive: &mut Archive<'_>) -> Result<Option<usize>> {
    let counted = property(archive, "docProps/app.xml", "Pages")?;
    let counted = counted.and_then(|pages| pages.trim().parse().ok());
    Ok(counted.filter(|pages| *pages <= MOST_PAGES))
}

fn property(archive: &mut Archive<'_>, part: &str, wanted: &str) -> Result<Option<String>> {
    let Some(document) = archive.text(part)? else {
        return Ok(None);
    };
    let mut value: Option<String> = None;
    let mut is_here = false;
    let read = xml::walk(&document, |node| {
        match node {
            Node::Open(name, _) if name == wanted => is_here = true,
            Node::Close(name) if name == wanted => return false,
            Node::Text(text) if is_here => value.get_or_insert_default().push_str(text),
            _ => {}
        }
        true
    });
    // A document can be read whose properties cannot.
    Ok(read.ok().and(value))
}
