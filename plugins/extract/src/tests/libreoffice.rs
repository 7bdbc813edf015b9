//! Files as LibreOffice writes them, found by the words inside them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use crate::routes;
use atlashub_sdk::prelude::*;
use serde_json::Value;
use std::{path::PathBuf, process::Command};

const LETTER: &str = "<html><head><meta charset='utf-8'><title>A letter</title></head><body>\
    <h1>Über die Grenze</h1><p>The harvest of millet was plentiful, and everybody in the village \
    danced until the morning came. When the rains returned, they repaired the old bridge together \
    and counted what was left of the seed for the coming year.</p><table><tr><td>sorghum</td><td>17</td></tr></table></body></html>";

const SUMS: &str = "crop,weight\nmillet,12.5\nsorghum,17\n";

const TALK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
  xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"
  office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation>
  <draw:page draw:name="one"><draw:frame svg:width="9cm" svg:height="2cm" svg:x="1cm" svg:y="1cm">
  <draw:text-box><text:p>Irrigation plans</text:p></draw:text-box></draw:frame></draw:page>
  <draw:page draw:name="two"><draw:frame svg:width="9cm" svg:height="2cm" svg:x="1cm" svg:y="1cm">
  <draw:text-box><text:p>Rainfall figures</text:p></draw:text-box></draw:frame></draw:page>
  </office:presentation></office:body></office:document>"#;

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("atlashub-extract-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// `source`, as LibreOffice writes it in another format.
    fn convert(&self, name: &str, source: &[u8], filter: &str) -> Vec<u8> {
        let from = self.0.join(name);
        std::fs::write(&from, source).unwrap();
        let profile = format!("-env:UserInstallation=file://{}/profile", self.0.display());
        let out = Command::new("soffice")
            .args([&profile, "--headless", "--convert-to", filter, "--outdir"])
            .args([&self.0, &from])
            .output()
            .unwrap_or_else(|error| {
                panic!("run soffice (`cargo xtask test` installs it): {error}")
            });
        let ending = filter.split(':').next().unwrap_or(filter);
        std::fs::read(from.with_extension(ending))
            .unwrap_or_else(|_| panic!("{filter}: {}", String::from_utf8_lossy(&out.stderr)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(bytes: Vec<u8>) -> Value {
    routes()
        .call(Request::post("/text", bytes))
        .into_json()
        .unwrap()
}

// One test, since one profile serves one LibreOffice at a time, and to start
// it takes longer than all the rest.
#[test]
fn files_of_libreoffice_are_found_by_the_words_inside_them() {
    let folder = Folder::new();
    let letter = folder.convert("letter.html", LETTER.as_bytes(), "docx:MS Word 2007 XML");
    let (docx, sums, talk) = ("letter.docx", SUMS.as_bytes(), TALK.as_bytes());
    let written = vec!["Über die Grenze", "plentiful", "sorghum"];
    let cells = vec!["crop weight", "millet 12.5", "sorghum 17"];
    let slides = vec!["Irrigation plans", "Rainfall figures"];
    for (name, source, filter, words) in [
        (docx, letter.as_slice(), "docx:MS Word 2007 XML", &written),
        (docx, letter.as_slice(), "pdf:writer_pdf_Export", &written),
        ("sums.csv", sums, "xlsx:Calc MS Excel 2007 XML", &cells),
        (
            "talk.fodp",
            talk,
            "pptx:Impress MS PowerPoint 2007 XML",
            &slides,
        ),
        ("talk.fodp", talk, "pdf:impress_pdf_Export", &slides),
    ] {
        let answer = read(folder.convert(name, source, filter));
        let kind = filter.split(':').next().unwrap();
        assert_eq!(answer["kind"], kind, "{answer}");
        let text = answer["text"].as_str().unwrap();
        for word in words {
            assert!(
                text.contains(word),
                "{kind} of {name} has no {word:?}: {text}"
            );
        }
        if name == docx {
            let said = (&answer["title"], &answer["language"]);
            assert_eq!(said, (&"A letter".into(), &"eng".into()), "{kind}");
        }
        if name == "talk.fodp" {
            assert_eq!(answer["pages"], 2);
        }
    }
}
