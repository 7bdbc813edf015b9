//! Watching a node: the log on standard error, traces (OpenTelemetry, OTLP
//! over HTTP) and fault reports (Sentry) only when configured, metrics behind
//! the `metrics` facade.

mod measurements;
mod reports;
pub(crate) mod request_span;
mod traces;

pub(crate) use measurements::{Measurements, listen as listen_for_metrics};

use crate::config::{Config, LogFormat};
use anyhow::Context as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{
    Layer as _, Registry, filter::LevelFilter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Keeps log, traces and reports going; [`Telemetry::flush`] sends what is
/// left.
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
    reports: Option<sentry::ClientInitGuard>,
}

impl Telemetry {
    /// Sets up the process's log, traces and reports. Call once, before the
    /// runtime starts.
    ///
    /// # Errors
    /// When an exporter's settings do not work.
    pub(crate) fn start(config: &Config) -> anyhow::Result<Self> {
        let environment = config.secrets.environment;
        let reports = config.telemetry.sentry_dsn.as_deref();
        let reports = reports.map(|dsn| reports::start(dsn, environment));
        let traces = config
            .telemetry
            .otlp_endpoint
            .as_deref()
            .map(traces::provider)
            .transpose()?;
        let lines: Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync> =
            match config.log.format {
                LogFormat::Pretty => tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                    .boxed(),
                LogFormat::Json => tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .boxed(),
            };
        tracing_subscriber::registry()
            .with(lines.with_filter(config.log.filter()?))
            .with(traces.as_ref().map(traces::layer))
            .with(reports.as_ref().map(|_| {
                // Unfiltered it would report every event, its own transport's too.
                sentry::integrations::tracing::ErrorLayer::new().with_filter(LevelFilter::ERROR)
            }))
            .try_init()
            .context("cannot set up the log")?;
        Ok(Self { traces, reports })
    }

    /// Sends what has not been sent yet; takes a few seconds at most.
    pub(crate) fn flush(self) {
        if let Some(provider) = self.traces
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "some traces were not sent");
        }
        drop(self.reports);
    }
}
