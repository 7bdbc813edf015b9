//! Text out of documents from strangers, read where they can do no harm: a
//! component without grants, an instance for each document. `POST /text`
//! takes a document and answers what is written in it, as JSON.
//!
//! A crafted document can make a parser panic, recurse or allocate without
//! end. It costs this instance, which the host ends at its limits; whoever
//! called sees 502 or 504. What can be told beforehand (archives that unpack
//! to more than they may, forms that contain themselves) is refused in words.

mod archive;
mod charset;
mod html;
mod kind;
mod language;
mod markdown;
mod pdf;
mod table;
mod text;

use atlashub_sdk::prelude::*;
use kind::Kind;
use text::Text;

/// Largest document that is read, bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What is known of a document before it is read.
#[derive(Debug, Deserialize)]
struct Hints {
    /// Its file name. Decides only between kinds of plain text.
    #[serde(default)]
    name: String,
}

/// What a document says.
#[derive(Debug, Serialize)]
struct Document {
    /// `pdf`, `docx`, `xlsx`, `pptx`, `epub`, `html`, `md`, `csv` or `txt`.
    kind: Kind,
    /// Its title, where it has one.
    title: Option<String>,
    /// ISO 639-3, where there is enough text to tell.
    language: Option<&'static str>,
    /// Of plain text, by its name in the Encoding Standard.
    encoding: Option<&'static str>,
    /// Pages, sheets, slides or chapters, where the kind has any.
    pages: Option<usize>,
    /// Words of `text`.
    words: usize,
    /// Whether there was more text than is kept.
    truncated: bool,
    /// The text: single spaces, lines, empty lines between paragraphs.
    text: String,
}

/// What a reader of one kind finds beside the text.
#[derive(Debug, Default)]
struct Found {
    title: Option<String>,
    encoding: Option<&'static str>,
    pages: Option<usize>,
}

/// The plugin's routes.
#[must_use]
pub fn routes() -> Router {
    Router::new().post("/text", extract)
}

fn extract(Query(hints): Query<Hints>, headers: Headers, body: Body) -> Result<Json<Document>> {
    let declared = headers.get("content-type").unwrap_or_default().to_owned();
    let bytes = body.bytes(MAX_BYTES)?;
    let kind = kind::tell(&bytes, &hints.name, &declared)?;
    let mut text = Text::default();
    let found = match kind {
        Kind::Txt => charset::read(&bytes, &mut text),
        Kind::Md => markdown::read(&bytes, &mut text),
        Kind::Html => html::read(&bytes, &mut text),
        Kind::Csv => table::read(&bytes, &mut text),
        Kind::Pdf => pdf::read(&bytes, &mut text)?,
        Kind::Docx => archive::docx::read(&bytes, &mut text)?,
        Kind::Xlsx => archive::xlsx::read(bytes, &mut text)?,
        Kind::Pptx => archive::pptx::read(&bytes, &mut text)?,
        Kind::Epub => archive::epub::read(&bytes, &mut text)?,
    };
    let truncated = text.is_full();
    let text = text.into_string();
    Ok(Json(Document {
        kind,
        title: found.title.and_then(|title| text::line(&title)),
        language: language::tell(&text),
        encoding: found.encoding,
        pages: found.pages,
        words: text::count_words(&text),
        truncated,
        text,
    }))
}

/// A document that is not what it says it is.
fn broken(cause: impl std::fmt::Display) -> Error {
    Error::invalid("broken_document", "the document cannot be read").with_cause(cause)
}

/// A document that only a password opens.
fn encrypted() -> Error {
    Error::invalid("encrypted_document", "the document needs a password")
}

/// A document that would unpack to more than is read.
fn too_large(what: &str) -> Error {
    Error::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "document_too_large",
        format!("the document has {what}"),
    )
}

atlashub_sdk::plugin!(routes);

#[cfg(test)]
mod tests;
