//! What kind of document bytes are: told by the bytes, and by a name only
//! where kinds of plain text have to be told apart.

use crate::{archive, encrypted};
use atlashub_sdk::prelude::*;

/// Kinds of documents that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Plain text, also source code, JSON and the like.
    Txt,
    /// `CommonMark`.
    Md,
    /// HTML.
    Html,
    /// Separated values.
    Csv,
    /// PDF.
    Pdf,
    /// A text in Office Open XML.
    Docx,
    /// A workbook in Office Open XML.
    Xlsx,
    /// A presentation in Office Open XML.
    Pptx,
    /// EPUB.
    Epub,
}

/// Bytes at the beginning in which a PDF's mark may stand.
const PDF_HEAD: usize = 1024;
/// What old office files begin with, and new ones that have a password.
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// The kind of `bytes`.
///
/// # Errors
/// 415 `unsupported_document` for what is none of them, 422 for office
/// documents with a password.
pub(crate) fn tell(bytes: &[u8], name: &str, declared: &str) -> Result<Kind> {
    let name = name.to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let head = bytes.get(..PDF_HEAD).unwrap_or(bytes);
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return archive::kind(bytes)?.ok_or_else(unsupported);
    }
    if bytes.starts_with(COMPOUND_FILE) {
        let is_new = matches!(ending, "docx" | "xlsx" | "pptx");
        return Err(if is_new { encrypted() } else { unsupported() });
    }
    if !is_text(bytes) {
        return Err(unsupported());
    }
    Ok(kind_of_text(head, ending, declared))
}

fn kind_of_text(head: &[u8], ending: &str, declared: &str) -> Kind {
    let declared = declared.split(';').next().unwrap_or_default().trim();
    match (ending, declared.to_ascii_lowercase().as_str()) {
        ("html" | "htm" | "xhtml", _) => Kind::Html,
        ("md" | "markdown", _) => Kind::Md,
        ("csv" | "tsv" | "tab", _) => Kind::Csv,
        ("txt" | "text" | "log", _) => Kind::Txt,
        (_, "text/html" | "application/xhtml+xml") => Kind::Html,
        (_, "text/markdown") => Kind::Md,
        (_, "text/csv" | "text/tab-separated-values") => Kind::Csv,
        _ if begins_as_html(head) => Kind::Html,
        _ => Kind::Txt,
    }
}

fn begins_as_html(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|mark| {
        head.get(..mark.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(mark.as_bytes()))
    })
}

/// Whether it is text of any encoding, and nothing that other programs have
/// a mark for.
fn is_text(bytes: &[u8]) -> bool {
    if encoding_rs::Encoding::for_bom(bytes).is_some() {
        return true;
    }
    let known = infer::get(bytes);
    known.is_none_or(|known| known.matcher_type() == infer::MatcherType::Text)
        && !bytes.contains(&0)
}

fn unsupported() -> Error {
    Error::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_document",
        "no text is known in documents of this kind",
    )
}
