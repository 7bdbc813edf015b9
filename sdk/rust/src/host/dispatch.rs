//! From the bindings to the router and back: the thin layer that each way
//! into a component has. It makes as few host calls as an answer allows.

use super::streams::{Incoming, Writer};
use crate::{
    Activation, Deactivation, Error, Event, Job, Jobs, Method, Request, Response, Result, Router,
    Subscriptions,
    bindings::{
        event_handler::exports::atlashub::events::handler,
        imports::wasi::http::types::{
            self as wasi_http, Fields, IncomingRequest, OutgoingBody, OutgoingResponse,
            ResponseOutparam,
        },
        job_handler::exports::atlashub::jobs::handler as job_handler,
        lifecycle::exports::atlashub::lifecycle::hooks,
    },
    body::Source,
    events, logging,
    response::ResponseBody,
};
use http::StatusCode;
use std::cell::OnceCell;

thread_local! {
    /// A component has one plugin, an instance one thread.
    static ROUTER: OnceCell<Router> = const { OnceCell::new() };
    static SUBSCRIPTIONS: OnceCell<Subscriptions> = const { OnceCell::new() };
    static JOBS: OnceCell<Jobs> = const { OnceCell::new() };
}

/// Answers a request of `wasi:http`.
pub fn handle(request: IncomingRequest, out: ResponseOutparam, routes: fn() -> Router) {
    let method = method(request.method());
    let target = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let request = Request::from_host(method, target, Incoming(request));
    respond(out, call(request, routes));
}

/// Answers a request, however it came in.
fn call(request: Request, routes: fn() -> Router) -> Response {
    ROUTER.with(|router| {
        router
            .get_or_init(|| {
                logging::install();
                routes()
            })
            .call(request)
    })
}

/// Takes an event.
pub fn deliver(
    event: handler::Event,
    subscriptions: fn() -> Subscriptions,
) -> Result<(), handler::Error> {
    let event = Event {
        id: event.id,
        name: event.name,
        payload: event.payload,
        key: event.key,
        published_ms: event.published_ms,
        attempt: event.attempt,
        max_attempts: event.max_attempts,
    };
    let taken = SUBSCRIPTIONS.with(|own| {
        own.get_or_init(|| {
            logging::install();
            subscriptions()
        })
        .call(&event)
    });
    taken.map_err(|error| {
        log::warn!("{}: {error}", event.name);
        handler::Error {
            retry: events::is_worth_retrying(&error),
            code: error.code().to_owned(),
            message: error.detail().to_owned(),
        }
    })
}

/// Does a job.
pub fn work(job: job_handler::Job, jobs: fn() -> Jobs) -> Result<(), job_handler::Error> {
    let job = Job {
        id: job.id,
        name: job.name,
        payload: job.payload,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        schedule: job.schedule,
        scheduled_ms: job.scheduled_ms,
        idempotency_key: job.idempotency_key,
    };
    let done = JOBS.with(|own| {
        own.get_or_init(|| {
            logging::install();
            jobs()
        })
        .call(&job)
    });
    done.map_err(|error| {
        log::warn!("{}: {error}", job.name);
        job_handler::Error {
            retry: events::is_worth_retrying(&error),
            code: error.code().to_owned(),
            message: error.detail().to_owned(),
        }
    })
}

/// Tells the plugin that it is switched on.
pub fn activate(
    reason: String,
    previous_version: Option<String>,
    hook: fn(Activation) -> Result<()>,
) -> Result<(), hooks::Error> {
    logging::install();
    hook(Activation {
        reason,
        previous_version,
    })
    .map_err(refusal)
}

/// Tells the plugin that it is switched off.
pub fn deactivate(
    reason: String,
    hook: fn(Deactivation) -> Result<()>,
) -> Result<(), hooks::Error> {
    logging::install();
    hook(Deactivation { reason }).map_err(refusal)
}

fn refusal(error: Error) -> hooks::Error {
    log::error!("{error}");
    hooks::Error {
        code: error.code().to_owned(),
        message: error.detail().to_owned(),
    }
}

fn method(method: wasi_http::Method) -> Method {
    match method {
        wasi_http::Method::Get => Method::GET,
        wasi_http::Method::Head => Method::HEAD,
        wasi_http::Method::Post => Method::POST,
        wasi_http::Method::Put => Method::PUT,
        wasi_http::Method::Delete => Method::DELETE,
        wasi_http::Method::Connect => Method::CONNECT,
        wasi_http::Method::Options => Method::OPTIONS,
        wasi_http::Method::Trace => Method::TRACE,
        wasi_http::Method::Patch => Method::PATCH,
        wasi_http::Method::Other(name) => name.parse().unwrap_or(Method::TRACE),
    }
}

fn respond(out: ResponseOutparam, mut response: Response) {
    if let ResponseBody::Bytes(bytes) = &response.body
        && response.may_have_body()
        && !response.headers().contains("content-length")
    {
        let length = bytes.len().to_string();
        response.headers_mut().append("content-length", length);
    }
    let head = match head(&response) {
        Ok(head) => head,
        Err(error) => return respond(out, Response::from_error(error).settle()),
    };
    if !response.may_have_body() {
        return ResponseOutparam::set(out, Ok(head));
    }
    match response.body {
        ResponseBody::Empty => ResponseOutparam::set(out, Ok(head)),
        ResponseBody::Served(object) => match (object.attach)(&object, &head) {
            Ok(_) => ResponseOutparam::set(out, Ok(head)),
            Err(error) => respond(out, Response::from_error(error.into()).settle()),
        },
        ResponseBody::Held(held) => match (held.attach)(&held, &head) {
            Ok(()) => ResponseOutparam::set(out, Ok(head)),
            Err(error) => respond(out, Response::from_error(error.into()).settle()),
        },
        ResponseBody::Bytes(bytes) => send(out, head, |writer| writer.all(&bytes).is_ok()),
        ResponseBody::Written(write) => send(out, head, |writer| write(writer).is_ok()),
        ResponseBody::Incoming(mut body) => send(out, head, |writer| match body.source() {
            Ok(Source::Stream(stream)) => writer.splice(stream.handle()).is_ok(),
            Ok(Source::Bytes(bytes)) => writer.all(&bytes).is_ok(),
            Err(_) => false,
        }),
    }
}

fn head(response: &Response) -> Result<OutgoingResponse> {
    let fields = Fields::from_list(&response.headers().0)
        .map_err(|error| Error::internal(format_args!("header fields of the answer: {error}")))?;
    let head = OutgoingResponse::new(fields);
    if response.status() != StatusCode::OK {
        head.set_status_code(response.status().as_u16())
            .map_err(|()| Error::internal("the host refused the status of the answer"))?;
    }
    Ok(head)
}

/// Sends the head, then what `write` writes. A body that was not written to
/// its end is cut off, so that the client sees that something is missing.
fn send(out: ResponseOutparam, head: OutgoingResponse, write: impl FnOnce(&mut Writer) -> bool) {
    let Ok(body) = head.body() else {
        return ResponseOutparam::set(out, Ok(head));
    };
    ResponseOutparam::set(out, Ok(head));
    let Ok(stream) = body.write() else { return };
    let mut writer = Writer(stream);
    let complete = write(&mut writer);
    drop(writer);
    if complete && let Err(error) = OutgoingBody::finish(body, None) {
        log::debug!("end of the answer: {error}");
    }
}
