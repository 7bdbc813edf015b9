//! PDF, page by page.
//!
//! The library that knows fonts and places follows drawings into drawings
//! without counting, and takes a picture's bytes for such a drawing. So
//! pictures are emptied first, and drawings that contain themselves, or are
//! nested deeper than anybody draws, are refused.

use crate::{Found, broken, encrypted, text::Text, too_large};
use atlashub_sdk::prelude::*;
use pdf_extract::{
    ConvertToFmt, Dictionary, Document, MediaBox, Object, ObjectId, OutputDev, OutputError,
    PlainTextOutput, Transform, output_doc,
};
use std::{
    cell::RefCell,
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
    let text = RefCell::new(text);
    let mut output = Pages {
        plain: PlainTextOutput::new(Writer(&text)),
        text: &text,
    };
    if let Err(error) = output_doc(&document, &mut output)
        && !text.borrow().is_full()
    {
        return Err(broken(error));
    }
    Ok(Found {
        title: title(&document),
        pages: Some(pages.len()),
        encoding: None,
    })
}

/// The text, which the library's output and what is around it both add to.
type Shared<'a> = RefCell<&'a mut Text>;

/// Where the library writes text.
struct Writer<'a>(&'a Shared<'a>);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let mut text = self.0.borrow_mut();
        text.push(piece);
        // Nothing more is taken: the rest need not be read.
        if text.is_full() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

impl<'a> ConvertToFmt for Writer<'a> {
    type Writer = Self;

    fn convert(self) -> Self {
        self
    }
}

/// The library's plain text, with each page a paragraph.
struct Pages<'a> {
    plain: PlainTextOutput<Writer<'a>>,
    text: &'a Shared<'a>,
}

impl OutputDev for Pages<'_> {
    fn begin_page(
        &mut self,
        page: u32,
        media_box: &MediaBox,
        art_box: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.plain.begin_page(page, media_box, art_box)
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.text.borrow_mut().paragraph();
        self.plain.end_page()
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        character: &str,
    ) -> Result<(), OutputError> {
        self.plain
            .output_character(place, width, spacing, font_size, character)
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.plain.begin_word()
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        self.plain.end_word()
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        self.plain.end_line()
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
