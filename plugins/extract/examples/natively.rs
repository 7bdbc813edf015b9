//! What the sandbox is measured against: `pdf-extract` by itself.
//!
//! `natively make <file>` writes a PDF of 200 pages; `natively read <file>`
//! takes its text out and prints how many milliseconds that took.

use pdf_extract::{Dictionary, Document, Object, Stream, dictionary};
use std::{error::Error, fmt::Write as _, time::Instant};

const PAGES: usize = 200;
/// Lines of a page, and words of a line: a page of a report.
const LINES: usize = 45;
const WORDS: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", file] => make(file),
        ["read", file] => read(file),
        _ => Err("natively make|read <file>".into()),
    }
}

fn read(file: &str) -> Result<(), Box<dyn Error>> {
    let bytes = std::fs::read(file)?;
    let start = Instant::now();
    let text = pdf_extract::extract_text_from_mem(&bytes)?;
    let took = start.elapsed();
    if text.split_whitespace().count() < PAGES * LINES * WORDS {
        return Err("not all of the text was found".into());
    }
    println!("{:.1}", took.as_secs_f64() * 1e3);
    Ok(())
}

fn make(file: &str) -> Result<(), Box<dyn Error>> {
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica",
        "Encoding" => "WinAnsiEncoding",
    });
    let resources = document.add_object(dictionary! {
        "Font" => dictionary! { "F1" => font },
    });
    let mut kids: Vec<Object> = Vec::new();
    for page in 0..PAGES {
        let content = document.add_object(Stream::new(Dictionary::new(), drawing(page)?));
        let kid = document.add_object(dictionary! {
            "Type" => "Page", "Parent" => pages, "Contents" => content,
        });
        kids.push(kid.into());
    }
    let count = i64::try_from(kids.len())?;
    let tree = dictionary! {
        "Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources,
        "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
    };
    document.objects.insert(pages, tree.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    document.trailer.set("Root", catalog);
    document.compress();
    document.save(file)?;
    Ok(())
}

/// A page's text, line by line.
fn drawing(page: usize) -> Result<Vec<u8>, std::fmt::Error> {
    let mut text = String::from("BT /F1 10 Tf 14 TL 50 790 Td\n");
    for line in 0..LINES {
        text.push('(');
        for word in 0..WORDS {
            let number = page * LINES * WORDS + line * WORDS + word;
            write!(text, "word{number} ")?;
        }
        text.push_str(") Tj T*\n");
    }
    text.push_str("ET\n");
    Ok(text.into_bytes())
}
