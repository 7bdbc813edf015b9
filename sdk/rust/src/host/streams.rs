//! Bodies and streams of `wasi:http` and `wasi:io`.

use super::{HostError, HostResult};
use crate::{
    Headers,
    bindings::imports::wasi::{
        http::types as wasi_http,
        io::streams::{self, StreamError},
    },
};
use std::io;

/// A stream from the host.
#[derive(Debug)]
pub(crate) struct InputStream {
    // Declared before `_body`, since a child has to be dropped first.
    stream: streams::InputStream,
    _body: Option<wasi_http::IncomingBody>,
}

impl InputStream {
    pub(super) fn new(stream: streams::InputStream) -> Self {
        Self {
            stream,
            _body: None,
        }
    }

    pub(super) fn of_body(body: wasi_http::IncomingBody) -> Option<Self> {
        Some(Self {
            stream: body.stream().ok()?,
            _body: Some(body),
        })
    }

    /// Guests cannot make streams of their own.
    pub(crate) fn from_bytes(_bytes: Vec<u8>) -> HostResult<Self> {
        Err(HostError::new(
            "internal",
            "bytes in memory cannot become a stream of the host",
        ))
    }

    pub(super) fn handle(&self) -> &streams::InputStream {
        &self.stream
    }

    /// Takes the stream apart, to give it away; the body has to outlive it.
    pub(super) fn into_parts(self) -> (streams::InputStream, Option<wasi_http::IncomingBody>) {
        (self.stream, self._body)
    }

    pub(crate) fn read(&mut self, max: usize) -> HostResult<Option<Vec<u8>>> {
        loop {
            match self.stream.blocking_read(max as u64) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Ok(Some(bytes)),
                Err(StreamError::Closed) => return Ok(None),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(HostError::new(
                        "upload_interrupted",
                        error.to_debug_string(),
                    ));
                }
            }
        }
    }
}

/// A request whose headers and body have not been fetched yet.
#[derive(Debug)]
pub(crate) struct Incoming(pub(super) wasi_http::IncomingRequest);

impl Incoming {
    pub(crate) fn headers(&self) -> Headers {
        Headers(self.0.headers().entries())
    }

    pub(crate) fn body(&self) -> Option<InputStream> {
        InputStream::of_body(self.0.consume().ok()?)
    }
}

/// Bytes of `blocking-write-and-flush` at once, by its definition.
const ONE_CALL: usize = 4096;

/// Writes to a stream of the host, waiting for room.
pub(super) struct Writer(pub(super) streams::OutputStream);

impl Writer {
    pub(super) fn all(&mut self, mut bytes: &[u8]) -> Result<(), StreamError> {
        if bytes.len() <= ONE_CALL {
            return self.0.blocking_write_and_flush(bytes);
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(self.room()?.min(bytes.len()));
            self.0.write(now)?;
            bytes = later;
        }
        Ok(())
    }

    /// How many bytes may be written now; waits until there is room.
    pub(super) fn room(&self) -> Result<usize, StreamError> {
        loop {
            match self.0.check_write()? {
                0 => self.0.subscribe().block(),
                room => return Ok(usize::try_from(room).unwrap_or(usize::MAX)),
            }
        }
    }

    /// Passes a stream on without its bytes entering the guest.
    pub(super) fn splice(&mut self, source: &streams::InputStream) -> Result<(), StreamError> {
        loop {
            match self.0.blocking_splice(source, 1 << 20) {
                Ok(_) => {}
                Err(StreamError::Closed) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.all(bytes).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.blocking_flush().map_err(gone)
    }
}

fn gone(_error: StreamError) -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}
