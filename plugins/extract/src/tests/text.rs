//! `POST /text` with documents made here, honest and crafted ones.

use crate::routes;
use atlashub_sdk::prelude::*;
use serde_json::Value;
use std::io::{Cursor, Write as _};
use zip::{ZipWriter, write::SimpleFileOptions};

fn call(name: &str, bytes: impl Into<Vec<u8>>) -> Response {
    routes().call(Request::post(format!("/text?name={name}"), bytes.into()))
}

fn read(name: &str, bytes: impl Into<Vec<u8>>) -> Value {
    let response = call(name, bytes);
    let status = response.status().as_u16();
    let answer: Value = response.into_json().unwrap();
    assert_eq!(status, 200, "{name}: {answer}");
    answer
}

fn refused(name: &str, bytes: impl Into<Vec<u8>>) -> (u16, String) {
    let response = call(name, bytes);
    let status = response.status().as_u16();
    let problem: Value = response.into_json().unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A PDF of these objects, the first of which is the catalogue.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", at + 1).bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").bytes());
    }
    file.extend(
        format!(
            "trailer\n<< /Root 1 0 R /Info << /Title (A title) >> /Size {} >>\nstartxref\n{table}\n%%EOF\n",
            objects.len() + 1
        )
        .bytes(),
    );
    file
}

fn stream(head: &str, content: &str) -> String {
    format!(
        "<< {head} /Length {} >>\nstream\n{content}\nendstream",
        content.len()
    )
}

/// A PDF of one page that draws the object 5 in the midst of its words.
fn drawing(object: String) -> Vec<u8> {
    pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".into(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 600 800] >>".into(),
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources 6 0 R >>".into(),
        stream(
            "",
            "BT /F 12 Tf 50 700 Td (before) Tj ET /X Do BT /F 12 Tf 50 500 Td (after) Tj ET",
        ),
        object,
        "<< /Font << /F 7 0 R >> /XObject << /X 5 0 R >> >>".into(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into(),
    ])
}

const DOCX: &str = r#"<w:document xmlns:w="w" xmlns:mc="mc"><w:body>
  <w:p><w:r><w:t>One &amp; </w:t></w:r><w:r><w:t>two</w:t><w:tab/><w:t>&#x42;</w:t></w:r></w:p>
  <w:p><w:r><mc:AlternateContent><mc:Choice><w:t>shown</w:t></mc:Choice><mc:Fallback><w:t>again</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>
  <w:p><w:r><w:instrText>PAGE</w:instrText><w:delText>gone</w:delText></w:r></w:p>
  <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"#;

