//! The listener and its connections: HTTP/1.1 and HTTP/2 on one port, a
//! time-out for request heads, an end that lets running requests finish.

use crate::{config::LimitsConfig, entry::Entry, linger};
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

/// Largest head of an HTTP/1 request, and most that is read at once of a
/// body, bytes. The number of header fields is left at hyper's 100: setting
/// it costs an allocation a request.
const MAX_HEAD: usize = 256 * 1024;
/// Streams at once in one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Largest head of an HTTP/2 request, bytes.
const MAX_HEADER_LIST: u32 = 64 * 1024;
/// How often a silent HTTP/2 connection is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection, usually for want of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `listener` until `stop`, then waits for running requests as long as
/// `limits` allows.
pub(crate) async fn serve(
    listener: TcpListener,
    entry: Arc<Entry>,
    limits: &LimitsConfig,
    stop: CancellationToken,
) {
    let protocols = Arc::new(Protocols::new(Duration::from_secs(
        limits.header_timeout_seconds,
    )));
    let places = usize::try_from(limits.max_connections).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    while let Some(place) = stop
        .run_until_cancelled(places.clone().acquire_owned())
        .await
    {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else {
            break;
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (entry, protocols) = (Arc::clone(&entry), Arc::clone(&protocols));
        let (watcher, stop) = (graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            // Who has asked for nothing yet is not waited for.
            if let Some(Some(begins)) = stop.run_until_cancelled(protocols.look(&stream)).await {
                protocols
                    .serve(begins, (stream, peer), entry, watcher)
                    .await;
            }
            drop(place);
        });
    }
    drop(listener);
    let open = graceful.count();
    let deadline = Duration::from_secs(limits.shutdown_seconds);
    tracing::info!(open, "no longer listening, finishing what runs");
    if tokio::time::timeout(deadline, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            seconds = limits.shutdown_seconds,
            "some requests were still running and are cut off"
        );
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// As HTTP/1 does.
    Http1,
    /// As HTTP/2 does, with its preface (RFC 9113 §3.4).
    Http2,
    /// With too little to tell.
    Either,
}

impl Begins {
    fn of(seen: &[u8]) -> Self {
        const PREFACE: &[u8] = b"PRI";
        if seen.starts_with(PREFACE) {
            Self::Http2
        } else if PREFACE.starts_with(seen) {
            Self::Either
        } else {
            Self::Http1
        }
    }
}

/// How connections are served. Most tell their protocol by their first bytes,
/// and are served by it alone. What can serve both reads those bytes apart,
/// for which hyper makes its buffer twice as large, and has room for the
/// states of both; it holds them as long as the connection is open, and some
/// are held for hours.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    either: auto::Builder<TokioExecutor>,
    patience: Duration,
}

impl Protocols {
    /// `patience` is how long a client may take until its request's head is there.
    fn new(patience: Duration) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(MAX_HEAD);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .keep_alive_interval(KEEP_ALIVE)
            .adaptive_window(true);
        let mut either = auto::Builder::new(TokioExecutor::new());
        either
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(MAX_HEAD);
        either
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .keep_alive_interval(KEEP_ALIVE)
            .adaptive_window(true);
        Self {
            http1,
            http2,
            either,
            patience,
        }
    }

    /// Looks at the first bytes and leaves them; none when nothing comes.
    async fn look(&self, stream: &TcpStream) -> Option<Begins> {
        let mut seen = [0; 3];
        let looked = tokio::time::timeout(self.patience, stream.peek(&mut seen));
        let count = looked.await.ok()?.ok()?;
        let seen = seen.get(..count).filter(|seen| !seen.is_empty())?;
        Some(Begins::of(seen))
    }

    /// Serves a connection to its end.
    async fn serve(
        &self,
        begins: Begins,
        (stream, peer): (TcpStream, SocketAddr),
        entry: Arc<Entry>,
        watcher: Watcher,
    ) {
        // In a box: hyper keeps room for the future as long as the connection
        // is open.
        let service = service_fn(move |request| Box::pin(Arc::clone(&entry).handle(request, peer)));
        // In a box each, too: one that is held needs no room for the others.
        match begins {
            Begins::Http1 => {
                let (lent, returned) = linger::lend(stream);
                let io = TokioIo::new(lent);
                let connection = Box::pin(watcher.watch(self.http1.serve_connection(io, service)));
                let ended = connection.await;
                // Who was waited for in vain is not waited for again.
                let is_late = ended.as_ref().is_err_and(hyper::Error::is_timeout);
                told(peer, ended);
                if !is_late {
                    returned.linger().await;
                }
            }
            Begins::Http2 => {
                let io = TokioIo::new(stream);
                let connection = Box::pin(watcher.watch(self.http2.serve_connection(io, service)));
                told(peer, connection.await);
            }
            Begins::Either => {
                let io = TokioIo::new(stream);
                let connection = self.either.serve_connection(io, service).into_owned();
                told(peer, Box::pin(watcher.watch(connection)).await);
            }
        }
    }
}

fn told(peer: SocketAddr, ended: Result<(), impl std::fmt::Display>) {
    if let Err(error) = ended {
        tracing::trace!(%error, %peer, "a connection ended early");
    }
}

/// Waits until the process is asked to end (SIGTERM or SIGINT).
pub(crate) async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => {
                let _ = interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        assert_eq!(Begins::of(b"GET"), Begins::Http1);
        assert_eq!(Begins::of(b"PRO"), Begins::Http1);
        assert_eq!(Begins::of(b"PRI"), Begins::Http2);
        assert_eq!(Begins::of(b"P"), Begins::Either);
        assert_eq!(Begins::of(b"PR"), Begins::Either);
    }
}
