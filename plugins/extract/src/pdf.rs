//! PDF, page by page.
//!
//! The library that knows fonts and places follows drawings into drawings
//! without counting, and takes a picture's bytes for such a drawing. So
//! pictures are emptied first, and drawings that contain themselves, or are
//! nested deeper than anybody draws, are refused.

use crate::{Found, broken, encrypted, text::Text, too_large};
use atlashub_sdk::prelude::*;
use pdf_extract::{
    ConvertToFmt, Dictionary, Document, Object, ObjectId, PlainTextOutput, output_doc_page,
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

/// Most pages of a document.
const MAX_PAGES: usize = 5_000;
/// How deep drawings may contain drawings.
const MAX_DEPTH: usize = 12;

/// A document.
pub(crate) fn read(bytes: &[u8], text: &mut Text) -> Result<Found> {
    let mut document = Document::load_mem(bytes).map_err(broken)?;
    if document.is_encrypted() {
        // Many have an empty password, which every program tries.
        document.decrypt("").map_err(|_| encrypted())?;
    }
    let pages = document.get_pages();
    if pages.len() > MAX_PAGES {
        return Err(too_large("more pages than are read"));
    }
    refuse_endless(&document)?;
    empty_pictures(&mut document);
    for page in pages.keys() {
        if text.is_full() {
            break;
        }
        let mut output = PlainTextOutput::new(Page(text));
        output_doc_page(&document, &mut output, *page).map_err(broken)?;
        text.paragraph();
    }
    Ok(Found {
        title: title(&document),
        pages: Some(pages.len()),
        encoding: None,
    })
}

/// Where the library writes a page's text.
struct Page<'a>(&'a mut Text);

impl fmt::Write for Page<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.0.push(piece);
        Ok(())
    }
}

impl<'a> ConvertToFmt for Page<'a> {
    type Writer = Page<'a>;

    fn convert(self) -> Self::Writer {
        self
    }
}

fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let (_, info) = document.dereference(info).ok()?;
    let title = info.as_dict().ok()?.get(b"Title").ok()?;
    let (_, title) = document.dereference(title).ok()?;
    pdf_extract::decode_text_string(title).ok()
}

/// Empties what is drawn but has no text: pictures, and drawings that borrow
/// the resources of whoever draws them, which may name anything.
fn empty_pictures(document: &mut Document) {
    let drawn: BTreeSet<ObjectId> = document
        .objects
        .values()
        .filter_map(dictionary)
        .flat_map(|owner| drawings(document, owner))
        .collect();
    for id in drawn {
        let Some(Object::Stream(stream)) = document.objects.get_mut(&id) else {
            continue;
        };
        if !stream.dict.has(b"Resources") || is_picture(&stream.dict) {
            stream.dict.remove(b"Filter");
            stream.content.clear();
        }
    }
}

fn dictionary(object: &Object) -> Option<&Dictionary> {
    match object {
        Object::Dictionary(dictionary) => Some(dictionary),
        Object::Stream(stream) => Some(&stream.dict),
        _ => None,
    }
}

fn is_picture(dictionary: &Dictionary) -> bool {
    dictionary
        .get(b"Subtype")
        .and_then(Object::as_name)
        .is_ok_and(|kind| kind == b"Image")
}

/// Refuses drawings that contain themselves.
fn refuse_endless(document: &Document) -> Result<()> {
    let mut depths = HashMap::new();
    for (id, object) in &document.objects {
        if matches!(object, Object::Stream(_)) {
            depth(document, *id, &mut depths, MAX_DEPTH)
                .ok_or_else(|| broken("drawings contain drawings too deeply"))?;
        }
    }
    Ok(())
}

/// How many drawings deep one is; none when that is more than `most`.
fn depth(
    document: &Document,
    id: ObjectId,
    depths: &mut HashMap<ObjectId, usize>,
    most: usize,
) -> Option<usize> {
    if let Some(depth) = depths.get(&id) {
        return (*depth <= most).then_some(*depth);
    }
    let Some(Object::Stream(drawing)) = document.objects.get(&id) else {
        return Some(0);
    };
    let most_within = most.checked_sub(1)?;
    let mut deepest = 0;
    for inner in drawings(document, &drawing.dict) {
        deepest = deepest.max(depth(document, inner, depths, most_within)?);
    }
    depths.insert(id, deepest + 1);
    Some(deepest + 1)
}

/// The drawings that resources name: those of their owner, or themselves.
fn drawings(document: &Document, owner: &Dictionary) -> Vec<ObjectId> {
    let inside = |outer: &'_ Dictionary, key: &[u8]| -> Option<Dictionary> {
        let (_, object) = document.dereference(outer.get(key).ok()?).ok()?;
        object.as_dict().ok().cloned()
    };
    let resources = inside(owner, b"Resources");
    let Some(named) = inside(resources.as_ref().unwrap_or(owner), b"XObject") else {
        return Vec::new();
    };
    let references = named
        .iter()
        .filter_map(|(_, object)| object.as_reference().ok());
    references.collect()
}
