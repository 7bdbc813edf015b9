//! The body of a request, read as it arrives. Nothing is read before a
//! handler asks for it; whoever wants all of it at once says how much that
//! may be.

use crate::{Error, Result, host};
use http::StatusCode;
use std::io;

/// Bytes that come from outside, in order: a request's body, a part of a
/// form, an object, an answer to an outgoing call.
#[derive(Debug, Default)]
pub struct Body {
    stream: Option<host::InputStream>,
    /// Bytes that stand before the stream and were not given out yet.
    rest: Vec<u8>,
}

/// Where a body's bytes come from, for a capability that takes them whole.
pub(crate) enum Source {
    Stream(host::InputStream),
    Bytes(Vec<u8>),
}

impl Body {
    /// The most bytes that the extractors for whole bodies read.
    pub const DEFAULT_LIMIT: usize = 1024 * 1024;
    /// How much is asked of the host at once.
    const CHUNK: usize = 64 * 1024;

    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn from_stream(stream: host::InputStream) -> Self {
        Self {
            stream: Some(stream),
            rest: Vec::new(),
        }
    }

    /// The next bytes, 64 KiB at most; none at the end.
    ///
    /// # Errors
    /// `upload_interrupted` when the other side went away.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let chunk = stream.read(Self::CHUNK)?;
        if chunk.is_none() {
            self.stream = None;
        }
        Ok(chunk)
    }

    /// All bytes.
    ///
    /// # Errors
    /// 413 `body_too_large` beyond `limit` bytes, and as [`Body::chunk`].
    pub fn bytes(mut self, limit: usize) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk()? {
            if all.len() + chunk.len() > limit {
                return Err(Error::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body_too_large",
                    format!("the body may have {limit} bytes"),
                )
                .with_field("limit_bytes", limit));
            }
            if all.is_empty() {
                all = chunk
            } else {
                all.extend_from_slice(&chunk)
            }
        }
        Ok(all)
    }

    /// All bytes as text.
    ///
    /// # Errors
    /// 400 `invalid_utf8`, and as [`Body::bytes`].
    pub fn text(self, limit: usize) -> Result<String> {
        String::from_utf8(self.bytes(limit)?)
            .map_err(|_| Error::bad_request("invalid_utf8", "the body is not UTF-8"))
    }

    /// Takes the bytes away from here. Fails when a part of a stream has been
    /// read already.
    pub(crate) fn source(&mut self) -> Result<Source> {
        let rest = std::mem::take(&mut self.rest);
        match self.stream.take() {
            None => Ok(Source::Bytes(rest)),
            Some(stream) if rest.is_empty() => Ok(Source::Stream(stream)),
            Some(_) => Err(Error::internal(
                "part of the body has been read, the host cannot take the rest",
            )),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            stream: None,
            rest: bytes,
        }
    }
}

impl io::Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.chunk() {
                Ok(Some(chunk)) => self.rest = chunk,
                Ok(None) => return Ok(0),
                Err(error) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
            }
        }
        let count = io::Read::read(&mut self.rest.as_slice(), buffer)?;
        self.rest.drain(..count);
        Ok(count)
    }
}
