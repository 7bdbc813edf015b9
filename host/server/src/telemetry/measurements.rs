//! The process's metrics in Prometheus' text format.
//!
//! They name projects and plugins, so they are not public: the main listener
//! shows them to admins and to bearers of the metrics token, a listener of
//! its own (`ATLASHUB_METRICS_LISTEN`) to whoever reaches it.

use anyhow::Context as _;
use atlashub_app::directory::Directory;
use http::{Method, Response, StatusCode, header};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Upper bounds of the latency buckets, seconds.
const LATENCIES: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's metrics.
#[derive(Clone)]
pub(crate) struct Measurements {
    metrics: PrometheusHandle,
    /// Knows the plugins, once they are up.
    directory: Arc<OnceLock<Weak<Directory>>>,
}

impl Measurements {
    /// Installs the recorder; once a process.
    ///
    /// # Errors
    /// When there is one already.
    pub(crate) fn install() -> anyhow::Result<Self> {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), LATENCIES)
            .and_then(PrometheusBuilder::install_recorder)
            .map(|metrics| Self {
                metrics,
                directory: Arc::default(),
            })
            .context("cannot set up metrics")
    }

    /// All metrics as text.
    pub(crate) fn render(&self) -> String {
        measure_process();
        if let Some(directory) = self.directory.get().and_then(Weak::upgrade) {
            directory.measure();
        }
        self.metrics.render()
    }

    /// Includes what plugins do; only the first call counts.
    pub(crate) fn include(&self, directory: &Arc<Directory>) {
        let _ = self.directory.set(Arc::downgrade(directory));
    }

    /// Folds histograms now and then until `stop`.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.metrics.run_upkeep();
        }
    }
}

/// Notes what the operating system knows of this process.
fn measure_process() {
    if let Some(bytes) = resident_bytes() {
        #[expect(clippy::cast_precision_loss, reason = "a gauge; exact to 2^53")]
        metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
}

/// Resident memory of this process, bytes; Linux only.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: sysconf reads a constant of the system and touches no memory.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.checked_mul(u64::try_from(page).ok()?)
}

/// Answers `GET /metrics` at `address` until `stop`.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) async fn listen(
    address: SocketAddr,
    measurements: Measurements,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for metrics (ATLASHUB_METRICS_LISTEN)")
    })?;
    let bound = listener
        .local_addr()
        .context("cannot read the metrics listener's address")?;
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let measurements = measurements.clone();
            let stop = stop.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let measurements = measurements.clone();
                    async move { Ok::<_, Infallible>(answer(&request, &measurements)) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(Duration::from_secs(10))
                    .serve_connection(TokioIo::new(stream), service);
                // A scraper that goes away is nobody's fault.
                let _ = stop.run_until_cancelled(connection).await;
            });
        }
    });
    Ok(bound)
}

fn answer(
    request: &http::Request<hyper::body::Incoming>,
    measurements: &Measurements,
) -> Response<String> {
    let (status, text) = if request.method() != Method::GET {
        (StatusCode::METHOD_NOT_ALLOWED, String::new())
    } else if request.uri().path() == "/metrics" {
        (StatusCode::OK, measurements.render())
    } else {
        (StatusCode::NOT_FOUND, String::new())
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
