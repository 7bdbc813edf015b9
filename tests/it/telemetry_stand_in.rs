//! What a node reports to: a collector of traces (OTLP over HTTP) and a
//! receiver of fault reports (Sentry's envelopes). Both read what comes with
//! the types that the protocols' own projects publish, and refuse the rest.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// What has come to a stand-in, and what it could not read.
#[derive(Default)]
struct Inbox {
    spans: Vec<ReceivedSpan>,
    events: Vec<Value>,
    headers: Vec<HeaderMap>,
    refused: Vec<String>,
}

type Shared = State<Arc<Mutex<Inbox>>>;

/// Both stand-ins on one address.
pub(crate) struct Receiver {
    pub(crate) address: String,
    inbox: Arc<Mutex<Inbox>>,
}

/// A span, and what is said of the service that it is from.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedSpan {
    pub(crate) span: Span,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) resource: BTreeMap<String, String>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let app = Router::new()
            .route("/v1/traces", post(traces))
            .route("/api/{project}/envelope/", post(envelope))
            .with_state(Arc::clone(&inbox));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(tokio::spawn(
            async move { axum::serve(listener, app).await },
        ));
        Self { address, inbox }
    }

    /// All spans of requests that have come.
    pub(crate) fn requests(&self) -> Vec<ReceivedSpan> {
        let inbox = self.inbox.lock().unwrap();
        assert!(inbox.refused.is_empty(), "refused: {:?}", inbox.refused);
        let spans = inbox.spans.iter();
        // Of a server, in OTLP's numbers.
        spans.filter(|one| one.span.kind == 2).cloned().collect()
    }

    /// All that has come of traces, as text.
    pub(crate) fn traces_as_text(&self) -> String {
        format!("{:?}", self.inbox.lock().unwrap().spans)
    }

    /// All reports that have come.
    pub(crate) fn events(&self) -> Vec<Value> {
        let inbox = self.inbox.lock().unwrap();
        assert!(inbox.refused.is_empty(), "refused: {:?}", inbox.refused);
        inbox.events.clone()
    }

    /// The headers of all calls.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.inbox.lock().unwrap().headers.clone()
    }
}

async fn traces(State(inbox): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut inbox = inbox.lock().unwrap();
    inbox.headers.push(headers.clone());
    if headers.get("content-type").map(|of| of.as_bytes()) != Some(b"application/x-protobuf") {
        return refuse(&mut inbox, format!("{headers:?}"));
    }
    let request = match ExportTraceServiceRequest::decode(body) {
        Ok(request) => request,
        Err(error) => return refuse(&mut inbox, error.to_string()),
    };
    for group in request.resource_spans {
        let resource = group.resource.map(|resource| resource.attributes);
        let resource = attributes(&resource.unwrap_or_default());
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let ids = (span.trace_id.len(), span.span_id.len());
            if ids != (16, 8) || span.end_time_unix_nano < span.start_time_unix_nano {
                return refuse(&mut inbox, format!("{span:?}"));
            }
            inbox.spans.push(ReceivedSpan {
                attributes: attributes(&span.attributes),
                resource: resource.clone(),
                span,
            });
        }
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    ([("content-type", "application/x-protobuf")], answer).into_response()
}

async fn envelope(
    State(inbox): Shared,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut inbox = inbox.lock().unwrap();
    inbox.headers.push(headers.clone());
    let auth = headers.get("x-sentry-auth").and_then(|is| is.to_str().ok());
    let knows_us = auth.is_some_and(|auth| {
        auth.starts_with("Sentry ")
            && auth.contains("sentry_key=thekeyofthetests")
            && auth.contains("sentry_version=7")
    });
    if project != "42" || !knows_us {
        return refuse(&mut inbox, format!("{project}: {auth:?}"));
    }
    let envelope = match sentry::Envelope::from_slice(&body) {
        Ok(envelope) => envelope,
        Err(error) => return refuse(&mut inbox, error.to_string()),
    };
    for item in envelope.items() {
        if let sentry::protocol::EnvelopeItem::Event(event) = item {
            inbox.events.push(serde_json::to_value(event).unwrap());
        }
    }
    axum::Json(serde_json::json!({"id": envelope.uuid()})).into_response()
}

fn refuse(inbox: &mut Inbox, why: String) -> Response {
    inbox.refused.push(why);
    StatusCode::BAD_REQUEST.into_response()
}

/// Attributes by name, their values as text.
fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    list.iter()
        .filter_map(|pair| {
            let value = pair.value.as_ref()?.value.as_ref()?;
            Some((pair.key.clone(), text(value)))
        })
        .collect()
}