#[test]
fn plain_text_is_told_by_its_name_and_its_bytes() {
    let answer = read("a.txt", "Hello,\r\n\r\n\r\nworld");
    assert_eq!(answer["kind"], "txt");
    assert_eq!(answer["text"], "Hello,\n\nworld");
    assert_eq!(answer["words"], 2);
    assert_eq!(answer["encoding"], "UTF-8");
    assert_eq!(answer["pages"], Value::Null);
    assert_eq!(read("a.md", "# T\n\n*x*")["text"], "T\n\nx");
    assert_eq!(read("a.csv", "a,b\nc,d")["text"], "a b\nc d");
    assert_eq!(read("a.html", "<p>a<p>b")["text"], "a\n\nb");
    assert_eq!(read("a", "<!DOCTYPE html><title>t</title>x")["title"], "t");
    assert_eq!(read("a.json", r#"{"key": 1}"#)["kind"], "txt");
}

#[test]
fn office_documents_are_read() {
    let core = "<c:coreProperties xmlns:c='c'><dc:title xmlns:dc='d'>The\n title</dc:title></c:coreProperties>";
    let app = "<Properties><Pages>3</Pages></Properties>";
    let docx = read(
        "",
        archive(&[
            ("word/document.xml", DOCX),
            (
                "word/footnotes.xml",
                "<w:footnotes><w:p><w:t>note</w:t></w:p></w:footnotes>",
            ),
            ("docProps/core.xml", core),
            ("docProps/app.xml", app),
        ]),
    );
    assert_eq!(docx["kind"], "docx");
    assert_eq!(docx["text"], "One & two B\nshown\na\n\nnote");
    assert_eq!(
        (&docx["title"], &docx["pages"]),
        (&"The title".into(), &3.into())
    );

    let slide = |words: &str| format!("<p:sld><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:sld>");
    let pptx = read(
        "",
        archive(&[
            ("ppt/presentation.xml", "<p/>"),
            ("ppt/slides/slide10.xml", &slide("last")),
            ("ppt/slides/slide2.xml", &slide("second")),
            ("ppt/slides/slide1.xml", &slide("first")),
            ("ppt/notesSlides/notesSlide1.xml", &slide("said")),
        ]),
    );
    assert_eq!(pptx["text"], "first\n\nsecond\n\nlast\n\nsaid");
    assert_eq!(pptx["pages"], 3);
}

#[test]
fn workbooks_are_read_a_line_a_row() {
    let cell =
        |at: &str, kind: &str, value: &str| format!("<c r='{at}' t='{kind}'><v>{value}</v></c>");
    let sheet = format!(
        "<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>\
         <row r='1'>{}{}</row><row r='1048576'>{}</row></sheetData></worksheet>",
        cell("A1", "s", "0"),
        cell("B1", "n", "12.5"),
        cell("XFD1048576", "s", "1"),
    );
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let xlsx = read(
        "",
        archive(&[
            (
                "_rels/.rels",
                &format!(
                    "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'><Relationship Id='r0' Type='{relations}/officeDocument' Target='xl/workbook.xml'/></Relationships>"
                ),
            ),
            (
                "xl/workbook.xml",
                &format!(
                    "<workbook xmlns='{main}' xmlns:r='{relations}'><sheets><sheet name='Sums' sheetId='1' r:id='r1'/></sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                &format!(
                    "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'><Relationship Id='r1' Type='{relations}/worksheet' Target='worksheets/sheet1.xml'/></Relationships>"
                ),
            ),
            ("xl/worksheets/sheet1.xml", &sheet),
            (
                "xl/sharedStrings.xml",
                &format!(
                    "<sst xmlns='{main}'><si><t>coffee</t></si><si><t>far away</t></si></sst>"
                ),
            ),
        ]),
    );
    assert_eq!(xlsx["text"], "Sums\ncoffee 12.5\nfar away");
    assert_eq!(xlsx["pages"], 1);
}

#[test]
fn books_are_read_in_their_order() {
    let epub = read(
        "",
        archive(&[
            ("mimetype", "application/epub+zip"),
            (
                "META-INF/container.xml",
                "<container><rootfiles><rootfile full-path='OEBPS/book.opf'/></rootfiles></container>",
            ),
            (
                "OEBPS/book.opf",
                "<package><metadata><dc:title xmlns:dc='d'>A book</dc:title></metadata><manifest>\
              <item id='b' href='b.xhtml'/><item id='a' href='text/a%20a.xhtml'/><item id='c' href='../../../etc/passwd'/></manifest>\
              <spine><itemref idref='a'/><itemref idref='b'/><itemref idref='c'/><itemref idref='gone'/></spine></package>",
            ),
            (
                "OEBPS/b.xhtml",
                "<html><head><title>t</title></head><body><p>second</p></body></html>",
            ),
            (
                "OEBPS/text/a a.xhtml",
                "<html><head><title/><script src='x'/></head><body><p>first</p></body></html>",
            ),
        ]),
    );
    assert_eq!(epub["title"], "A book");
    assert_eq!(epub["text"], "first\n\nsecond");
    assert_eq!(epub["pages"], 2);
}

#[test]
fn pdfs_are_read_with_what_they_draw() {
    let form =
        "/Type /XObject /Subtype /Form /BBox [0 0 1 1] /Resources << /Font << /F 7 0 R >> >>";
    let answer = read(
        "",
        drawing(stream(form, "BT /F 12 Tf 50 600 Td (within) Tj ET")),
    );
    assert_eq!(answer["kind"], "pdf");
    assert_eq!(answer["title"], "A title");
    assert_eq!(answer["pages"], 1);
    let words: Vec<&str> = answer["text"]
        .as_str()
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(words, ["before", "within", "after"]);
}

#[test]
fn words_and_lines_of_a_pdf_are_told_by_where_they_stand() {
    let content = "BT /F 12 Tf 50 700 Td (o) Tj (ne) Tj 40 0 Td (two) Tj -40 -14 Td (three) Tj \
        0 -40 Td (four) Tj ET BT /F 12 Tf 0 1 -1 0 300 100 Tm (up) Tj 30 0 Td (along) Tj ET";
    let answer = read(
        "",
        pdf(&[
            "<< /Type /Catalog /Pages 2 0 R >>".into(),
            "<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 /MediaBox [0 0 600 800] >>".into(),
            "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources 5 0 R >>".into(),
            stream("", content),
            "<< /Font << /F 6 0 R >> >>".into(),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
                .into(),
        ]),
    );
    let page = "one two\nthree\n\nfour\n\nup along";
    assert_eq!(answer["text"], format!("{page}\n\n{page}"));
}

#[test]
fn pictures_in_a_pdf_are_no_drawings() {
    let picture = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8";
    let answer = read(
        "",
        drawing(stream(picture, "(never) Tj /X Do Q Q Q [ << (")),
    );
    assert!(
        answer["text"].as_str().unwrap().ends_with("after"),
        "{answer}"
    );
}

#[test]
fn a_drawing_that_contains_itself_is_refused_or_left_out() {
    let itself = "/Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /X 5 0 R >> >>";
    assert_eq!(
        refused("", drawing(stream(itself, "/X Do"))),
        (422, "broken_document".into())
    );
    // It borrows the page's resources, where it finds itself.
    let borrowed = read(
        "",
        drawing(stream("/Subtype /Form /BBox [0 0 1 1]", "/X Do")),
    );
    assert!(
        borrowed["text"].as_str().unwrap().ends_with("after"),
        "{borrowed}"
    );
}

#[test]
fn archives_that_are_bombs_are_refused() {
    let one_mib = " ".repeat(1024 * 1024);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", SimpleFileOptions::default())
        .unwrap();
    for _ in 0..65 {
        zip.write_all(one_mib.as_bytes()).unwrap();
    }
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 1024 * 1024);
    assert_eq!(refused("", bomb), (413, "document_too_large".into()));

    let names: Vec<String> = (0..10_001).map(|at| format!("a{at}")).collect();
    let parts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(
        refused("", archive(&parts)),
        (413, "document_too_large".into())
    );
}

#[test]
fn names_that_climb_out_of_an_archive_are_refused() {
    for name in ["../../etc/passwd", "/etc/passwd"] {
        let bytes = archive(&[("word/document.xml", DOCX), (name, "x")]);
        assert_eq!(
            refused("", bytes),
            (422, "broken_document".into()),
            "{name}"
        );
    }
}

#[test]
fn links_in_an_archive_are_refused() {
    for target in ["/etc/passwd", "word/document.xml"] {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("word/document.xml", SimpleFileOptions::default())
            .unwrap();
        zip.write_all(DOCX.as_bytes()).unwrap();
        zip.add_symlink("word/styles.xml", target, SimpleFileOptions::default())
            .unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        assert_eq!(
            refused("", bytes),
            (422, "broken_document".into()),
            "{target}"
        );
    }
}

#[test]
fn an_archive_in_an_archive_is_not_opened() {
    let mut inner = archive(&[("word/document.xml", DOCX)]);
    for _ in 0..50 {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("word/document.xml", SimpleFileOptions::default())
            .unwrap();
        zip.write_all(DOCX.as_bytes()).unwrap();
        zip.start_file("word/embeddings/inner.docx", SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&inner).unwrap();
        inner = zip.finish().unwrap().into_inner();
    }
    let alone = read("", archive(&[("word/document.xml", DOCX)]));
    assert_eq!(read("", inner)["text"], alone["text"]);
}

#[test]
fn pages_of_a_pdf_that_contain_each_other_end() {
    let text = stream("", "BT /F 12 Tf (never) Tj ET");
    for kids in ["[2 0 R]", "[3 0 R 2 0 R]"] {
        let bytes = pdf(&[
            "<< /Type /Catalog /Pages 2 0 R >>".into(),
            format!("<< /Type /Pages /Kids {kids} /Count 1000000000 >>"),
            "<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>".into(),
            text.clone(),
        ]);
        let status = call("", bytes).status().as_u16();
        assert!(matches!(status, 200 | 413 | 422), "{kids}: {status}");
    }
}

#[test]
fn entities_are_not_expanded() {
    let laughs: String = (1..10)
        .map(|at| {
            format!(
                "<!ENTITY l{at} \"{}\">",
                format!("&l{};", at - 1).repeat(10)
            )
        })
        .collect();
    let document = format!(
        "<!DOCTYPE d [<!ENTITY l0 \"ha\">{laughs}<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
         <w:document><w:p><w:t>a&l9;&f;b</w:t></w:p></w:document>"
    );
    assert_eq!(
        read("", archive(&[("word/document.xml", &document)]))["text"],
        "ab"
    );
}

#[test]
fn elements_may_be_nested_without_end() {
    let document = format!("<w:document>{}<w:t>deep</w:t>", "<w:p>".repeat(100_000));
    assert_eq!(
        read("", archive(&[("word/document.xml", &document)]))["text"],
        "deep"
    );
}

#[test]
fn what_is_no_document_is_refused() {
    for (name, bytes) in [
        ("a.png", b"\x89PNG\r\n\x1a\n0000".to_vec()),
        ("a.txt", b"a\0b".to_vec()),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
        ("a.zip", archive(&[("a", "b")])),
    ] {
        assert_eq!(
            refused(name, bytes),
            (415, "unsupported_document".into()),
            "{name}"
        );
    }
    assert_eq!(
        refused("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
        (422, "encrypted_document".into())
    );
    assert_eq!(
        refused("a", b"%PDF-1.7\nnothing".to_vec()),
        (422, "broken_document".into())
    );
    let cut_off = archive(&[("word/document.xml", DOCX)]);
    assert_eq!(
        refused("a", &cut_off[..cut_off.len() / 2]),
        (422, "broken_document".into())
    );
}

#[test]
fn an_empty_document_says_nothing() {
    assert_eq!(read("a.txt", "")["text"], "");
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
