//! Texts in Office Open XML.

use super::{
    Archive, properties,
    xml::{self, Node},
};
use crate::{Found, broken, text::Text};
use atlashub_sdk::prelude::*;

/// The part that every such document has.
pub(crate) const MAIN: &str = "word/document.xml";

/// A text.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Result<Found> {
    let mut archive = Archive::open(bytes)?;
    let main = archive
        .text(MAIN)?
        .ok_or_else(|| broken("its text is missing"))?;
    words(&main, text)?;
    drop(main);
    let mut others = archive.numbered("word/header", ".xml");
    others.extend(archive.numbered("word/footer", ".xml"));
    others.extend(
        [
            "word/footnotes.xml",
            "word/endnotes.xml",
            "word/comments.xml",
        ]
        .map(Into::into),
    );
    for part in others {
        if let Some(part) = archive.text(&part)? {
            text.paragraph();
            words(&part, text)?;
        }
    }
    Ok(Found {
        title: properties::title(&mut archive)?,
        pages: properties::pages(&mut archive)?,
        encoding: None,
    })
}

fn words(part: &str, text: &mut Text) -> Result<()> {
    let mut is_text = false;
    // What older programs are to show instead says everything twice.
    let mut fallback = 0_usize;
    xml::walk(part, |node| {
        match node {
            Node::Open("Fallback", _) => fallback += 1,
            Node::Close("Fallback") => fallback = fallback.saturating_sub(1),
            _ if fallback > 0 => {}
            Node::Open("t", _) => is_text = true,
            Node::Close("t") => is_text = false,
            Node::Text(words) if is_text => text.push(words),
            Node::Open("tab", _) | Node::Close("tc") => text.space(),
            Node::Open("br" | "cr", _) | Node::Close("p" | "tr") => text.line(),
            Node::Close("tbl") => text.paragraph(),
            _ => {}
        }
        !text.is_full()
    })
}
