//! Traces, sent in batches over OTLP/HTTP to the endpoint of the settings.
//! Headers, time-out and an endpoint for traces alone come from the standard
//! `OTEL_EXPORTER_OTLP_…` variables.

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    registry::LookupSpan,
};

/// The name under which a node's traces appear, unless `OTEL_SERVICE_NAME`
/// says otherwise.
const SERVICE: &str = "atlashub";

/// An endpoint for traces alone, taken as it is.
const OWN_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

pub(super) fn provider(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let mut exporter = opentelemetry_otlp::SpanExporter::builder().with_http();
    if std::env::var_os(OWN_ENDPOINT).is_none_or(|own| own.is_empty()) {
        exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')));
    }
    let exporter = exporter
        .build()
        .context("cannot set up traces: check OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(SERVICE);
    }
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build())
}

pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // Lines of the log stay there: what they say of a fault may be anything.
    let spans = filter_fn(|of| of.is_span() && *of.level() <= Level::INFO);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_filter(spans.with_max_level_hint(LevelFilter::INFO))
}
