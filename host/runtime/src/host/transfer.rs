//! Bytes between guests' streams and the host's: sources for storage, bodies
//! for responses, streams for guests. None of it passes through guest memory.

use atlashub_core::{
    Error, Result, UploadPace,
    capability::blob::{ByteSource, ByteStream},
    upload_pace::{UploadWatch, interrupted},
};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError};

/// Most bytes of one piece.
const CHUNK: usize = 1024 * 1024;

/// The next piece of a guest's stream; `None` at its end.
pub(crate) async fn next_chunk(
    stream: &mut DynInputStream,
    watch: &mut UploadWatch,
) -> Result<Option<Bytes>> {
    loop {
        let began = Instant::now();
        let came = tokio::time::timeout(watch.patience(), stream.ready())
            .await
            .is_ok();
        let waited = began.elapsed();
        if !came {
            watch.count(waited, 0)?;
            continue;
        }
        match stream.read(CHUNK) {
            Ok(bytes) if bytes.is_empty() => watch.count(waited, 0)?,
            Ok(bytes) => {
                watch.count(waited, bytes.len())?;
                return Ok(Some(bytes));
            }
            Err(StreamError::Closed) => return Ok(None),
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(interrupted("the connection broke"));
            }
            Err(StreamError::Trap(error)) => {
                return Err(Error::internal("read a stream", error.to_string()));
            }
        }
    }
}

/// A guest's stream as a source for storage.
pub(crate) struct StreamSource<'a> {
    stream: &'a mut DynInputStream,
    watch: UploadWatch,
}

impl<'a> StreamSource<'a> {
    pub(crate) fn new(stream: &'a mut DynInputStream, pace: UploadPace) -> Self {
        Self {
            stream,
            watch: UploadWatch::new(pace),
        }
    }
}

#[async_trait::async_trait]
impl ByteSource for StreamSource<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        next_chunk(self.stream, &mut self.watch).await
    }
}

/// Bytes of a guest's memory as a source for storage.
pub(crate) struct BytesSource(pub(crate) Option<Bytes>);

#[async_trait::async_trait]
impl ByteSource for BytesSource {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

/// A host's stream in the hands of a guest.
pub(crate) struct HostStream {
    source: Option<ByteStream>,
    pending: Option<Result<Bytes>>,
}

impl HostStream {
    pub(crate) fn new(source: ByteStream) -> Self {
        Self {
            source: Some(source),
            pending: None,
        }
    }
}

#[async_trait::async_trait]
impl Pollable for HostStream {
    async fn ready(&mut self) {
        if self.pending.is_some() {
            return;
        }
        if let Some(source) = &mut self.source {
            self.pending = source.next().await;
            if self.pending.is_none() {
                self.source = None;
            }
        }
    }
}

#[async_trait::async_trait]
impl InputStream for HostStream {
    fn read(&mut self, size: usize) -> std::result::Result<Bytes, StreamError> {
        match self.pending.take() {
            Some(Ok(mut bytes)) => {
                if bytes.len() > size {
                    self.pending = Some(Ok(bytes.split_off(size)));
                }
                Ok(bytes)
            }
            Some(Err(error)) => {
                self.source = None;
                Err(StreamError::LastOperationFailed(wasmtime::format_err!(
                    "{error}"
                )))
            }
            None if self.source.is_none() => Err(StreamError::Closed),
            None => Ok(Bytes::new()),
        }
    }
}

/// A host's stream of known length as the body of a response.
pub(crate) struct StreamBody {
    source: ByteStream,
    left: u64,
}

impl StreamBody {
    pub(crate) fn new(source: ByteStream, length: u64) -> Self {
        Self {
            source,
            left: length,
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        this.source.poll_next_unpin(context).map(|next| match next {
            Some(Ok(bytes)) => {
                this.left = this.left.saturating_sub(bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => {
                tracing::error!(error = %error, "reading an object failed in the middle of a response");
                Some(Err(wasmtime_wasi_http::Error::InternalError(None)))
            }
            None => Some(Err(wasmtime_wasi_http::Error::HttpResponseIncomplete)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
