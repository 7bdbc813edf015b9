//! PDF, page by page.
//!
//! The library that knows fonts and places follows drawings into drawings
//! without counting, and takes a picture's bytes for such a drawing. So
//! pictures are emptied first, and drawings that contain themselves, or are
//! nested deeper than anybody draws, are refused.

use crate::{Found, broken, encrypted, text::Text, too_large};
use atlashub_sdk::prelude::*;
use pdf_extract::{
    Dictionary, Document, MediaBox, Object, ObjectId, OutputDev, OutputError, Transform, output_doc,
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
    let mut output = Pages { text, last: None };
    if let Err(error) = output_doc(&document, &mut output)
        && !output.text.is_full()
    {
        return Err(broken(error));
    }
    Ok(Found {
        title: title(&document),
        pages: Some(pages.len()),
        encoding: None,
    })
}

/// How far apart what is still one word stands at most, in sizes of the font.
const WORD: f64 = 0.1;
/// How far below stands what is not on the same line.
const LINE: f64 = 0.5;
/// How far below stands what does not follow from the line above.
const PARAGRAPH: f64 = 1.5;

/// The text of pages, from where their letters stand: blanks and line breaks
/// are places in a PDF, not letters.
struct Pages<'a> {
    text: &'a mut Text,
    /// Where the letter before this one stands, and whether a new piece of text
    /// has begun since. None before the first one of a page.
    last: Option<(Letter, bool)>,
}

/// A letter on a page.
#[derive(Clone, Copy)]
struct Letter {
    place: Transform,
    /// Its width in sizes of the font.
    width: f64,
    font_size: f64,
}

impl Letter {
    /// The size of its font on the page: the side of the square that is as
    /// large as what a square of the font's size becomes there.
    fn size(&self) -> f64 {
        self.font_size.abs() * self.place.determinant().abs().sqrt()
    }

    /// What stands between it and `next`, which begins a new piece of text.
    fn apart(&self, next: &Self, text: &mut Text) {
        let size = next.size();
        // Along the line that is written on, and across it: pages are turned.
        let length = next.place.m11.hypot(next.place.m12);
        let (dx, dy) = (next.place.m11 / length, next.place.m12 / length);
        let (x, y) = (
            next.place.m31 - self.place.m31,
            next.place.m32 - self.place.m32,
        );
        let along = x * dx + y * dy - self.width * self.size();
        let across = (y * dx - x * dy).abs();
        let is_below = across > size * PARAGRAPH;
        if along < 0.0 && across > size * LINE {
            if is_below {
                text.paragraph();
            } else {
                text.line();
            }
        } else if is_below {
            text.line();
        } else if along > size * WORD {
            text.space();
        }
    }
}

impl OutputDev for Pages<'_> {
    fn begin_page(
        &mut self,
        _: u32,
        _: &MediaBox,
        _: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.last = None;
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.text.paragraph();
        Ok(())
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        character: &str,
    ) -> Result<(), OutputError> {
        let letter = Letter {
            place: *place,
            width,
            font_size,
        };
        if let Some((last, true)) = &self.last {
            last.apart(&letter, self.text);
        }
        self.last = Some((letter, false));
        self.text.push(character);
        // Nothing more is taken: the rest need not be read.
        if self.text.is_full() {
            return Err(OutputError::FormatError(fmt::Error));
        }
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        if let Some((_, has_begun)) = &mut self.last {
            *has_begun = true;
        }
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
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
