//! Forms with files (`multipart/form-data`, RFC 7578), taken apart by the
//! host: a part's bytes can go straight on into [`crate::blob`].

use crate::{Body, Error, FromRequest, Request, Result, body::Source, host};
use http::StatusCode;

/// A form whose parts come one after the other.
#[derive(Debug)]
pub struct Multipart(host::MultipartParser);

/// One part of a form.
#[derive(Debug)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, as the client has it: browsers' escapes of quotes and
    /// line breaks are undone.
    pub filename: Option<String>,
    /// The type that the client claims.
    pub content_type: Option<String>,
    /// The bytes. They are gone once the next part is asked for.
    pub body: Body,
}

impl Part {
    /// The part's bytes as text, 64 KiB at most.
    ///
    /// # Errors
    /// As [`Body::text`].
    pub fn text(self) -> Result<String> {
        self.body.text(64 * 1024)
    }
}

impl Multipart {
    /// The next part; none at the end.
    ///
    /// # Errors
    /// `multipart_invalid`, `multipart_too_large`, `upload_interrupted`.
    pub fn next_part(&mut self) -> Result<Option<Part>> {
        Ok(self.0.next()?)
    }
}

impl FromRequest for Multipart {
    fn from_request(request: &mut Request) -> Result<Self> {
        let content_type = request
            .header("content-type")
            .unwrap_or_default()
            .to_owned();
        if !is_form(&content_type) {
            return Err(Error::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be `multipart/form-data`",
            ));
        }
        let mut body = request.take_body();
        let stream = match body.source()? {
            Source::Stream(stream) => stream,
            Source::Bytes(bytes) => host::InputStream::from_bytes(bytes)?,
        };
        Ok(Self(host::MultipartParser::open(stream, &content_type)?))
    }
}

/// Whether a `Content-Type` is a form with files.
#[must_use]
pub fn is_form(content_type: &str) -> bool {
    content_type
        .get(.."multipart/form-data".len())
        .is_some_and(|start| start.eq_ignore_ascii_case("multipart/form-data"))
}
