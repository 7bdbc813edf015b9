//! The end of a connection whose client is still sending. A refusal may be
//! written before the request's body has come; a socket that is closed with
//! bytes nobody read is reset, and the client loses the answer with it. So the
//! socket is taken back when HTTP is over, and what comes is read away for a
//! while, until the client has seen the answer and closes.
//!
//! Bounded are time and bytes, and the connection keeps its place meanwhile.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    sync::oneshot,
};

/// Longest time that a connection lingers.
const LONGEST: Duration = Duration::from_secs(10);
/// Longest silence of the client meanwhile.
const SILENCE: Duration = Duration::from_secs(2);
/// Most bytes that are read away.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that are read at once.
const AT_ONCE: usize = 16 * 1024;

/// A socket that comes back when whoever has it drops it.
pub(crate) struct Lent {
    stream: Option<TcpStream>,
    back: Option<oneshot::Sender<TcpStream>>,
}

/// Where a socket comes back.
pub(crate) struct Returned(oneshot::Receiver<TcpStream>);

/// Lends a socket.
pub(crate) fn lend(stream: TcpStream) -> (Lent, Returned) {
    let (back, returned) = oneshot::channel();
    let lent = Lent {
        stream: Some(stream),
        back: Some(back),
    };
    (lent, Returned(returned))
}

impl Returned {
    /// Reads away what a client still sends, once the socket is back. At once
    /// over for one who has closed.
    pub(crate) async fn linger(self) {
        if let Ok(stream) = self.0.await {
            let _ = tokio::time::timeout(LONGEST, read_away(stream)).await;
        }
    }
}

async fn read_away(mut stream: TcpStream) {
    // What was written goes out, and nothing will follow it.
    let _ = stream.shutdown().await;
    let mut buffer = vec![0; AT_ONCE];
    let mut left = MOST_BYTES;
    while left > 0 {
        match tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await {
            Ok(Ok(count)) if count > 0 => left = left.saturating_sub(count),
            _ => return,
        }
    }
}

impl Lent {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        let stream = self.stream.as_mut().map(Pin::new);
        stream.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(stream), Some(back)) = (self.stream.take(), self.back.take()) {
            // Closed here when nobody waits for it.
            let _ = back.send(stream);
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        ready!(self.stream()?.poll_read(context, buffer))?;
        if buffer.filled().len() == filled && buffer.remaining() > 0 {
            // The client has closed: there is nothing to linger for.
            self.back = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    #[tokio::test]
    async fn a_client_that_is_still_sending_reads_the_answer() {
        let (mut client, server) = pair().await;
        let (mut lent, returned) = lend(server);
        let server = async move {
            lent.write_all(b"answer").await.unwrap();
            lent.shutdown().await.unwrap();
            drop(lent);
            returned.linger().await;
        };
        let client = async move {
            client.write_all(&vec![0; 8 * 1024 * 1024]).await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"answer");
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn nothing_is_waited_for_when_the_client_has_closed() {
        let (client, server) = pair().await;
        let (mut lent, returned) = lend(server);
        drop(client);
        assert_eq!(lent.read(&mut [0]).await.unwrap(), 0);
        assert!(lent.back.is_none());
        drop(lent);
        returned.linger().await;
    }
}
