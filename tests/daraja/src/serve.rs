//! Connections. An answer that shall get lost breaks its connection, which a
//! server that answers everything cannot do.

use crate::{
    answer::{Answer, Lost},
    c2b, control, fault, initiated, journal, pull, push, query,
    state::Shared,
    token,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::{io, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

/// Largest body of a request, bytes.
const MAX_BODY: usize = 64 * 1024;

/// Takes connections until it is dropped.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let router = router(Arc::clone(&shared));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => shared.spawn(serve(stream, router.clone())),
            // Out of files, say: others have to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            if response.extensions().get::<Lost>().is_some() {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            Ok(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // The caller sees that it broke.
    drop(connection);
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/_sim/faults",
            get(control::faults).put(control::set_faults),
        )
        .route("/_sim/reset", post(control::reset))
        .route("/_sim/release", post(control::release))
        .route("/_sim/payments", get(control::payments))
        .route("/_sim/journal", get(control::journal))
        .route("/_sim/pay", post(control::pay))
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

/// What one of Daraja's own calls is.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let asked = Asked {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
    };
    let answer = route(&shared, &asked).await;
    shared.state().journal.note(journal::Entry {
        sent: false,
        path: asked.uri.path().to_owned(),
        body: journal::body(&asked.body),
        status: answer.status.as_u16(),
        answer: answer.shown(),
    });
    let wait = shared.state().faults.answer_ms;
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    answer.into_response()
}

async fn route(shared: &Arc<Shared>, asked: &Asked) -> Answer {
    let path = asked.uri.path();
    let is_token = path == "/oauth/v1/generate";
    let wanted = if is_token { Method::GET } else { Method::POST };
    if asked.method != wanted {
        let id = shared.state().request_id();
        return Answer::fault(405, &id, "405.001", "Method Not Allowed");
    }
    if is_token {
        return token::generate(shared, asked);
    }
    if let Some(refused) = refused(shared) {
        return refused;
    }
    match path {
        "/mpesa/stkpush/v1/processrequest" => push::push(shared, asked).await,
        "/mpesa/stkpushquery/v1/query" => query::query(shared, asked),
        "/mpesa/c2b/v1/registerurl" | "/mpesa/c2b/v2/registerurl" => c2b::register(shared, asked),
        "/mpesa/c2b/v1/simulate" | "/mpesa/c2b/v2/simulate" => c2b::simulate(shared, asked),
        "/pulltransactions/v1/register" => pull::register(shared, asked),
        "/pulltransactions/v1/query" => pull::query(shared, asked),
        "/mpesa/b2c/v3/paymentrequest" => initiated::payout(shared, asked),
        "/mpesa/transactionstatus/v1/query" => initiated::status(shared, asked),
        "/mpesa/reversal/v1/request" => initiated::reversal(shared, asked),
        "/mpesa/accountbalance/v1/query" => initiated::balance(shared, asked),
        _ => {
            let id = shared.state().request_id();
            Answer::fault(404, &id, "404.001.01", "Resource not found")
        }
    }
}

/// What the gateway says before it looks at a call.
fn refused(shared: &Shared) -> Option<Answer> {
    let mut state = shared.state();
    if fault::take(&mut state.faults.html) {
        return Some(Answer::of_the_edge());
    }
    let (code, message) = if fault::take(&mut state.faults.busy) {
        (
            "500.003.02",
            "System is busy. Please try again in few minutes.",
        )
    } else if fault::take(&mut state.faults.quota) {
        ("500.003.03", "Quota Violation")
    } else {
        return None;
    };
    let id = state.request_id();
    Some(Answer::fault(500, &id, code, message))
}
