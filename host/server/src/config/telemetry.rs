//! Metrics, traces and fault reports; all off or private unless set.

use super::NetworkConfig;
use anyhow::bail;
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, time::Duration};
use url::Url;

/// Metrics, traces, fault reports.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TelemetryConfig {
    /// A listener of its own that answers `/metrics` to whoever reaches it.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Bearer token that may read `/metrics` on the main listener.
    pub(crate) metrics_token: Option<String>,
    /// Where faults are reported.
    pub(crate) sentry_dsn: Option<String>,
    /// Where traces go, OTLP over HTTP.
    pub(crate) otlp_endpoint: Option<String>,
    /// How often it is written down what projects did, seconds.
    pub(crate) series_seconds: u32,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            metrics_listen: None,
            metrics_token: None,
            sentry_dsn: None,
            otlp_endpoint: None,
            series_seconds: 60,
        }
    }
}

impl fmt::Debug for TelemetryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryConfig")
            .field("metrics_listen", &self.metrics_listen)
            .field("metrics_token", &self.metrics_token.is_some())
            .field("sentry_dsn", &self.sentry_dsn.is_some())
            .field("otlp_endpoint", &self.otlp_endpoint)
            .field("series_seconds", &self.series_seconds)
            .finish()
    }
}

impl TelemetryConfig {
    pub(super) fn validate(&self, network: &NetworkConfig) -> anyhow::Result<()> {
        if self
            .metrics_listen
            .is_some_and(|own| own == network.listen && own.port() != 0)
        {
            bail!("ATLASHUB_METRICS_LISTEN must differ from ATLASHUB_LISTEN");
        }
        if self
            .metrics_token
            .as_ref()
            .is_some_and(|token| token.len() < 16)
        {
            bail!("ATLASHUB_METRICS_TOKEN must have at least 16 characters");
        }
        if let Some(dsn) = &self.sentry_dsn
            && dsn.parse::<sentry::types::Dsn>().is_err()
        {
            bail!("ATLASHUB_SENTRY_DSN is not a DSN such as https://key@host/1");
        }
        if let Some(endpoint) = &self.otlp_endpoint
            && !Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            bail!("OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https address");
        }
        if !(1..=60).contains(&self.series_seconds) {
            bail!("ATLASHUB_SERIES_SECONDS must lie between 1 and 60");
        }
        Ok(())
    }

    /// How often it is written down what projects did.
    pub(crate) fn series_every(&self) -> Duration {
        Duration::from_secs(self.series_seconds.into())
    }
}
