//! Presentations in Office Open XML: slide after slide, then the notes.

use super::{
    Archive, properties,
    xml::{self, Node},
};
use crate::{Found, text::Text};
use atlashub_sdk::prelude::*;

/// The part that every presentation has.
pub(crate) const MAIN: &str = "ppt/presentation.xml";

/// A presentation.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Result<Found> {
    let mut archive = Archive::open(bytes)?;
    let slides = archive.numbered("ppt/slides/slide", ".xml");
    let notes = archive.numbered("ppt/notesSlides/notesSlide", ".xml");
    for part in slides.iter().chain(&notes) {
        if let Some(part) = archive.text(part)? {
            words(&part, text)?;
            text.paragraph();
        }
    }
    Ok(Found {
        title: properties::title(&mut archive)?,
        pages: Some(slides.len()),
        encoding: None,
    })
}

fn words(part: &str, text: &mut Text) -> Result<()> {
    let mut is_text = false;
    xml::walk(part, |node| {
        match node {
            Node::Open("t", _) => is_text = true,
            Node::Close("t") => is_text = false,
            Node::Text(words) if is_text => text.push(words),
            Node::Open("tab", _) | Node::Close("tc") => text.space(),
            Node::Open("br", _) | Node::Close("p" | "tr") => text.line(),
            _ => {}
        }
        !text.is_full()
    })
}
