//! The listener and its connections: HTTP/1.1 and HTTP/2 on one port, a
//! time-out for request heads, an end that lets running requests finish.

use crate::{config::LimitsConfig, entry::Entry};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Largest head of an HTTP/1 request, and most that is read at once of a
/// body, bytes. The number of header fields is left at hyper's 100: setting
/// it costs an allocation a request.
const MAX_HEAD: usize = 256 * 1024;
/// Streams at once in one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
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
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_seconds))
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(64 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .adaptive_window(true);
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
        let entry = Arc::clone(&entry);
        // In a box: hyper keeps room for the future as long as the connection
        // is open, and some are held for hours.
        let service = service_fn(move |request| Box::pin(Arc::clone(&entry).handle(request, peer)));
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::trace!(%error, %peer, "a connection ended early");
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
