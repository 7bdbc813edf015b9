//! `Idempotency-Key` of calls to plugins: a `POST` of JSON, or of nothing,
//! that was answered before is answered the same, whichever plugin it is for.
//!
//! Bounded by the size of the body and of the answer, by how many answers a
//! project keeps, and by 24 hours. Left to plugins are other bodies, which may
//! be of any size, and callers whom nothing tells from others. What a plugin
//! refuses may be tried again; an answer that is too large, or a stream, is
//! passed on, and the call may be made again.

use atlashub_app::{App, Idempotent, KeyTicket};
use atlashub_core::{Caller, Digest, Error, KeyKind, ProjectId, Result};
use atlashub_data::platform::StoredAnswer;
use atlashub_runtime::{BodyError, WasiBody};
use axum::{body::Body, response::Response};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// What the plugin sees of it, for what must not happen twice even after a
/// server was killed in between, when the call is made again.
const TOLD: HeaderName = HeaderName::from_static("x-idempotency-key");
/// Largest body of a call, bytes.
const MAX_BODY: u64 = 256 * 1024;
/// Largest body of an answer that is kept, bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Most bytes of headers that are kept.
const MAX_HEADERS: usize = 8 * 1024;
/// What is of one answer alone.
const NOT_KEPT: [HeaderName; 5] = [
    header::SET_COOKIE,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::DATE,
];

/// A call that is made once.
pub(super) struct Once {
    key: String,
    /// Whose key it is.
    caller: String,
}

impl Once {
    /// Takes the key of a call that this covers; the plugin sees it by another
    /// name then.
    ///
    /// # Errors
    /// `invalid_idempotency_key`.
    pub(super) fn of(request: &mut Request<Incoming>, caller: &Caller) -> Result<Option<Self>> {
        if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
            return Ok(None);
        }
        let Some(caller) = name(caller).filter(|_| is_covered(request)) else {
            return Ok(None);
        };
        let key = request.headers_mut().remove(HEADER);
        if let Some(key) = &key {
            request.headers_mut().insert(TOLD, key.clone());
        }
        let key = key.as_ref().and_then(|key| key.to_str().ok());
        match key.map(str::trim).filter(|key| !key.is_empty()) {
            Some(key) => Ok(Some(Self {
                key: key.to_owned(),
                caller,
            })),
            None => Err(Error::bad_request(
                "invalid_idempotency_key",
                "the idempotency key must be printable ASCII",
            )),
        }
    }

    /// Makes the call unless it was answered before. Once made it runs to its
    /// end, within the plugin's limits, also when the client is gone: it will
    /// ask for the answer.
    pub(super) async fn run<F>(
        self,
        app: &App,
        project: ProjectId,
        request: Request<Incoming>,
        call: impl FnOnce(Request<WasiBody>) -> F + Send + 'static,
    ) -> Result<Response<Body>>
    where
        F: Future<Output = Result<Response<Body>>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| {
            Error::bad_request("upload_interrupted", "the body ended early").with_source(error)
        })?;
        let body = body.to_bytes();
        let head = format!("{} {}\n", parts.method, parts.uri);
        let digest = Digest::of(&[head.as_bytes(), &body].concat());
        let begun = app
            .begin_idempotent_in(Some(project), &self.caller, &self.key, digest)
            .await?;
        let ticket = match begun {
            Idempotent::Again(answer) => return Ok(again(answer)),
            Idempotent::Run(ticket) => ticket,
        };
        let app = app.clone();
        let work = async move {
            let body = Full::new(body).map_err(|never| -> BodyError { match never {} });
            let request = Request::from_parts(parts, body.boxed_unsync());
            match call(request).await {
                Ok(response) => keep(&app, &ticket, response).await,
                Err(error) => {
                    app.drop_ticket(&ticket).await?;
                    Err(error)
                }
            }
        };
        match tokio::spawn(work).await {
            Ok(answer) => answer,
            Err(error) => Err(Error::internal("make a call once", error)),
        }
    }
}

/// Who it is, when that is one whom nobody else can be.
fn name(caller: &Caller) -> Option<String> {
    match caller {
        Caller::Key {
            id,
            kind: KeyKind::Secret,
        } => Some(format!("key/{id}")),
        Caller::User(user) => Some(format!("user/{}", user.id)),
        Caller::Admin { id: Some(id), .. } => Some(format!("admin/{id}")),
        _ => None,
    }
}

fn is_covered(request: &Request<Incoming>) -> bool {
    let size = request.body().size_hint();
    if size.upper().is_none_or(|most| most > MAX_BODY) {
        return false;
    }
    let Some(kind) = request.headers().get(header::CONTENT_TYPE) else {
        return size.upper() == Some(0);
    };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Keeps an answer that made something.
async fn keep(app: &App, ticket: &KeyTicket, response: Response<Body>) -> Result<Response<Body>> {
    let (parts, body) = response.into_parts();
    let headers = kept(&parts.headers);
    let is_stream = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let (true, Some(headers), false) = (parts.status.is_success(), headers, is_stream) else {
        app.drop_ticket(ticket).await?;
        return Ok(Response::from_parts(parts, body));
    };
    let mut rest = body.into_data_stream();
    let mut start = BytesMut::new();
    while start.len() <= MAX_ANSWER {
        let Some(chunk) = rest.next().await else {
            let start = start.freeze();
            let answer = StoredAnswer {
                status: parts.status.as_u16(),
                headers,
                body: start.to_vec(),
            };
            app.keep_answer(ticket, answer).await?;
            return Ok(Response::from_parts(parts, Body::from(start)));
        };
        let chunk = chunk.map_err(|error| Error::internal("read an answer to keep", error))?;
        start.extend_from_slice(&chunk);
    }
    app.drop_ticket(ticket).await?;
    let start = stream::iter([Ok::<Bytes, axum::Error>(start.freeze())]);
    let whole = start.chain(rest);
    Ok(Response::from_parts(parts, Body::from_stream(whole)))
}

/// The headers that are kept; none when they are too many, or no text.
fn kept(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    let mut left = MAX_HEADERS;
    headers
        .iter()
        .filter(|(name, _)| !NOT_KEPT.contains(name))
        .map(|(name, value)| {
            left = left.checked_sub(name.as_str().len() + value.len())?;
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

fn again(answer: StoredAnswer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(
        HeaderName::from_static("idempotent-replayed"),
        HeaderValue::from_static("true"),
    );
    response
}
