//! Documents as office programs write them, from upload to search: each kind
//! is read in its sandbox, and found by the words inside.

use atlashub_tests::{DEADLINE, Reply, User, shared, until};
use serde_json::json;
use std::{path::Path, process::Command};

/// What LibreOffice makes files of: a text, a table and slides.
const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"
  office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text>
  <text:h text:outline-level="1">Über die Grenze</text:h>
  <text:p>Everybody in the village danced until the {word} came.</text:p>
  </office:text></office:body></office:document>"#;
const TABLE: &str = "crop,weight\n{word},12.5\nsorghum,17\n";
const SLIDES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
  xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"
  office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation>
  <draw:page draw:name="one"><draw:frame svg:width="9cm" svg:height="2cm" svg:x="1cm" svg:y="1cm">
  <draw:text-box><text:p>Plans for {word}</text:p></draw:text-box></draw:frame></draw:page>
  </office:presentation></office:body></office:document>"#;

/// `source` with a word in it, as LibreOffice writes it by this filter.
fn written(folder: &Path, word: &str, from: &str, source: &str, filter: &str) -> Vec<u8> {
    let source_file = folder.join(format!("{word}.{from}"));
    std::fs::write(&source_file, source.replace("{word}", word)).expect("write the source");
    let out = Command::new("soffice")
        .arg(format!(
            "-env:UserInstallation=file://{}/profile",
            folder.display()
        ))
        .args(["--headless", "--convert-to", filter, "--outdir"])
        .args([folder, &source_file])
        .output()
        .expect("run soffice (`cargo xtask test` installs it)");
    let ending = filter.split(':').next().unwrap_or(filter);
    std::fs::read(source_file.with_extension(ending))
        .unwrap_or_else(|_| panic!("{filter}: {}", String::from_utf8_lossy(&out.stderr)))
}

/// Uploads it; answers its id.
async fn put(user: &User, name: &str, body: Vec<u8>) -> String {
    let request = user.request(reqwest::Method::POST, "/files/upload");
    let sent = request.header("file-path", name).body(body);
    let file = Reply::to(sent).await.expect(201).json();
    file["id"].as_str().expect("an id").to_owned()
}

/// Waits until a search for the word finds this file alone.
async fn until_found(user: &User, word: &str, id: &str) {
    until(word, DEADLINE, || async {
        let page = user.get(&format!("/files/search?q={word}")).await;
        let page = page.expect(200).json();
        (page["corrections"] == json!({}) && page["items"][0]["id"] == id).then_some(())
    })
    .await;
}

#[tokio::test]
async fn documents_of_office_programs_are_found_by_the_words_inside_them() {
    let plugins = ["files", "search", "extract", "documents"];
    let project = shared().await.admin().project_with(&plugins).await;
    let ada = project.sign_up().await;
    let folder = tempfile::tempdir().expect("a folder");
    let documents = tokio::task::spawn_blocking(move || {
        let folder = folder.path();
        let written = |word, from, source, filter| {
            (word, filter, written(folder, word, from, source, filter))
        };
        vec![
            written("wordmillet", "fodt", TEXT, "docx:MS Word 2007 XML"),
            written("pagemillet", "fodt", TEXT, "pdf:writer_pdf_Export"),
            written("bookmillet", "fodt", TEXT, "epub"),
            written("cellmillet", "csv", TABLE, "xlsx:Calc MS Excel 2007 XML"),
            written(
                "slidemillet",
                "fodp",
                SLIDES,
                "pptx:Impress MS PowerPoint 2007 XML",
            ),
            written("screenmillet", "fodp", SLIDES, "pdf:impress_pdf_Export"),
        ]
    });
    let documents = documents.await.expect("documents");
    for (place, (word, filter, bytes)) in documents.into_iter().enumerate() {
        let ending = filter.split(':').next().unwrap_or(filter);
        let id = put(&ada, &format!("{place}.{ending}"), bytes).await;
        until_found(&ada, word, &id).await;
    }
    let latin =
        b"Die Stra\xdfe f\xfchrt \xfcber die Br\xfccke, und danach kommen westmillet und Hirse.";
    let id = put(&ada, "latin.txt", latin.to_vec()).await;
    until_found(&ada, "westmillet", &id).await;
    until_found(&ada, "brucke", &id).await;
    let wide = "\u{feff}Über den Fluss kommt widemillet.".encode_utf16();
    let wide = wide.flat_map(u16::to_le_bytes).collect();
    let id = put(&ada, "wide.txt", wide).await;
    until_found(&ada, "widemillet", &id).await;
}
