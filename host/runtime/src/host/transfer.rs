//! Bytes between guests' streams and the host's: sources for storage, bodies
//! for responses, streams for guests. None of it passes through guest memory.

use crate::runtime::UploadPace;
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::blob::{ByteSource, ByteStream},
};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError};

/// Most bytes of one piece.
const CHUNK: usize = 1024 * 1024;

/// Longest silence in a transfer.
pub(crate) const IDLE: Duration = Duration::from_secs(60);

/// The error of an upload whose client went away or fell silent.
pub(crate) fn interrupted(why: &str) -> Error {
    Error::new(
        ErrorKind::BadRequest,
        "upload_interrupted",
        format!("the upload was interrupted: {why}"),
    )
}

/// Watches how fast an upload comes: so many bytes in each window of waiting
/// for its client. What storage takes of the time does not count.
#[derive(Debug)]
pub(crate) struct Watch {
    pace: UploadPace,
    waited: Duration,
    came: u64,
}

impl Watch {
    pub(crate) fn new(pace: UploadPace) -> Self {
        Self {
            pace,
            waited: Duration::ZERO,
            came: 0,
        }
    }

    /// How long the client may be waited for before the next look.
    fn patience(&self) -> Duration {
        match self.pace.bytes_per_second {
            0 => IDLE,
            _ => self.pace.window.saturating_sub(self.waited),
        }
    }

    /// Counts a wait and what came of it.
    fn count(&mut self, waited: Duration, bytes: usize) -> Result<()> {
        self.waited = self.waited.saturating_add(waited);
        self.came = self.came.saturating_add(bytes as u64);
        if self.waited < self.pace.window {
            return Ok(());
        }
        let wanted = self
            .pace
            .bytes_per_second
            .saturating_mul(self.pace.window.as_secs());
        if self.came < wanted {
            let least = self.pace.bytes_per_second;
            return Err(interrupted(&format!(
                "it came at less than {least} bytes a second"
            )));
        }
        *self = Self::new(self.pace);
        Ok(())
    }
}

/// The next piece of a guest's stream; `None` at its end.
pub(crate) async fn next_chunk(
    stream: &mut DynInputStream,
    watch: &mut Watch,
) -> Result<Option<Bytes>> {
    let mut silence = Duration::ZERO;
    loop {
        let began = Instant::now();
        let most = watch.patience().min(IDLE.saturating_sub(silence));
        let came = tokio::time::timeout(most, stream.ready()).await.is_ok();
        let waited = began.elapsed();
        silence = silence.saturating_add(waited);
        if !came {
            watch.count(waited, 0)?;
            if silence >= IDLE {
                return Err(interrupted("nothing came for a minute"));
            }
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
    watch: Watch,
}

impl<'a> StreamSource<'a> {
    pub(crate) fn new(stream: &'a mut DynInputStream, pace: UploadPace) -> Self {
        Self {
            stream,
            watch: Watch::new(pace),
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: UploadPace = UploadPace {
        bytes_per_second: 10,
        window: Duration::from_secs(60),
    };

    #[test]
    fn an_upload_that_dribbles_is_ended_after_its_window() {
        let mut watch = Watch::new(MINUTE);
        for _ in 0..59 {
            watch.count(Duration::from_secs(1), 9).unwrap();
        }
        let error = watch.count(Duration::from_secs(1), 9).unwrap_err();
        assert_eq!(error.code(), "upload_interrupted");
    }

    #[test]
    fn a_slow_line_passes_and_each_window_counts_by_itself() {
        let mut watch = Watch::new(MINUTE);
        for _ in 0..180 {
            watch.count(Duration::from_secs(1), 10).unwrap();
        }
        // What came fast before is no credit for what dribbles now.
        watch.count(Duration::ZERO, 1_000_000).unwrap();
        watch.count(Duration::from_secs(60), 0).unwrap();
        assert!(watch.count(Duration::from_secs(60), 599).is_err());
    }

    #[test]
    fn without_a_rate_only_silence_counts() {
        let mut watch = Watch::new(UploadPace {
            bytes_per_second: 0,
            ..MINUTE
        });
        for _ in 0..10 {
            watch.count(Duration::from_secs(50), 1).unwrap();
        }
        assert_eq!(watch.patience(), IDLE);
    }
}
